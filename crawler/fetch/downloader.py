"""`Downloader`: one attempt: a request becomes an exchange over an httpx transport, the exchange a response."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import httpx
import trio

from crawler.errors import BodyTooLarge, BrokenExchange, FetchTimeout, RequestError
from crawler.headers import Headers
from crawler.http.address_guard import AddressGuard, is_start
from crawler.http.cookies import CookieJar
from crawler.messages import Request, Response
from crawler.settings.proxies import DIRECT
from crawler.transport.curl import CurlTransport
from crawler.transport.curl_options import accepted_codings
from crawler.transport.decoding import Decoder, make_decoder, parse_content_encoding
from crawler.transport.error_kinds import BOMB
from crawler.transport.errors import translate
from crawler.transport.extensions import EXTENSION, WireOptions
from crawler.transport.lean import LeanRequest, LeanResponse

if TYPE_CHECKING:
    from crawler.fetch.auth import OriginAuth
    from crawler.fetch.proxies import Proxies
    from crawler.settings import Settings

__all__ = ["Downloader"]

NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""What a transport raises before bytes have gone out."""
SUSPECT: Final = 8 * 1024 * 1024
"""Bytes of a decoded body above which its share of what was received is looked at."""
UNPACKED: Final = 500
"""Times its size that a body may unpack to; gzip can do 1032, and pages and tables are below 100."""
LEFT: Final = 1000
"""Pieces that may lie between a reader and the end of what it has closed."""
ACCEPT: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Downloader:
    """Sends requests over a transport, whose connections are its own business.

    Parameters:
        transport: any httpx transport.
        settings: user agent, deadlines and caps.
        clock: gives seconds since the epoch.
        proxies: which proxies requests go through; `None`: there are none but those that requests name.
        credentials: what origins are given; `None`: nothing but what requests say.
        networks: what `AddressGuard.take_unsaved` gave in an earlier run.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        settings: Settings,
        clock: Callable[[], float],
        proxies: Proxies | None = None,
        credentials: OriginAuth | None = None,
        *,
        networks: bytes | None = None,
    ) -> None:
        self.transport = transport
        self.settings = settings
        self.proxies = proxies
        self.credentials = credentials
        self.cookies = CookieJar()
        self.address_guard = (
            None if settings.private_network else AddressGuard(opens_start_networks=settings.private_network is None)
        )
        """Which addresses may be connected to; `None`: all."""
        if self.address_guard is not None and networks is not None:
            self.address_guard.restore(networks)
        self._clock = clock
        self._is_curl = isinstance(transport, CurlTransport)
        usual = {"User-Agent": settings.user_agent, "Accept": ACCEPT}
        if self._is_curl:
            usual["Accept-Encoding"] = accepted_codings()
        self._usual = _over(usual.items(), Headers(settings.headers))
        self._usual_lines = _lines(self._usual)

    async def fetch(
        self,
        request: Request,
        *,
        attempt: int = 1,
        on_sent: Callable[[float], None] | None = None,
        resend: bool = True,
        cut: int | None = None,
    ) -> Response:
        """One exchange, whatever the status.

        Parameters:
            request: what to ask.
            attempt: its number, from 1.
            on_sent: called once when bytes may have gone out, with the time (`trio.current_time`) at which they did.
            resend: whether it may be sent again at once if a kept connection turns out to be closed: not on a lane
                that has a pace to keep.
            cut: bytes of the body behind which the rest is not read, and none is too large.

        Raises:
            RequestError: there was no answer, or it was too large, or a small one unpacks to far too much.
        """
        deadline = self.settings.request_deadline if request.timeout is None else request.timeout
        started = sent_at = trio.current_time()

        def sent() -> None:
            nonlocal sent_at
            if self._is_curl:  # of other transports nobody knows when: not before they are asked
                sent_at = trio.current_time()
            if on_sent is not None:
                on_sent(sent_at)

        with trio.CancelScope(deadline=started + deadline) as scope:
            answer = await self._exchange(request, sent, resend=resend, cut=cut)
        if scope.cancelled_caught:
            late = FetchTimeout(f"no complete answer within {deadline:g} s", request=request)
            late.kind = "deadline"
            raise late
        answer.attempt = attempt
        answer.first_byte = max(0.0, answer.first_byte - sent_at)
        answer.elapsed = trio.current_time() - started
        return answer

    def auth_flow(self, request: Request) -> httpx.Auth | None:
        """Authentication that may take several exchanges, if that is what the origin of a request is given."""
        if self.credentials is None or request.auth is not None or "authorization" in request.headers:
            return None
        found = self.credentials.for_url(request.url)
        return found if isinstance(found, httpx.Auth) else None

    def note_start_page(self, request: Request) -> None:
        """A plugin has answered: if that was a start page, its host may be asked as if it had been."""
        if self.address_guard is not None and is_start(request):
            self.address_guard.expect_start(httpx.URL(request.url).raw_host.decode("ascii"))

    async def _exchange(
        self, request: Request, on_sent: Callable[[], None], *, resend: bool, cut: int | None
    ) -> Response:
        proxy, proxies = request.proxy, self.proxies
        rotation = proxies.rotation_for(request.url) if proxies is not None and proxy is None else None
        if proxies is None or rotation is None:
            return await self._send(request, on_sent, None if proxy == DIRECT else proxy, resend=resend, cut=cut)
        from crawler.fetch.proxy_failover import with_failover  # noqa: PLC0415 - most crawls need none

        send = partial(self._send, request, on_sent, resend=resend, cut=cut)
        return await with_failover(proxies, rotation, request, send, self._clock)

    async def _send(
        self, request: Request, on_sent: Callable[[], None], proxy: str | None, *, resend: bool, cut: int | None
    ) -> Response:
        try:
            most = self._most(request) if cut is None else cut
            wire = self._wire(request, on_sent, proxy, resend=resend, most=most)
        except Exception as error:
            raise translate(error, request) from error
        sent = self._is_curl
        try:
            answer = await self.transport.handle_async_request(wire)
            if proxy is not None and request.url.startswith("http:"):
                from crawler.fetch.proxy_failover import raise_if_proxy_answered  # noqa: PLC0415 - most crawls need none

                await raise_if_proxy_answered(answer, wire, proxy)
        except NOT_SENT as error:
            sent = True  # nothing to tell
            raise translate(error, request) from error
        except RequestError as error:
            error.request = error.request or request
            raise
        except Exception as error:
            raise translate(error, request) from error
        finally:
            if not sent:
                on_sent()
        head_at = trio.current_time()
        headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in _received(answer)])
        if "set-cookie" in headers:  # before the body, which may break off
            self.cookies.store(request.session, request.url, headers.get_list("set-cookie"), self._clock())
        try:
            body = await self._read(answer, request, headers, cut)
        except RequestError:
            raise
        except Exception as error:
            raise translate(error, request) from error
        response = Response(request.url, answer.status_code, headers, body, request=request)
        response.first_byte = head_at
        return response

    def _wire(
        self, request: Request, on_sent: Callable[[], None], proxy: str | None, *, resend: bool, most: int
    ) -> httpx.Request:
        """The request as the transport takes it."""
        fields = self._fields(request)
        lines = self._usual_lines if fields is self._usual else _lines(fields)
        options = WireOptions(
            on_sent=on_sent if self._is_curl else None,  # called here, where the transport is another
            address_guard=self.address_guard,
            is_start_page=self.address_guard is not None and is_start(request),
            max_body=most,
            resend=resend,
        )
        extensions: dict[str, Any] = {EXTENSION: options, "proxy": proxy} if proxy else {EXTENSION: options}
        if not self._is_curl:
            content = request.body or None
            return httpx.Request(request.method, request.url, headers=lines, content=content, extensions=extensions)
        return LeanRequest(request.method, request.url, lines, request.body, extensions)

    async def _read(self, answer: httpx.Response, request: Request, headers: Headers, cut: int | None) -> bytes:
        """The decoded body, as far as it is allowed."""
        most = self._most(request)
        alarm = min(most, SUSPECT)
        whole: io.BytesIO | None = None  # unlike a list of pieces it is never there twice
        size = 0
        decoder = _decoder(answer) if "content-encoding" in headers else None
        try:
            async with self._chunks(answer) as chunks:
                async for chunk in chunks:
                    for piece in (chunk,) if decoder is None else decoder.feed(chunk):
                        size += len(piece)
                        if size > alarm and cut is None:
                            alarm = _next_alarm(size, most, decoder or answer.stream, request)
                        if whole is None:
                            whole = io.BytesIO(piece)  # no copy
                            whole.seek(0, io.SEEK_END)
                        else:
                            whole.write(piece)
                    if cut is not None and size > cut:
                        break
        except zlib.error as error:
            broken = BrokenExchange(f"the body is not {answer.headers['content-encoding']}: {error}", request=request)
            broken.retryable = False
            raise broken from error
        finally:
            if self._is_curl:
                await answer.aclose()  # noqa: ASYNC102 - it does not wait
            else:
                with trio.move_on_after(1, shield=True):
                    await answer.aclose()
        return b"" if whole is None else whole.getvalue()

    def _most(self, request: Request) -> int:
        """Bytes that the decoded body may have."""
        return self.settings.max_body if request.max_body is None else request.max_body

    def _chunks(self, answer: httpx.Response) -> AbstractAsyncContextManager[AsyncIterable[bytes]]:
        """The body as it comes."""
        if self._is_curl:
            return nullcontext(cast("AsyncIterable[bytes]", answer.stream))
        return _by_httpx(answer)

    def _fields(self, request: Request) -> list[tuple[str, str]]:
        """The header fields in order: the user's own take the place of ours, an empty one is left out."""
        fields, own = self._usual, request.headers
        if own.pairs:
            fields = _over(fields, own)
        auth = request.auth
        if auth is None and self.credentials is not None:
            found = self.credentials.for_url(request.url)
            auth = None if isinstance(found, httpx.Auth) else found
        if auth is not None and "authorization" not in own:
            fields = [*fields, ("Authorization", _authorization(auth))]
        cookies = "" if "cookie" in own else self._cookies(request)
        return [*fields, ("Cookie", cookies)] if cookies else fields

    def _cookies(self, request: Request) -> str:
        """The cookies of the session and those of the request, which go instead of the former where names are the same.

        A request with a ``Cookie`` field of its own has that sent as it is.
        """
        given = request.cookies
        kept = self.cookies.header(request.session, request.url, self._clock(), without=given)
        if not given:
            return kept
        return "; ".join(([kept] if kept else []) + [f"{name}={value}" for name, value in given.items()])


