"""`ask_leniently`: reads what libcurl refuses and browsers do not: header lines without a colon, CR within a line.

libcurl has no option for them. A server that sends such lines is asked once more, over a connection of our own to the
address that libcurl was connected to, and `LenientHTTP11Parser` reads its answer. Proxies, request bodies and HTTP/2
(which has no such lines) are left to libcurl.
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

__all__ = ["ask_leniently", "is_bad_line", "may_be_lenient", "tls_context"]

BAD_LINE: Final = re.compile("without colon|carriage return", re.IGNORECASE)
METHODS: Final = ("GET", "HEAD")
OURS: Final = (b"connection", b"accept-encoding", b"host")
PIECE: Final = 65_536
FINAL: Final = ("bad_header", "headers_too_large")
Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


def is_bad_line(error: httpx.RequestError) -> bool:
    """Whether libcurl gave up at a line that browsers take."""
    return BAD_LINE.search(str(error)) is not None


def may_be_lenient(request: httpx.Request) -> bool:
    """Whether a request can be sent like that: directly, and it changes nothing."""
    return request.method in METHODS and not request.extensions.get("proxy")


def tls_context(verify: bool | str | os.PathLike[str]) -> ssl.SSLContext:
    """What libcurl is told about TLS, for Python's own.

    Parameters:
        verify: whether certificates are verified, or the file of the authorities that are trusted.
    """
    context = ssl.create_default_context(cafile=certifi.where() if isinstance(verify, bool) else os.fspath(verify))
    if verify is False:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


async def ask_leniently(
    request: httpx.Request,
    target: Target,
    address: str,
    *,
    tls: ssl.SSLContext | None,
    connect_timeout: float,
    max_headers: int,
    again: bool = False,
) -> httpx.Response:
    """The answer, as soon as its headers are complete.

    Parameters:
        request: a GET or HEAD. Of its extensions ``timeout`` (``read``) and ``on_sent`` count.
        target: where it goes.
        address: the IP address to connect to.
        tls: how; `None`: without TLS.
        connect_timeout: seconds for connecting, TLS included.
        max_headers: bytes of header lines that may come.
        again: whether it was sent before, so that ``on_sent`` was called.

    Raises:
        httpx.RequestError: there is none.
    """
    try:
        with trio.fail_after(connect_timeout):
            stream = await _connect(target, address, tls)
    except (OSError, trio.BrokenResourceError) as error:
        raise transport_error(
            httpx.ConnectError, f"no connection to {address}: {error}", request=request, sent=False
        ) from error
    except trio.TooSlowError:
        words = f"no connection to {address} within {connect_timeout:g} s"
        raise transport_error(httpx.ConnectTimeout, words, request=request, sent=False, kind="connect") from None
    answer = LenientHTTP11Parser(has_body=request.method != "HEAD", max_headers=max_headers)
    body = LenientBody(request, stream, answer)
    try:
        on_sent = None if again else wire_options(request).on_sent
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
    """One exchange, and the body of its answer.

    Parameters:
        request: what is asked.
        stream: the connection; it is closed at the end.
        answer: reads what comes.
    """

    def __init__(self, request: httpx.Request, stream: Stream, answer: LenientHTTP11Parser) -> None:
        self._request = request
        self._stream = stream
        self._answer = answer
        self._body = b""  # what came with the headers
        timeout = request.extensions.get("timeout")
        read = timeout.get("read") if timeout else None
        self._patience = math.inf if read is None else read

    async def response(self, address: str) -> httpx.Response:
        """Sends the request and reads the headers."""
        try:
            await self._stream.send_all(_head(self._request))
        except trio.BrokenResourceError as error:
            raise self._broken("the connection broke", "reset") from error
        while not self._answer.headed:
            self._body += await self._more()
        version, status, reason = parse_status_line(self._answer.lines[0])
        fields = parse_fields(self._answer.lines[1:])
        extensions = {
            "http_version": version,
            "reason_phrase": reason,
            "wire_headers": fields,
            "primary_ip": address,
        }
        described = [(name, value) for name, value in fields if name.lower() != b"transfer-encoding"]
        return httpx.Response(status, headers=described, stream=self, extensions=extensions, request=self._request)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next bytes of the body, its coding not undone.

        Raises:
            httpx.RequestError: no more will come, although there should be more.
        """
        while not self._body:
            if self._answer.complete:
                await self.aclose()
                raise StopAsyncIteration
            self._body = await self._more()
        body, self._body = self._body, b""
        return body

    async def aclose(self) -> None:
        """Be done with it. Never waits."""
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(self._stream)

    async def _more(self) -> bytes:
        """What is of the body in the next bytes that come; after an error the connection is closed."""
        try:
            return await self._read()
        except httpx.RequestError:
            await self.aclose()
            raise

    async def _read(self) -> bytes:
        try:
            with trio.fail_after(self._patience):
                data = await self._stream.receive_some(PIECE)
            if data:
                return self._answer.feed(bytes(data))
            self._answer.end()
        except ParseError as error:
            raise self._broken(str(error), error.kind) from None
        except trio.TooSlowError:
            words = f"the server sent nothing for {self._patience:g} s"
            raise transport_error(httpx.ReadTimeout, words, request=self._request, sent=True, kind="read") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._broken("the connection broke", "reset") from error
        return b""

    def _broken(self, words: str, kind: str) -> httpx.RequestError:
        final = False if kind in FINAL else None
        return transport_error(
            httpx.RemoteProtocolError, words, request=self._request, sent=True, retryable=final, kind=kind
        )


def _head(request: httpx.Request) -> bytes:
    """The request as it is sent: every field but those of the connection, which are ours."""
    fields = request.fields if isinstance(request, LeanRequest) else request.headers.raw
    host = next((value for name, value in fields if name.lower() == b"host"), request.url.netloc)
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path), b"Host: " + host]
    lines += [b"%b: %b" % (name, value) for name, value in fields if name.lower() not in OURS]
    lines += [b"Accept-Encoding: gzip, deflate", b"Connection: close"]
    return b"\r\n".join(lines) + b"\r\n\r\n"
