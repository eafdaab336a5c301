"""`Downloader`: one attempt: a request becomes an exchange over an httpx transport, the exchange a response."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import TYPE_CHECKING, Any, Final, cast

import httpx
import trio

from crawler.errors import BodyTooLarge, FetchTimeout, RequestError
from crawler.fetch.cookies import CookieJar
from crawler.fetch.curl import CurlTransport
from crawler.fetch.failures import translate
from crawler.fetch.lean import LeanRequest
from crawler.headers import Headers
from crawler.messages import Request, Response

if TYPE_CHECKING:
    from crawler.settings import Settings

__all__ = ["Downloader"]

NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""What a transport raises before bytes have gone out."""
ACCEPT: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Downloader:
    """Sends requests over a transport, whose connections are its own business.

    Parameters:
        transport: any httpx transport.
        settings: user agent, deadlines and caps.
        clock: gives seconds since the epoch.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        settings: Settings,
        clock: Callable[[], float],
    ) -> None:
        self.transport = transport
        self.settings = settings
        self.cookies = CookieJar()
        self._clock = clock
        self._is_curl = isinstance(transport, CurlTransport)
        self._default_fields = [("User-Agent", settings.user_agent), ("Accept", ACCEPT)]

    async def fetch(
        self,
        request: Request,
        *,
        attempt: int = 1,
        on_sent: Callable[[float], None] | None = None,
        resend: bool = True,
    ) -> Response:
        """One exchange, whatever the status.

        Parameters:
            request: what to ask.
            attempt: its number, from 1.
            on_sent: called once when bytes may have gone out, with the time (`trio.current_time`) at which they did.
            resend: whether it may be sent again at once if a kept connection turns out to be closed: not on a lane
                that has a pace to keep.

        Raises:
            RequestError: there was no answer, or it was too large.
        """
        deadline = self.settings.request_deadline if request.timeout is None else request.timeout
        started = sent_at = trio.current_time()

        def sent() -> None:
            nonlocal sent_at
            if self._is_curl:  # of other transports nobody knows when: not before they are asked
                sent_at = trio.current_time()
            if on_sent is not None:
                on_sent(sent_at)

        try:
            with trio.fail_after(deadline):
                answer = await self._exchange(request, sent, resend=resend)
        except trio.TooSlowError:
            late = FetchTimeout(f"no complete answer within {deadline:g} s", request=request)
            late.kind = "deadline"
            raise late from None
        answer.attempt = attempt
        answer.first_byte = max(0.0, answer.first_byte - sent_at)
        answer.elapsed = trio.current_time() - started
        return answer

    async def _exchange(self, request: Request, on_sent: Callable[[], None], *, resend: bool) -> Response:
        try:
            wire = self._wire(request, on_sent, resend=resend)
        except Exception as error:
            raise translate(error, request) from error
        sent = self._is_curl
        try:
            answer = await self.transport.handle_async_request(wire)
        except NOT_SENT as error:
            sent = True  # nothing to tell
            raise translate(error, request) from error
        except RequestError:
            raise
        except Exception as error:
            raise translate(error, request) from error
        finally:
            if not sent:
                on_sent()
        head_at = trio.current_time()
        try:
            body = await self._read(answer, request)
        except RequestError:
            raise
        except Exception as error:
            raise translate(error, request) from error
        lines = answer.extensions.get("wire_headers", answer.headers.raw)
        headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in lines])
        if "set-cookie" in headers:
            self.cookies.store(request.session, request.url, headers.get_list("set-cookie"), self._clock())
        response = Response(request.url, answer.status_code, headers, body, request=request)
        response.first_byte = head_at
        return response

    def _wire(self, request: Request, on_sent: Callable[[], None], *, resend: bool) -> httpx.Request:
        """The request as the transport takes it."""
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._fields(request)]
        extensions: dict[str, Any] = {"proxy": request.proxy} if request.proxy else {}
        if not self._is_curl:
            content = request.body or None
            return httpx.Request(request.method, request.url, headers=fields, content=content, extensions=extensions)
        extensions["on_sent"] = on_sent
        if not resend:
            extensions["resend"] = False
        return LeanRequest(request.method, request.url, fields, request.body, extensions)

    async def _read(self, answer: httpx.Response, request: Request) -> bytes:
        """The decoded body, as far as it is allowed."""
        most = self.settings.max_body if request.max_body is None else request.max_body
        chunks: list[bytes] = []
        size = 0
        try:
            async with self._body(answer) as body:
                async for chunk in body:
                    size += len(chunk)
                    if size > most:
                        raise BodyTooLarge(f"the body is larger than {most} bytes", request=request)
                    chunks.append(chunk)
        finally:
            with trio.move_on_after(1, shield=True):
                await answer.aclose()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _body(self, answer: httpx.Response) -> AbstractAsyncContextManager[AsyncIterable[bytes]]:
        """The decoded body: what libcurl has decoded as it comes, the rest through httpx."""
        if self._is_curl and "content-encoding" not in answer.headers:
            return nullcontext(cast("AsyncIterable[bytes]", answer.stream))
        # httpx says iterator, and makes a generator, which has to be closed if it is left early
        return aclosing(cast("AsyncGenerator[bytes, None]", answer.aiter_bytes()))

    def _fields(self, request: Request) -> list[tuple[str, str]]:
        """The header fields in order: the user's own take the place of ours."""
        fields = self._default_fields
        if request.headers.pairs:
            own = request.headers
            fields = [pair for pair in fields if pair[0] not in own]
            fields = [*fields, *own.pairs]
        if request.auth is not None and "authorization" not in request.headers:
            token = base64.b64encode(":".join(request.auth).encode()).decode()
            fields = [*fields, ("Authorization", f"Basic {token}")]
        cookies = self.cookies.header(request.session, request.url, self._clock())
        given = "; ".join(f"{name}={value}" for name, value in request.cookies.items())
        if cookies or given:
            fields = [*fields, ("Cookie", f"{cookies}; {given}" if cookies and given else cookies or given)]
        return fields