def _received(answer: httpx.Response) -> list[tuple[bytes, bytes]]:
    """The header fields as they came."""
    if isinstance(answer, LeanResponse):
        return answer.fields
    fields: list[tuple[bytes, bytes]] | None = answer.extensions.get("wire_headers")
    return answer.headers.raw if fields is None else fields


def _decoder(answer: httpx.Response) -> Decoder | None:
    """What undoes the content codings; libcurl and httpx may have done so."""
    if answer.is_stream_consumed or "content-encoding" not in answer.headers:
        return None
    return make_decoder(parse_content_encoding(answer.headers.get_list("content-encoding")))


def _over(fields: Iterable[tuple[str, str]], own: Headers) -> list[tuple[str, str]]:
    """Those fields that `own` does not name, then `own` as it is; without those that are empty."""
    return [pair for pair in (*(pair for pair in fields if pair[0] not in own), *own.pairs) if pair[1]]


def _authorization(auth: tuple[str, str] | str) -> str:
    """The value of ``Authorization``: basic authentication in UTF-8 (RFC 7617 section 2.1), or the text as it is."""
    return auth if isinstance(auth, str) else f"Basic {base64.b64encode(':'.join(auth).encode()).decode()}"


def _lines(fields: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]


def _next_alarm(size: int, most: int, source: object, request: Request) -> int:
    """At which size to look again.

    Raises:
        BodyTooLarge: it is larger than is allowed, or a little that unpacks to very much.
    """
    if size > most:
        raise BodyTooLarge(f"the body is larger than {most} bytes", request=request)
    received = getattr(source, "received", 0)  # of a transport of somebody else's nobody knows
    if 0 < received * UNPACKED < size:
        words = f"{received} bytes unpack to more than {size}: a decompression bomb"
        bomb = BodyTooLarge(words, request=request)
        bomb.kind = BOMB
        raise bomb
    return min(most, size + SUSPECT)


@asynccontextmanager
async def _by_httpx(answer: httpx.Response) -> AsyncGenerator[AsyncIterable[bytes], None]:
    """The body of another transport. It may be left early, although httpx and httpcore nest generators unclosed."""
    # httpx says iterator, and makes a generator
    chunks = answer.aiter_bytes() if answer.is_stream_consumed else answer.aiter_raw()
    async with aclosing(cast("AsyncGenerator[bytes, None]", chunks)):
        try:
            yield chunks
        except Exception:
            with trio.move_on_after(1, shield=True), suppress(Exception):
                await answer.aclose()
                for _ in range(LEFT):  # behind what was there already, what is closed raises, and that ends them all
                    await anext(chunks)
            raise
