"""`Downloader`: one attempt: a request becomes an exchange over an httpx transport, the exchange a response."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final, cast

import httpx
import trio

from crawler.errors import BodyTooLarge, BrokenExchange, FetchTimeout, RequestError
from crawler.fetch.codings import Decoder, codings_of, decoder_of
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
SUSPECT: Final = 8 * 1024 * 1024
"""Bytes of a decoded body above which its share of what was received is looked at."""
BOMB: Final = 500
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

        try:
            with trio.fail_after(deadline):
                answer = await self._exchange(request, sent, resend=resend)
        except trio.TooSlowError:
            raise FetchTimeout(f"no complete answer within {deadline:g} s", request=request) from None
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
        extensions["most"] = self._most(request)
        if not resend:
            extensions["resend"] = False
        return LeanRequest(request.method, request.url, fields, request.body, extensions)

    async def _read(self, answer: httpx.Response, request: Request) -> bytes:
        """The decoded body, as far as it is allowed."""
        most = self._most(request)
        alarm = min(most, SUSPECT)
        whole: io.BytesIO | None = None  # unlike a list of pieces it is never there twice
        size = 0
        decoder = self._decoder(answer)
        try:
            async with self._chunks(answer) as chunks:
                async for chunk in chunks:
                    for piece in (chunk,) if decoder is None else decoder.feed(chunk):
                        size += len(piece)
                        if size > alarm:
                            alarm = _next_alarm(size, most, decoder or answer.stream, request)
                        if whole is None:
                            whole = io.BytesIO(piece)  # no copy
                            whole.seek(0, io.SEEK_END)
                        else:
                            whole.write(piece)
        except zlib.error as error:
            broken = BrokenExchange(f"the body is not {answer.headers['content-encoding']}: {error}", request=request)
            broken.retryable = False
            raise broken from error
        finally:
            with trio.move_on_after(1, shield=True):
                await answer.aclose()
        return b"" if whole is None else whole.getvalue()

    def _most(self, request: Request) -> int:
        """Bytes that the decoded body may have."""
        return self.settings.max_body if request.max_body is None else request.max_body

    def _decoder(self, answer: httpx.Response) -> Decoder | None:
        """What undoes the content codings; libcurl and httpx may have done so."""
        if answer.is_stream_consumed or "content-encoding" not in answer.headers:
            return None
        return decoder_of(codings_of(answer.headers.get_list("content-encoding")))

    def _chunks(self, answer: httpx.Response) -> AbstractAsyncContextManager[AsyncIterable[bytes]]:
        """The body as it comes."""
        if self._is_curl:
            return nullcontext(cast("AsyncIterable[bytes]", answer.stream))
        return _by_httpx(answer)

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


def _next_alarm(size: int, most: int, source: object, request: Request) -> int:
    """At which size to look again.

    Raises:
        BodyTooLarge: it is larger than is allowed, or a little that unpacks to very much.
    """
    if size > most:
        raise BodyTooLarge(f"the body is larger than {most} bytes", request=request)
    received = getattr(source, "received", 0)  # of a transport of somebody else's nobody knows
    if 0 < received * BOMB < size:
        words = f"{received} bytes that unpack to more than {size}: nothing but a bomb does that"
        raise BodyTooLarge(words, request=request)
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
