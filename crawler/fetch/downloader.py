"""`Downloader`: sends one request over an httpx transport and returns the response with its whole body."""

from __future__ import annotations

import base64
import io
import math
import zlib
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx
import trio

from crawler import urls
from crawler.errors import BodyTooLarge, BrokenExchange, FetchError, FetchTimeout, RequestError
from crawler.fetch.default_fields import DefaultFields, FieldSet, encode_fields, override_fields
from crawler.fetch.other_stream import OtherStream
from crawler.fetch.start_origins import StartOrigins
from crawler.frontier.body_budget import LARGE_BODY
from crawler.headers import Headers
from crawler.http.address_guard import AddressGuard, is_start_page
from crawler.http.cookies import CookieJar
from crawler.messages import Drop, Request, Response
from crawler.messages.request import mapping_of
from crawler.settings.proxies import DIRECT, label
from crawler.transport.curl import CurlTransport
from crawler.transport.curl_options import accepted_codings
from crawler.transport.decoding import Decoder, make_decoder, parse_content_encoding
from crawler.transport.error_kinds import BOMB, ENDLESS
from crawler.transport.errors import translate
from crawler.transport.extensions import DEADLINE, EXTENSION, WireOptions
from crawler.transport.framing_watch import is_endless
from crawler.transport.lean import LeanRequest, LeanResponse

if TYPE_CHECKING:
    from crawler.fetch.auth import Auth, OriginAuth
    from crawler.fetch.body_receiver import BodyReceiver
    from crawler.fetch.proxies import Proxies
    from crawler.frontier.body_budget import BodyRoom
    from crawler.settings import Settings

__all__ = ["Downloader"]

