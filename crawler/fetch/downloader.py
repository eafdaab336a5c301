"""`Downloader`: sends one request over an httpx transport and returns the response with its whole body."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import httpx
import trio

from crawler.errors import BrokenExchange, FetchError, FetchTimeout, RequestError
from crawler.fetch.body_reader import BodyHandling, BodyReader
from crawler.fetch.request_fields import DefaultFields, RequestFields, StartOrigins
from crawler.fetch.sender import CurlSender, HttpxSender, Sender
from crawler.frontier.body_budget import LARGE_BODY
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJar
from crawler.messages import Request, Response
from crawler.messages.request import is_start_page
from crawler.settings.proxies import DIRECT, label
from crawler.transport.curl import CurlTransport
from crawler.transport.decoding import ACCEPTED
from crawler.transport.error_kinds import INCOMPLETE
from crawler.transport.errors import translate
from crawler.transport.wire import DEADLINE, EXTENSION, LeanRequest, WireOptions

if TYPE_CHECKING:
    from crawler.fetch.auth import OriginAuth
    from crawler.fetch.proxies import Proxies
    from crawler.settings import Settings

__all__ = ["Downloader"]

CUT: Final = (INCOMPLETE, "reset")
"""The kinds of errors by which a body ends too early."""
DEFAULT_ACCEPT: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
Send: TypeAlias = Callable[[str | None], Coroutine[Any, Any, Response]]
"""Sends a request through the proxy of a URL; `None` means directly."""


class Downloader:
    """Sends requests over a transport, with the cookies, credentials and proxies of the crawl."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        settings: Settings,
        clock: Callable[[], float],
        proxies: Proxies | None = None,
        credentials: OriginAuth | None = None,
        *,
        wants_wire: bool = False,
        wants_stages: bool = False,
    ) -> None:
        self.transport = transport
        self.settings = settings
        self.proxies = proxies
        self.credentials = credentials
        self.cookies = CookieJar()
        self.address_guard = (
            None if settings.private_network else AddressGuard(opens_start_networks=settings.private_network is None)
        )
        """Decides which addresses may be connected to; `None` allows every address."""
        self._clock = clock
        self._deadline = settings.request_deadline
        self._keeps_cookies = settings.cookies
        self._wants_stages = wants_stages
        self._sender: Sender = CurlSender(transport) if isinstance(transport, CurlTransport) else HttpxSender(transport)
        self.reports_sending = self._sender.is_curl
        """Whether `on_sent` of `fetch` is called as soon as bytes of a request go out."""
        self._bodies = BodyReader(
            settings.max_body, wants_wire=wants_wire, keeps_incomplete=settings.incomplete == "keep"
        )
        basic = {"User-Agent": settings.user_agent, "Accept": DEFAULT_ACCEPT}
        if self._sender.is_curl:
            basic["Accept-Encoding"] = "gzip, deflate" if wants_wire else ACCEPTED
        origins = StartOrigins()
        defaults = DefaultFields(basic, settings.headers, origins)
        self._fields = RequestFields(defaults, self.cookies, credentials, clock)
        self.start_origins = origins if defaults.has_secrets else None
        """The origins that get the secret fields of the settings; `None` if there are no such fields."""

    async def fetch(
        self,
        request: Request,
        *,
        attempt: int = 1,
        on_sent: Callable[[float], None] | None = None,
        resend: bool = True,
        body: BodyHandling | None = None,
    ) -> Response:
        """Return the response to a request, whatever its status."""
        handling = body or BodyHandling()
        handling.max_body = self.settings.max_body if request.max_body is None else request.max_body
        seconds = self._deadline if request.timeout is None else request.timeout
        guard, started = self.address_guard, trio.current_time()
        options = WireOptions(
            on_sent=on_sent,
            address_guard=guard,
            is_start_page=guard is not None and is_start_page(request),
            max_body=handling.max_gathered(),
            resend=resend,
            complete_by=started + seconds,
            stages={} if self._wants_stages else None,
        )
        if handling.reservation is not None:
            handling.reservation.complete_by = options.complete_by
        send: Send = partial(self._send, request, options, handling)
        if not self._sender.is_curl:
            send = partial(_send_by_deadline, send, request, options.complete_by)
        try:
            response = await self._send_by_route(request, send)
        except FetchTimeout as error:
            if error.kind == DEADLINE:
                error.args = (f"no complete response within {seconds:g} s",)
            raise
        except BrokenExchange as error:
            if error.partial is not None:
                error.partial.attempt, error.partial.elapsed = attempt, trio.current_time() - started
            raise
        response.attempt = attempt
        response.elapsed = trio.current_time() - started
        return response

    def auth_flow(self, request: Request) -> httpx.Auth | None:
        """Return the authentication of a request's origin if it may take several exchanges; else `None`."""
        if self.credentials is None or request.auth is not None or "authorization" in request.headers:
            return None
        found = self.credentials.for_url(request.url)
        return found if isinstance(found, httpx.Auth) else None

    def route(self, request: Request) -> str:
        """Return the names of the proxies that a request goes through in turn; empty if it goes directly."""
        if request.proxy is not None:
            return "" if request.proxy == DIRECT else label(request.proxy)
        rotation = None if self.proxies is None else self.proxies.rotation_for(request.url)
        return "" if rotation is None else ", ".join(proxy.name for proxy in rotation.proxies)

    def note_start_page(self, request: Request) -> None:
        """Note that a plugin answered a request: a start page then counts for its network as if it had been fetched."""
        if self.address_guard is not None and is_start_page(request):
            self.address_guard.expect_start(httpx.URL(request.url).raw_host.decode("ascii"))

    def _send_by_route(self, request: Request, send: Send) -> Coroutine[Any, Any, Response]:
        """Send a request directly, through its own proxy, or through those of the crawl in turn."""
        proxy, proxies = request.proxy, self.proxies
        rotation = proxies.rotation_for(request.url) if proxies is not None and proxy is None else None
        if proxies is None or rotation is None:
            return send(None if proxy == DIRECT else proxy)
        from crawler.fetch.proxy_failover import with_failover  # noqa: PLC0415 - most crawls have no proxies

        return with_failover(proxies, rotation, request, send, self._clock)

    async def _send(
        self,
        request: Request,
        options: WireOptions,
        handling: BodyHandling,
        proxy: str | None,
    ) -> Response:
        try:
            fields = self._fields.of(request)
            extensions: dict[str, Any] = {EXTENSION: options}
            if proxy is not None:
                extensions["proxy"] = proxy
            lean = LeanRequest(request.method, request.url, fields, request.body, extensions)
            received = await self._sender.send(lean)
        except RequestError as error:
            error.request = error.request or request
            raise
        except Exception as error:
            raise translate(error, request) from error
        headers = received.headers
        if self._keeps_cookies and "set-cookie" in headers:  # before the body, which may break off
            lines = headers.get_list("set-cookie")
            self.cookies.store(request.session, request.url, lines, self._clock())
        response = Response(request.url, received.status, headers, request=request)
        response._exchange = (received.status, headers, fields, received.extensions, None, False)  # noqa: SLF001
        try:
            body = self._bodies.arrived(received, handling)
            response.body = await self._bodies.read(received, response, handling) if body is None else body
            if len(response.body) > LARGE_BODY and handling.reservation is not None and handling.receiver is None:
                handling.reservation.resize(len(response.body))
        except RequestError as error:
            error.request = error.request or request
            _mark_response(error, response)
            raise
        except Exception as error:
            raise _mark_response(translate(error, request), response) from error
        response.first_byte = max(0.0, received.headers_at - received.sent_at)
        if options.stages is not None:
            took = max(0.0, trio.current_time() - received.headers_at)
            response.stages = options.stages | {"first_byte": response.first_byte, "body": took}
        return response


async def _send_by_deadline(send: Send, request: Request, deadline: float, proxy: str | None) -> Response:
    """Send a request over a transport that does not know `WireOptions.complete_by`."""
    with trio.CancelScope(deadline=deadline):
        return await send(proxy)
    late = FetchTimeout("the response was not complete by its deadline", request=request)
    late.kind = DEADLINE
    raise late


def _mark_response(error: RequestError, response: Response) -> RequestError:
    """Note that the header section of a response had arrived before an error, and what came of its body."""
    if isinstance(error, FetchError):
        error.has_response = True
    if isinstance(error, BrokenExchange) and not error.kind:  # other transports do not say more
        error.kind = INCOMPLETE
    if isinstance(error, BrokenExchange) and error.kind in CUT and response.body:
        response.complete = False
        error.partial = response
    return error
