"""`LenientTransfer`: reads header lines that browsers accept and libcurl rejects: without a colon, or with a CR.

libcurl has no option for them. The request is sent once more: libcurl opens a connection as for every request, with
the same proxy and TLS options, but sends no HTTP itself (CURLOPT_CONNECT_ONLY). Its ``send`` and ``recv`` carry the
bytes, and a `LenientHTTP11Parser` reads the response. libcurl alone handles requests with a body, HTTP/2, which has no
such lines, and ``http`` URLs through an HTTP proxy, which forwards messages instead of bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import pycurl
import trio

from crawler.transport.error_kinds import CLOSED, kind_of_code
from crawler.transport.lenient_parser import LenientHTTP11Parser, ParseError
from crawler.transport.transfer import Transfer
from crawler.transport.wire import LeanRequest

__all__ = ["LenientTransfer", "can_send_leniently", "is_tolerable"]

TOLERABLE: Final = re.compile("without colon|carriage return", re.IGNORECASE)
"""Words of libcurl about lines that browsers accept."""
METHODS: Final = ("GET", "HEAD")
REPLACED_FIELDS: Final = (b"connection", b"host")
FINAL_KINDS: Final = ("bad_header", "headers_too_large")
"""Kinds that the next attempt would meet again."""


def is_tolerable(error: httpx.RequestError) -> bool:
    """Return whether libcurl failed at a line that browsers accept."""
    return TOLERABLE.search(str(error)) is not None


def can_send_leniently(request: httpx.Request, *, body: bytes, proxy: httpx.URL | None) -> bool:
    """Return whether a request may be repeated and has a connection of its own to its server, perhaps tunnelled."""
    if request.method not in METHODS or body:
        return False
    return proxy is None or proxy.scheme.startswith("socks") or request.url.scheme == "https"


class LenientTransfer(Transfer):
    """A GET or HEAD over a connection of its own, whose response is parsed here."""

    connect_only = True

    def __init__(self, request: httpx.Request, *, max_headers: int, **options: Any) -> None:
        super().__init__(request, max_headers=max_headers, **options)
        self._max_size = math.inf  # the body is delivered as it comes
        self._socket: int | None = None  # the descriptor, while connected
        self._unsent = _request_head(request)
        self._parser = LenientHTTP11Parser(has_body=request.method != "HEAD", max_headers=max_headers)

    def end(self, code: int = pycurl.E_OK, message: str = "", os_errno: int = 0) -> None:
        """Note that libcurl has connected, or end the transfer with its error."""
        if code == pycurl.E_OK:
            self._socket = self.curl.getinfo(pycurl.ACTIVESOCKET)
            self._wake()
        else:
            super().end(code, message, os_errno)

    def detach(self) -> None:
        """Wake the waiting task before libcurl closes the socket."""
        super().detach()
        if self._socket is not None:
            trio.lowlevel.notify_closing(self._socket)
            self._socket = None

    @property
    def received(self) -> int:
        """Bytes of the body received so far."""
        return self._body_size

    async def wait(self) -> None:
        """Wait until libcurl has connected; after that, send the request and parse the next bytes that come."""
        if self._socket is None:
            await super().wait()
            return
        try:
            with trio.fail_at(min(trio.current_time() + self._timeout(), self.complete_by)):
                data = await self._exchange()
            self._parse(data)
        except ParseError as error:
            retryable = False if error.kind in FINAL_KINDS else None
            self.fail(self._failure(httpx.RemoteProtocolError, str(error), retryable=retryable, kind=error.kind))
        except pycurl.error:
            self.fail(self._failure(httpx.RemoteProtocolError, "the connection broke", kind="reset"))
        except trio.TooSlowError:
            if trio.current_time() >= self.complete_by:
                self.fail(self.late())
            message = f"the server sent nothing for {self._timeout():g} s"
            self.fail(self._failure(httpx.ReadTimeout, message, kind="read"))
        except trio.ClosedResourceError:
            return  # another task closed the response, and set the error
        if self._ended:
            self._drop(self)

    async def _exchange(self) -> bytes:
        """Send what is left of the request, and return the next bytes that come; none at the end."""
        await trio.lowlevel.checkpoint()  # a fast server may never let `recv` wait
        while self._unsent:
            size = await self._call("send", self._unsent, trio.lowlevel.wait_writable)
            self._unsent = self._unsent[size:]
        try:
            return bytes(await self._call("recv", 65_536, trio.lowlevel.wait_readable))
        except pycurl.error as error:
            code, message = error.args
            if kind_of_code(code, message, 0) == CLOSED:  # without a TLS close_notify
                return b""
            raise

    async def _call(self, method: str, argument: object, until_ready: Callable[[int], Awaitable[None]]) -> Any:
        """Call a method of the handle as soon as the socket is ready for it."""
        while self._socket is not None:
            try:
                return getattr(self.curl, method)(argument)
            except BlockingIOError:
                await until_ready(self._socket)
        raise trio.ClosedResourceError

    def _parse(self, data: bytes) -> None:
        if not data:
            self._parser.end()
        elif body := self._parser.feed(data):
            self._chunks.append(body)
            self._chunks_size += len(body)
            self._body_size += len(body)
        if self._parser.has_headers and not self._has_headers:
            self._take_headers([line + b"\n" for line in self._parser.lines])
        if self._parser.is_complete:
            self._finish()


def _request_head(request: httpx.Request) -> bytes:
    """Return the request as sent, with its own fields except those of the connection."""
    fields = request.fields if isinstance(request, LeanRequest) else request.headers.raw
    host = next((value for name, value in fields if name.lower() == b"host"), request.url.netloc)
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path), b"Host: " + host]
    lines += [b"%b: %b" % (name, value) for name, value in fields if name.lower() not in REPLACED_FIELDS]
    return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n"