GUESSED_SIZE: Final = 4
"""How many times as large as its arrived part a body of undeclared size is expected to be."""
NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""Exceptions that other transports raise before they send anything."""
BOMB_CHECK_STEP: Final = 8 * 1024 * 1024
"""Bytes of a decoded body between two comparisons with the bytes received."""
MAX_COMPRESSION: Final = 500
"""A decoded body may be this many times as large as the bytes received. Pages and tables stay below 100, gzip can reach
1032."""
DEFAULT_ACCEPT: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class Downloader:
    """Sends requests over a transport, with the cookies, credentials and proxies of the crawl.

    Parameters:
        transport: Any httpx transport.
        settings: User agent, deadlines and size limits.
        clock: Returns seconds since the epoch.
        proxies: The proxies of the crawl; `None` means that only requests name proxies.
        credentials: The credentials by origin; `None` means that only requests carry credentials.
        wants_wire: Whether `Response.wire` keeps the coded bodies.
        wants_stages: Whether `Response.stages` has the seconds of the stages.
    """

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
        self._wants_wire = wants_wire
        self._wants_stages = wants_stages
        self._decoded_by_curl: set[str] = set()  # origins that use codings that they were not offered
        self._is_curl = isinstance(transport, CurlTransport)
        defaults = {"User-Agent": settings.user_agent, "Accept": DEFAULT_ACCEPT}
        if self._is_curl:
            defaults["Accept-Encoding"] = "gzip, deflate" if wants_wire else accepted_codings()
        origins = StartOrigins()
        self._defaults = DefaultFields(defaults, settings.headers, origins)
        self.start_origins = origins if self._defaults.has_secrets else None
        """The origins that get the secret fields of the settings; `None` if there are no such fields."""

    async def fetch(
        self,
        request: Request,
        *,
        attempt: int = 1,
        on_sent: Callable[[float], None] | None = None,
        resend: bool = True,
        cut: int | None = None,
        receiver: BodyReceiver | None = None,
        room: BodyRoom | None = None,
    ) -> Response:
        """Return the response to a request, whatever its status.

        Parameters:
            request: The request.
            attempt: The number of the attempt, from 1.
            on_sent: Called when bytes may have gone out, with the time (`trio.current_time`) at which they did, and
                again if the request is sent again.
            resend: Whether an idempotent request may be sent again at once if a kept connection turns out to be closed;
                a lane that keeps a pace forbids it.
            cut: Bytes after which the rest of the body is ignored; no body is too large then. `None` means that the
                body must fit into `max_body`.
            receiver: Takes the body as it arrives. `None` means that it is kept in memory.
            room: Reserves memory for a large body. `None` means that there is enough.

        Raises:
            RequestError: The request failed, or the body is too large or a decompression bomb.
        """
        seconds = self.settings.request_deadline if request.timeout is None else request.timeout
        started = sent_at = trio.current_time()

        def sent() -> None:
            nonlocal sent_at
            if self._is_curl:  # other transports do not report it, so the start of the request counts
                sent_at = trio.current_time()
            if on_sent is not None:
                on_sent(sent_at)

        options = WireOptions(
            on_sent=sent if self._is_curl else None,  # for other transports `_send` calls it
            address_guard=self.address_guard,
            is_start_page=self.address_guard is not None and is_start_page(request),
            max_body=self._gathered(request, cut, receiver),
            resend=resend,
            decode=not self._wants_wire or urls.origin(request.url) in self._decoded_by_curl,
            complete_by=started + seconds,
            stages={} if self._wants_stages else None,
        )
        if room is not None:
            room.complete_by = options.complete_by
        try:
            response = await self._send_by_route(request, options, sent, cut, receiver, room)
        except FetchTimeout as error:
            if error.kind == DEADLINE:
                error.args = (f"no complete response within {seconds:g} s",)
            raise
        response.attempt = attempt
        headers_at = response.first_byte
        response.first_byte = max(0.0, headers_at - sent_at)
        response.elapsed = trio.current_time() - started
        if options.stages is not None:
            body = max(0.0, started + response.elapsed - headers_at)
            response.stages = options.stages | {"first_byte": response.first_byte, "body": body}
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

    def _send_by_route(
        self,
        request: Request,
        options: WireOptions,
        on_sent: Callable[[], None],
        cut: int | None,
        receiver: BodyReceiver | None,
        room: BodyRoom | None,
    ) -> Coroutine[Any, Any, Response]:
        """Send a request directly, through its own proxy, or through those of the crawl in turn."""
        proxy, proxies = request.proxy, self.proxies
        rotation = proxies.rotation_for(request.url) if proxies is not None and proxy is None else None
        send = self._send if self._is_curl else self._send_by_deadline
        if proxies is None or rotation is None:
            return send(request, options, on_sent, cut, receiver, room, None if proxy == DIRECT else proxy)
        from crawler.fetch.proxy_failover import with_failover  # noqa: PLC0415 - most crawls have no proxies

        attempt = partial(send, request, options, on_sent, cut, receiver, room)
        return with_failover(proxies, rotation, request, attempt, self._clock)

    async def _send_by_deadline(
        self,
        request: Request,
        options: WireOptions,
        on_sent: Callable[[], None],
        cut: int | None,
        receiver: BodyReceiver | None,
        room: BodyRoom | None,
        proxy: str | None,
    ) -> Response:
        """Send a request over a transport that does not know `WireOptions.complete_by`."""
        with trio.CancelScope(deadline=options.complete_by):
            return await self._send(request, options, on_sent, cut, receiver, room, proxy)
        late = FetchTimeout("the response was not complete by its deadline", request=request)
        late.kind = DEADLINE
        raise late

    async def _send(
        self,
        request: Request,
        options: WireOptions,
        on_sent: Callable[[], None],
        cut: int | None,
        receiver: BodyReceiver | None,
        room: BodyRoom | None,
        proxy: str | None,
    ) -> Response:
        sent = self._is_curl
        try:
            wire = self._to_httpx(request, options, proxy)
        except Exception as error:
            raise translate(error, request) from error
        try:
            received = await self.transport.handle_async_request(wire)
            if proxy is not None and request.url.startswith("http:"):
                from crawler.fetch.proxy_failover import raise_if_proxy_answered  # noqa: PLC0415 - most crawls have none

                await raise_if_proxy_answered(received, wire, proxy)
        except NOT_SENT as error:
            sent = True  # nothing was sent, so `on_sent` is not called
            raise translate(error, request) from error
        except RequestError as error:
            error.request = error.request or request
            raise
        except Exception as error:
            raise translate(error, request) from error
        finally:
            if not sent:
                on_sent()
        headers, headers_at = _received_headers(received)
        if "set-cookie" in headers and self.settings.cookies:  # before the body, which may break off
            self.cookies.store(request.session, request.url, headers.get_list("set-cookie"), self._clock())
        response = Response(request.url, received.status_code, headers, request=request)
        fields = wire.fields if isinstance(wire, LeanRequest) else wire.headers.raw
        response._exchange = (received.status_code, headers.pairs, fields, received.extensions, None, False)  # noqa: SLF001
        try:
            body = None if receiver is not None else self._arrived(received, response, cut)
            response.body = await self._take(received, response, cut, receiver, room) if body is None else body
            if room is not None and receiver is None and len(response.body) > LARGE_BODY:
                room.resize(len(response.body))
        except RequestError as error:
            _mark_response(error)
            raise
        except Exception as error:
            raise _mark_response(translate(error, request)) from error
        response.first_byte = headers_at
        return response

    def _to_httpx(self, request: Request, options: WireOptions, proxy: str | None) -> httpx.Request:
        """Return the request as the transport takes it."""
        defaults = self._defaults.of(request.url)
        fields = self._fields(request, defaults)
        encoded = defaults.encoded if fields is defaults.pairs else encode_fields(fields)
        extensions: dict[str, Any] = {EXTENSION: options, "proxy": proxy} if proxy else {EXTENSION: options}
        if not self._is_curl:
            content = request.body or None
            return httpx.Request(request.method, request.url, headers=encoded, content=content, extensions=extensions)
        return LeanRequest(request.method, request.url, encoded, request.body, extensions)

    def _arrived(self, received: httpx.Response, response: Response, cut: int | None) -> bytes | None:
        """Return the decoded body if it has arrived together with the response, as that of most pages; else `None`."""
        if self._wants_wire or not isinstance(received, LeanResponse) or not received.is_decoded:
            return None
        body = received.take_body()
        if body is not None and cut is None:
            max_body = self._max_body(response.request)
            if len(body) > min(max_body, BOMB_CHECK_STEP):
                _check_size(len(body), max_body, received.stream, response.request)
        return body

    def _take(
        self,
        received: httpx.Response,
        response: Response,
        cut: int | None,
        receiver: BodyReceiver | None,
        room: BodyRoom | None,
    ) -> Coroutine[Any, Any, bytes]:
        """Return the body of a response, or empty if its receiver has taken it."""
        if receiver is not None:
            return self._receive(received, response, receiver)
        return self._read(received, response, self._max_body(response.request), cut, room=room if cut is None else None)

    async def _receive(self, received: httpx.Response, response: Response, receiver: BodyReceiver) -> bytes:
        """Hand the body to its receiver as it arrives. Return what the receiver wants to be kept."""
        request, max_body = response.request, self._max_body(response.request)
        try:
            writer = await receiver.open(response)
        except BaseException:
            await self._stream(received).aclose()  # noqa: ASYNC102 - it does not wait, or not long
            raise
        if writer is None:
            return await self._read(received, response, min(max_body, self.settings.max_body))
        response._exchange = response._wire = None  # noqa: SLF001 - without its body, it is not what the server sent
        if isinstance(writer, Drop):
            await self._stream(received).aclose()
            return b""
        return await self._read(received, response, max_body, write=partial(receiver.write, writer, request=request))

    async def _read(
        self,
        received: httpx.Response,
        response: Response,
        max_body: int,
        cut: int | None = None,
        *,
        write: Callable[[bytes], Awaitable[object]] | None = None,
        room: BodyRoom | None = None,
    ) -> bytes:
        """Return the decoded body, at most as much of it as is allowed; empty if it is written instead."""
        request, headers = response.request, response.headers
        next_check = min(max_body, BOMB_CHECK_STEP)
        whole: io.BytesIO | None = None  # joining a list of pieces would hold the body twice
        size, reserve_at = 0, math.inf if room is None else LARGE_BODY
        decoder = _decoder_for(received) if "content-encoding" in headers else None
        stream = self._stream(received)
        try:
            if self._wants_wire:
                decoder = self._recording(received, decoder, request, keeps=write is None)
            async for chunk in stream:
                for piece in (chunk,) if decoder is None else decoder.feed(chunk):
                    size += len(piece)
                    if size > next_check and cut is None:
                        next_check = _check_size(size, max_body, decoder or stream, request)
                    if write is not None:
                        await write(piece)
                    else:
                        whole = _appended(whole, piece)
                if cut is not None and size > cut:
                    break
                if room is not None and size > reserve_at:
                    reserve_at = _expected_size(headers, size, max_body)
                    await _reserve(room, reserve_at)
                if decoder is not None and is_endless(decoder.received, size):
                    raise _endless(request)
        except zlib.error as error:
            coding = headers["content-encoding"]
            broken = BrokenExchange(f"the body is not {coding}: {error}", request=request)
            broken.retryable = False
            raise broken from error
        finally:
            await stream.aclose()  # noqa: ASYNC102 - it does not wait, or not long
        body = b"" if whole is None else whole.getvalue()
        if self._wants_wire and write is None:
            from crawler.fetch.wire_body import keep_wire_body  # noqa: PLC0415 - few crawls need it

            keep_wire_body(received, response, decoder, body, is_complete=cut is None or size <= cut)
        return body

    def _recording(
        self, received: httpx.Response, decoder: Decoder | None, request: Request, *, keeps: bool
    ) -> Decoder | None:
        """Return a decoder that keeps the coded body. libcurl decodes for origins that use codings unasked.

        Raises:
            BrokenExchange: The body has such a coding; the next attempt succeeds, without the coded body.
        """
        from crawler.fetch.wire_body import RecordingDecoder, coding_for_libcurl  # noqa: PLC0415 - few crawls need it

        if decoder is not None:
            return RecordingDecoder(decoder) if keeps else decoder
        coding = coding_for_libcurl(received)
        if coding and self._is_curl:
            self._decoded_by_curl.add(urls.origin(request.url))
            error = BrokenExchange(f"the body is {coding}, which was not asked for", request=request)
            error.kind = "bad_coding"
            raise error
        return None

    def _stream(self, received: httpx.Response) -> httpx.AsyncByteStream:
        """Return the body of a response as it comes."""
        stream = received.stream if self._is_curl else OtherStream(received)
        assert isinstance(stream, httpx.AsyncByteStream)
        return stream

    def _gathered(self, request: Request, cut: int | None, receiver: BodyReceiver | None) -> float:
        """Return the size up to which a transport may gather a body; infinite if it is to be written piece by piece."""
        if receiver is not None:
            return math.inf
        return self._max_body(request) if cut is None else cut

    def _max_body(self, request: Request) -> int:
        """Return the bytes that the decoded body may have."""
        return self.settings.max_body if request.max_body is None else request.max_body

    def _fields(self, request: Request, defaults: FieldSet) -> list[tuple[str, str]]:
        """Return the header fields in order: those of the request replace the defaults, empty ones are left out."""
        fields, own = defaults.pairs, request.headers
        if own.pairs:
            fields = override_fields(fields, own)
        auth: Auth | None = request.auth
        if auth is None and self.credentials is not None:
            auth = self.credentials.for_url(request.url)
        if auth is not None and "authorization" not in own:
            fields = [pair for pair in fields if pair[0].lower() != "authorization"]
            if not isinstance(auth, httpx.Auth):
                fields.append(("Authorization", _authorization(auth)))
        cookies = "" if own.pairs and "cookie" in own else self._cookies(request, defaults.cookies)
        return [*fields, ("Cookie", cookies)] if cookies else fields

    def _cookies(self, request: Request, defaults: str) -> str:
        """Return the cookies as a ``Cookie`` value: those of the request, else of the session, else of the settings."""
        given, kept = mapping_of(request, "cookies"), ""
        if self.cookies:
            kept = self.cookies.header(request.session, request.url, self._clock(), without=given)
        if not given and not defaults:
            return kept
        known = given.keys() | {pair.partition("=")[0] for pair in kept.split("; ")}
        pairs = [pair for pair in defaults.split("; ") if pair and pair.partition("=")[0] not in known]
        return "; ".join([*pairs, *([kept] if kept else []), *(f"{name}={value}" for name, value in given.items())])


def _appended(whole: io.BytesIO | None, piece: bytes) -> io.BytesIO:
    """Return a buffer with one more piece of a body."""
    if whole is None:
        whole = io.BytesIO(piece)  # no copy
        whole.seek(0, io.SEEK_END)
    else:
        whole.write(piece)
    return whole


async def _reserve(room: BodyRoom, size: int) -> None:
    """Wait until there is memory for a body, or the deadline of its request has passed."""
    granted = room.reserve(size)
    if granted is not None:
        with trio.move_on_at(room.complete_by):
            await granted.wait()


def _expected_size(headers: Headers, size: int, max_body: int) -> int:
    """Return the size of a body of which `size` bytes have arrived: as declared, or a guess."""
    declared = headers.get("content-length", "")
    if "content-encoding" not in headers and declared.isascii() and declared.isdigit() and len(declared) < 20:
        return min(max(int(declared), size), max_body)
    return min(GUESSED_SIZE * size, max_body)


def _endless(request: Request) -> BrokenExchange:
    error = BrokenExchange("the server sends compressed data without content and without end", request=request)
    error.kind = ENDLESS
    return error


def _mark_response(error: RequestError) -> RequestError:
    """Note that the header section of a response had arrived before an error."""
    if isinstance(error, FetchError):
        error.has_response = True
    return error


def _received_headers(received: httpx.Response) -> tuple[Headers, float]:
    """Return the header fields as received, and seconds on trio's clock at which they were complete."""
    if isinstance(received, LeanResponse):
        return received.received, received.headers_at
    fields = received.extensions.get("wire_headers", received.headers.raw)
    return Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]), trio.current_time()


