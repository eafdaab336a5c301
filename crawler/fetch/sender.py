"""`Sender`: sends requests over libcurl, or over any other transport of httpx. Each returns a `Received`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any, Final, Protocol, cast

import httpx
import trio

from crawler.headers import Headers
from crawler.transport.curl import CurlTransport
from crawler.transport.transfer import Transfer
from crawler.transport.wire import LeanRequest, wire_options

__all__ = ["CurlSender", "HttpxSender", "HttpxStream", "Received", "Sender"]

NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""Exceptions that other transports raise before they send anything."""


class Received(Protocol):
    """A response whose headers are complete. `Transfer` is one."""

    status: int
    """Status code."""
    headers: Headers
    """Header fields as received."""
    sent_at: float
    """Seconds on trio's clock at which the request went out, as far as the transport reports that, else began."""
    headers_at: float
    """Seconds on trio's clock at which the header fields were complete."""

    @property
    def extensions(self) -> dict[str, Any]:
        """The extensions of `httpx.Response`."""
        ...

    @property
    def is_coded(self) -> bool:
        """Whether the body is delivered in a content coding."""
        ...

    @property
    def stream(self) -> httpx.AsyncByteStream:
        """The body as it comes."""
        ...

    def take_body(self) -> bytes | None:
        """Return the body, once, if it has arrived together with the headers; else `None`."""
        ...


class Sender(Protocol):
    """Sends requests over one kind of transport."""

    is_curl: bool
    """Whether it knows `WireOptions`: it reports when a request goes out, and keeps its deadline."""

    def send(self, request: LeanRequest) -> Awaitable[Received]:
        """Send a request with `WireOptions`, and return the response as soon as its headers are complete."""
        ...


class CurlSender:
    """Sends requests over libcurl."""

    is_curl = True

    def __init__(self, transport: CurlTransport) -> None:
        self._transport = transport

    def send(self, request: LeanRequest) -> Awaitable[Transfer]:
        """See `Sender`."""
        if "proxy" in request.extensions and request.address.startswith("http:"):
            return self._send_through(request, request.extensions["proxy"])
        return self._transport.exchange(request)

    async def _send_through(self, request: LeanRequest, proxy: str) -> Transfer:
        from crawler.fetch.proxy_failover import raise_if_proxy_answered  # noqa: PLC0415 - most crawls have none

        transfer = await self._transport.exchange(request)
        await raise_if_proxy_answered(transfer.as_response(), request, proxy)
        return transfer


class HttpxSender:
    """Sends requests over a transport that knows neither `WireOptions` nor `LeanRequest`."""

    is_curl = False

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def send(self, request: LeanRequest) -> HttpxReceived:
        """See `Sender`. The transport does not report when bytes go out, so the start counts."""
        started = trio.current_time()
        extensions, content = request.extensions, request.body or None
        wire = httpx.Request(
            request.method, request.address, headers=request.fields, content=content, extensions=extensions
        )
        options, proxy = wire_options(wire), extensions.get("proxy")
        was_sent = True
        try:
            response = await self._transport.handle_async_request(wire)
            if proxy is not None and request.address.startswith("http:"):
                from crawler.fetch.proxy_failover import raise_if_proxy_answered  # noqa: PLC0415 - most have none

                await raise_if_proxy_answered(response, wire, proxy)
        except NOT_SENT:
            was_sent = False
            raise
        finally:
            if was_sent and options.on_sent is not None:
                options.on_sent(started)
        return HttpxReceived(response, started)


class HttpxReceived:
    """A response of such a transport."""

    def __init__(self, response: httpx.Response, sent_at: float) -> None:
        self._response = response
        self.sent_at = sent_at
        self.status = response.status_code
        fields = response.extensions.get("wire_headers", response.headers.raw)
        self.headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields])
        self.headers_at = trio.current_time()

    @property
    def extensions(self) -> dict[str, Any]:
        """See `Received`."""
        return self._response.extensions

    @property
    def is_coded(self) -> bool:
        """See `Received`."""
        return not self._response.is_stream_consumed and "content-encoding" in self._response.headers

    @property
    def stream(self) -> httpx.AsyncByteStream:
        """See `Received`."""
        return HttpxStream(self._response)

    def take_body(self) -> bytes | None:
        """See `Received`."""
        return None


class HttpxStream(httpx.AsyncByteStream):
    """The body of a response, without the content codings that httpx has decoded already."""

    def __init__(self, received: httpx.Response) -> None:
        self._received = received
        chunks = received.aiter_bytes() if received.is_stream_consumed else received.aiter_raw()
        self._chunks = cast("AsyncGenerator[bytes, None]", chunks)  # annotated as an iterator, it is a generator

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        """Close the response, in a cancelled scope too.

        httpx and httpcore nest generators without closing the inner ones. Reading on after the end of the closed stream
        lets each of them raise, and so end.
        """
        with trio.move_on_after(1.0, shield=True), suppress(Exception):  # seconds that closing a response may take
            await self._received.aclose()
            # Chunks that a closed response may still yield before it raises.
            for _ in range(1000):  # the chunks buffered already come before the exception
                await anext(self._chunks)
        await self._chunks.aclose()
