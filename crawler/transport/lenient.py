"""`send_leniently`: reads responses that browsers accept and libcurl rejects: header lines without a colon, or with CR.

libcurl has no option for them. The request is sent once more over a connection of our own, to the address that libcurl
was connected to, and a `LenientHTTP11Parser` reads the response. Requests with a proxy or a body, and HTTP/2, which has
no such lines, are left to libcurl.
"""

from __future__ import annotations

import math
import os
import re
import ssl
from typing import Final, Self

import certifi
import httpx
import trio

from crawler.transport.errors import transport_error
from crawler.transport.extensions import wire_options
from crawler.transport.lean import LeanRequest, Target
from crawler.transport.lenient_parser import LenientHTTP11Parser, ParseError
from crawler.transport.transfer import parse_fields, parse_status_line

__all__ = ["can_send_leniently", "is_tolerable", "send_leniently", "tls_context"]

TOLERABLE: Final = re.compile("without colon|carriage return", re.IGNORECASE)
"""Words of libcurl about lines that browsers accept."""
METHODS: Final = ("GET", "HEAD")
REPLACED_FIELDS: Final = (b"connection", b"accept-encoding", b"host")
READ_SIZE: Final = 65_536
FINAL_KINDS: Final = ("bad_header", "headers_too_large")
"""Kinds that the next attempt would meet again."""
Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


def is_tolerable(error: httpx.RequestError) -> bool:
    """Return whether libcurl failed at a line that browsers accept."""
    return TOLERABLE.search(str(error)) is not None


def can_send_leniently(request: httpx.Request) -> bool:
    """Return whether a request goes directly to its server and is safe to repeat."""
    return request.method in METHODS and not request.extensions.get("proxy")


def tls_context(verify: bool | str | os.PathLike[str]) -> ssl.SSLContext:
    """Return the TLS settings of libcurl for Python's own TLS.

    Parameters:
        verify: Whether certificates are verified, or the path of a file with trusted authorities.
    """
    context = ssl.create_default_context(cafile=certifi.where() if isinstance(verify, bool) else os.fspath(verify))
    if verify is False:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


async def send_leniently(
    request: httpx.Request,
    target: Target,
    address: str,
    *,
    tls: ssl.SSLContext | None,
    connect_timeout: float,
    max_headers: int,
    is_resend: bool = False,
) -> httpx.Response:
    """Send a request and return the response as soon as its headers are complete.

    Parameters:
        request: A GET or HEAD. Of its extensions ``timeout`` (``read``) and `WireOptions.on_sent` count.
        target: Where it goes.
        address: The IP address to connect to.
        tls: The TLS settings; `None` means no TLS.
        connect_timeout: Seconds for connecting, including TLS.
        max_headers: Bytes of header lines, at most.
        is_resend: Whether the request was sent before, so that `WireOptions.on_sent` was called.

    Raises:
        httpx.RequestError: The request failed.
    """
    try:
        with trio.fail_after(connect_timeout):
            stream = await _connect(target, address, tls)
    except (OSError, trio.BrokenResourceError) as error:
        words = f"no connection to {address}: {error}"
        raise transport_error(httpx.ConnectError, words, request=request, sent=False) from error
    except trio.TooSlowError:
        words = f"no connection to {address} within {connect_timeout:g} s"
        raise transport_error(httpx.ConnectTimeout, words, request=request, sent=False, kind="connect") from None
    parser = LenientHTTP11Parser(has_body=request.method != "HEAD", max_headers=max_headers)
    body = LenientBody(request, stream, parser)
    try:
        on_sent = None if is_resend else wire_options(request).on_sent
        if on_sent is not None:
            on_sent()
        return await body.response(address)
    except BaseException:
        await body.aclose()  # noqa: ASYNC102 - it does not wait
        raise


async def _connect(target: Target, address: str, tls: ssl.SSLContext | None) -> Stream:
    plain = await trio.open_tcp_stream(address, target.port)
    if tls is None:
        return plain
    stream = trio.SSLStream(plain, tls, server_hostname=target.host, https_compatible=True)
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


class LenientBody(httpx.AsyncByteStream):
    """One exchange over a connection of its own, and the body of the response.

    Parameters:
        request: The request.
        stream: The connection, which is closed at the end.
        parser: Reads what the server sends.
    """

    def __init__(self, request: httpx.Request, stream: Stream, parser: LenientHTTP11Parser) -> None:
        self._request = request
        self._stream = stream
        self._parser = parser
        self._body = b""  # not yet read
        timeout = request.extensions.get("timeout")
        read = timeout.get("read") if timeout else None
        self._read_timeout = math.inf if read is None else read

    async def response(self, address: str) -> httpx.Response:
        """Send the request and read the headers of the response."""
        try:
            await self._stream.send_all(_request_head(self._request))
        except trio.BrokenResourceError as error:
            raise self._failure("the connection broke", "reset") from error
        while not self._parser.has_headers:
            self._body += await self._receive()
        version, status, reason = parse_status_line(self._parser.lines[0])
        fields = parse_fields(self._parser.lines[1:])
        extensions = {
            "http_version": version,
            "reason_phrase": reason,
            "wire_headers": fields,
            "primary_ip": address,
        }
        delivered = [(name, value) for name, value in fields if name.lower() != b"transfer-encoding"]
        return httpx.Response(status, headers=delivered, stream=self, extensions=extensions, request=self._request)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next bytes of the body, not decoded.

        Raises:
            httpx.RequestError: The body is incomplete, and no more will come.
        """
        while not self._body:
            if self._parser.is_complete:
                await self.aclose()
                raise StopAsyncIteration
            self._body = await self._receive()
        body, self._body = self._body, b""
        return body

    async def aclose(self) -> None:
        """Close the connection. Never waits."""
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(self._stream)

    async def _receive(self) -> bytes:
        """Return the part of the body in the next bytes that come; close the connection on an error."""
        try:
            return await self._receive_some()
        except httpx.RequestError:
            await self.aclose()
            raise

    async def _receive_some(self) -> bytes:
        try:
            with trio.fail_after(self._read_timeout):
                data = await self._stream.receive_some(READ_SIZE)
            if data:
                return self._parser.feed(bytes(data))
            self._parser.end()
        except ParseError as error:
            raise self._failure(str(error), error.kind) from None
        except trio.TooSlowError:
            words = f"the server sent nothing for {self._read_timeout:g} s"
            raise transport_error(httpx.ReadTimeout, words, request=self._request, sent=True, kind="read") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._failure("the connection broke", "reset") from error
        return b""

    def _failure(self, words: str, kind: str) -> httpx.RequestError:
        retryable = False if kind in FINAL_KINDS else None
        return transport_error(
            httpx.RemoteProtocolError, words, request=self._request, sent=True, retryable=retryable, kind=kind
        )


def _request_head(request: httpx.Request) -> bytes:
    """Return the request as sent, with its own fields except those of the connection."""
    fields = request.fields if isinstance(request, LeanRequest) else request.headers.raw
    host = next((value for name, value in fields if name.lower() == b"host"), request.url.netloc)
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path), b"Host: " + host]
    lines += [b"%b: %b" % (name, value) for name, value in fields if name.lower() not in REPLACED_FIELDS]
    lines += [b"Accept-Encoding: gzip, deflate", b"Connection: close"]
    return b"\r\n".join(lines) + b"\r\n\r\n"