def _decoder_for(received: httpx.Response) -> Decoder | None:
    """Return a decoder for the content codings; `None` if libcurl or httpx decode them, or one is unknown."""
    is_decoded = isinstance(received, LeanResponse) and received.is_decoded
    if is_decoded or received.is_stream_consumed or "content-encoding" not in received.headers:
        return None
    return make_decoder(parse_content_encoding(received.headers.get_list("content-encoding")))


def _authorization(auth: tuple[str, str] | str) -> str:
    """Return an ``Authorization`` value: Basic in UTF-8 (RFC 7617 section 2.1), or the text as it is."""
    return auth if isinstance(auth, str) else f"Basic {base64.b64encode(':'.join(auth).encode()).decode()}"


def _check_size(size: int, max_body: int, source: object, request: Request) -> int:
    """Check a body of which `size` bytes are decoded; return the size at which to check it again.

    Raises:
        BodyTooLarge: It is larger than allowed, or a decompression bomb.
    """
    if size > max_body:
        raise BodyTooLarge(f"the body is larger than {max_body} bytes", request=request)
    received = getattr(source, "received", 0)  # other transports do not report it
    if 0 < received * MAX_COMPRESSION < size:
        words = f"{received} bytes unpack to more than {size}: a decompression bomb"
        bomb = BodyTooLarge(words, request=request)
        bomb.kind = BOMB
        raise bomb
    return min(max_body, size + BOMB_CHECK_STEP)
