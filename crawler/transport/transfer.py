"""`Transfer`: one request on its way through libcurl, and the body of its response as an httpx stream.

libcurl calls the ``on_…`` methods from inside its own code, where no exception may be raised and none of its functions
called: they record what arrived and wake the one waiting task. That task calls the other methods. A transfer is built
from two simpler ideas: `ReceivedBody`, what has arrived of a body, and `Awaited`, the wait for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar, Final, Self

import httpx
import pycurl
import trio
from msgspec.structs import replace
from trio.lowlevel import enable_ki_protection

from crawler.headers import Headers, ReceivedHeaders
from crawler.http.retry_safety import is_idempotent
from crawler.lazy_pattern import lazy_pattern
from crawler.transport.decoding import make_decoder, parse_content_encoding
from crawler.transport.error_kinds import CLOSED, ENDLESS, INCOMPLETE, kind_of_code
from crawler.transport.errors import curl_error, transport_error
from crawler.transport.received_body import WRITEFUNC_ERROR, ReceivedBody
from crawler.transport.wire import (
    DEADLINE,
    STALE,
    ProxyFault,
    delivered_fields,
    failure_of,
    set_failure,
    wire_options,
)

__all__ = ["Transfer", "parse_status_line"]

PREREQFUNC_OK: Final[int] = pycurl.PREREQFUNC_OK
PREREQFUNC_ABORT: Final[int] = pycurl.PREREQFUNC_ABORT
SEEKFUNC_OK: Final[int] = pycurl.SEEKFUNC_OK
STREAM_REFUSED: Final = lazy_pattern(rb"HTTP/[23] stream \d+ refused by server")
"""What libcurl says of a stream with REFUSED_STREAM, or after the last one of a GOAWAY."""
INTERIM: Final = re.compile(rb"\S+ 1(?!01)")
"""An interim response (RFC 9110 section 15.2). 101 is not one: it is the last response in this protocol."""
ALL_STALE: Final = "Connection died, tried"
"""What libcurl says when several kept connections in a row were closed."""
NO_TIMEOUT: Final[dict[str, float | None]] = {}


class Transfer(ReceivedBody, httpx.AsyncByteStream):
    """One transfer."""

    __slots__ = (
        "_drop", "_has_headers", "_lines", "_lines_size", "_max_headers", "_primary_ip", "_read_timeout", "_reason",
        "_sent_size", "_version", "_was_refused", "_write_timeout", "body", "clock", "complete_by", "curl", "headers",
        "headers_at", "is_coded", "needs_reset", "new_connection", "options", "peer", "proxy", "proxy_fault", "request",
        "sent", "sent_at", "stages", "status", "status_line", "used_kept_connection", "was_inspected",
    )  # fmt: skip

    connect_only: ClassVar = False
    """Whether libcurl only connects; it then keeps the transfer until that is dropped."""
    headers: Headers
    """The header fields of the response, as received."""

    def __init__(
        self,
        request: httpx.Request,
        *,
        body: bytes,
        proxy: httpx.URL | None,
        buffer: int,
        max_headers: int,
        drop: Callable[[Transfer], None],
        new_connection: bool = False,
    ) -> None:
        self.options = options = wire_options(request)
        timeout: dict[str, float | None] = request.extensions.get("timeout") or NO_TIMEOUT
        self._read_timeout, self._write_timeout = timeout.get("read"), timeout.get("write")
        is_timed = self._read_timeout is not None or self._write_timeout is not None
        super().__init__(buffer=buffer, max_size=options.max_body, is_timed=is_timed)
        self.request = request
        self.body = body
        self.proxy = proxy
        self.new_connection = new_connection
        self.complete_by = options.complete_by
        self.stages = options.stages
        self._max_headers = max_headers
        self._drop = drop
        # Slots instead of defaults in the class: an attribute that an object does not have takes longest to read.
        self.curl: Any = None
        """The handle, while libcurl has the transfer."""
        self.needs_reset = False
        """Whether the handle must be reset before its next request."""
        self.clock: Callable[[], float] = trio.current_time
        """Returns the seconds on trio's clock."""
        self.proxy_fault: ProxyFault | None = None
        self.peer: tuple[str, tuple[str, ...]] | None = None
        """The host to connect to, the site or its proxy, and its addresses in order; `None` if it has only one."""
        self.sent = False
        """Whether the connection was ready and the request went out."""
        self.sent_at = 0.0
        """Seconds on trio's clock at which it did."""
        self.used_kept_connection = False
        """Whether it failed on a connection of an earlier request."""
        self.was_inspected = False
        self.status_line = b""
        """The status line of the response; empty until its headers are complete."""
        self.status = 0
        """Its status code."""
        self.headers_at = 0.0
        """Seconds on trio's clock at which the header fields were complete."""
        self.is_coded = False
        """Whether the body has a content coding, in which it is delivered."""
        self._lines: list[bytes] = []  # of the current header block; later trailers, which are ignored
        self._has_headers = False  # whether the header fields are complete
        self._version = self._reason = b""
        self._primary_ip = ""
        # bytes: of the request body that libcurl has taken, and of all header blocks that have ended
        self._sent_size = self._lines_size = 0
        self._was_refused = False  # whether the server has certainly not processed what was sent

    # ---- called by libcurl ------------------------------------------------------------------------------------------

    @enable_ki_protection
    def on_start(self, primary_ip: str, _local_ip: str, _primary_port: int, _local_port: int) -> int:
        """PREREQFUNCTION: the connection, through the proxy too, is ready, and the request is about to go out.

        libcurl calls it again if a kept connection turned out to be closed and it opened a new one.
        """
        try:
            self._primary_ip = primary_ip
            options = self.options
            guard = options.address_guard
            if guard is not None and self.proxy is None and not guard.allows(primary_ip):
                self._error = guard.refusal(primary_ip)
                return PREREQFUNC_ABORT
            if self.sent and not self.may_resend and not self._was_refused:
                self._error = self._stale()
                return PREREQFUNC_ABORT
            self._was_refused = False
            self.sent_at = self.clock()
            if options.on_sent is not None:
                options.on_sent(self.sent_at)
            self.sent = True
            self._note_sign_of_life()
        except Exception as error:
            self._error = error
            return PREREQFUNC_ABORT
        return PREREQFUNC_OK

    @enable_ki_protection
    def on_debug(self, kind: int, message: bytes) -> None:
        """DEBUGFUNCTION: note that the server has not processed the request (RFC 9113 section 8.7).

        libcurl then sends it again on a new connection, and does not say why in any other way.
        """
        if kind == pycurl.INFOTYPE_TEXT and STREAM_REFUSED.match(message):
            self._was_refused = True

    @enable_ki_protection
    def on_send(self, size: int) -> bytes:
        """READFUNCTION: give libcurl the next bytes of the request body."""
        chunk = self.body[self._sent_size : self._sent_size + size]
        self._sent_size += len(chunk)
        self._note_sign_of_life()
        return chunk

    @enable_ki_protection
    def on_rewind(self, offset: int, _origin: int) -> int:
        """SEEKFUNCTION: the body must be sent again, from here."""
        self._sent_size = offset
        return SEEKFUNC_OK

    @enable_ki_protection
    def on_header(self, line: bytes) -> int | None:
        """HEADERFUNCTION: take one line, with its end, of any header block, or of the trailers."""
        self._lines.append(line)
        return None if len(line) > 2 else self._end_header_block()

    def _end_header_block(self) -> int | None:
        """Handle a blank line: of the response, of an interim response, or of a proxy's response to CONNECT."""
        self._lines_size += sum(map(len, self._lines))
        if self._lines_size > self._max_headers:
            self._error = self._too_many_lines()
            return WRITEFUNC_ERROR
        lines, self._lines = self._lines, []
        if self.sent and not self._has_headers and len(lines) > 1 and INTERIM.match(lines[0]) is None:
            del lines[-1]
            self._take_headers(lines)
        return None

    def _too_many_lines(self) -> httpx.RequestError:
        message = f"more than {self._max_headers} bytes of response headers"
        return self._failure(httpx.RemoteProtocolError, message, retryable=False, kind="headers_too_large")

    def _take_headers(self, lines: list[bytes]) -> None:
        """Take the header lines as those of the response, and wake the task unless it waits for the body too."""
        self.status_line = lines.pop(0)
        self.headers = headers = ReceivedHeaders(lines)
        self._has_headers = True
        self.headers_at = self.clock()
        if "content-encoding" in headers:
            self.is_coded = True
            self._is_limited = False  # its reader decodes, and counts
        if self._max_size != math.inf:
            self._gather()
            if self.proxy is None and "set-cookie" not in headers:  # the body may break off: cookies are stored before
                return
        self.has_response = True
        self._wake()

    # ---- called by the transport ------------------------------------------------------------------------------------

    @property
    def delivered(self) -> int:
        """Bytes of header fields and of the body that libcurl has delivered."""
        return self._lines_size + sum(map(len, self._lines)) + self._body_size

    @property
    def owns_connection(self) -> bool:
        """Whether no other transfer uses its connection at the same time; false until that is known."""
        return (self.status_line or (self._lines[0] if self._lines else b"")).startswith(b"HTTP/1")

    def fail_by_framing(self) -> None:
        """End the transfer because its server sends framing without end."""
        message = "the server sends framing without content: an endless chunk extension, empty blocks or frames"
        self.fail(self._failure(httpx.RemoteProtocolError, message, kind=ENDLESS))

    @property
    def is_idempotent(self) -> bool:
        """Whether the server may get the request twice."""
        return is_idempotent(self.request.method, self.request.headers)

    @property
    def may_resend(self) -> bool:
        """Whether the request may be sent again at once, although the server may have processed it."""
        return self.options.resend and self.is_idempotent

    def end(self, code: int = pycurl.E_OK, message: str = "", os_errno: int = 0) -> None:
        """End the transfer with libcurl's result."""
        if code == pycurl.E_OK and self._has_headers:
            self._finish()
            return
        if code == pycurl.E_WRITE_ERROR and self._has_headers:  # the body is large enough
            code = pycurl.E_OK
        # Seconds by which libcurl's clock may be ahead of trio's.
        if code == pycurl.E_OPERATION_TIMEDOUT and trio.current_time() >= self.complete_by - 0.05:
            self.fail(self.late())
        elif code == pycurl.E_SEND_ERROR and ALL_STALE in message and not self._has_headers:
            self.fail(self._stale())
        elif self.used_kept_connection and not self.delivered and kind_of_code(code, message, os_errno) == "no_http":
            self.fail(self._stale("the kept connection had bytes after the end of its last response"))
        elif self._lines_size + sum(map(len, self._lines)) > self._max_headers:  # libcurl found that they are too many
            self.fail(self._too_many_lines())
        elif code != pycurl.E_OK:
            error = curl_error(code, message, request=self.request, proxy=self.proxy, sent=self.sent, os_errno=os_errno)
            failure = failure_of(error)
            if self._has_headers and failure is not None and failure.kind == CLOSED:  # a TLS connection, by a mere FIN
                set_failure(error, replace(failure, kind=INCOMPLETE))
            self.fail(error)
        elif not self._has_headers:
            message = "the connection was closed in the middle of the headers"
            self.fail(self._failure(httpx.RemoteProtocolError, message, kind=CLOSED))
        else:
            self._finish()

    def fail(self, error: Exception) -> None:
        """End the transfer with an error, unless it has one already, of which this may be a mere consequence."""
        if self._error is None:
            self._error = error
        if self._whole is not None:
            self._deliver_in_pieces(self._whole)
        self._finish()

    def detach(self) -> None:
        """Forget the handle, which libcurl is about to lose."""
        self.curl = None

    def late(self) -> httpx.RequestError:
        """Return the error of a response that was not complete by its deadline."""
        return self._failure(httpx.ReadTimeout, "the response was not complete by its deadline", kind=DEADLINE)

    def _stale(self, message: str = "the connection was closed before a response came") -> httpx.RequestError:
        return transport_error(httpx.RemoteProtocolError, message, request=self.request, sent=True, kind=STALE)

    def _failure(
        self, cls: type[httpx.RequestError], message: str, *, retryable: bool | None = None, kind: str = ""
    ) -> httpx.RequestError:
        return transport_error(cls, message, request=self.request, sent=self.sent, retryable=retryable, kind=kind)

    # ---- called by the waiting task ---------------------------------------------------------------------------------

    def check_response(self) -> None:
        """Look at the headers of the response, which are complete, or at the error without one."""
        if not self._has_headers:
            assert self._error is not None
            raise self._error
        self._version, status, self._reason = parse_status_line(self.status_line)
        if status < 0:
            message = "invalid status line: the status does not have three digits"
            raise self._failure(httpx.RemoteProtocolError, message, kind="no_http")
        self.status = status

    @property
    def extensions(self) -> dict[str, Any]:
        """The extensions of `httpx.Response`: protocol version, reason phrase and address."""
        return {"http_version": self._version, "reason_phrase": self._reason, "primary_ip": self._primary_ip}

    @property
    def stream(self) -> Self:
        """The body as it comes."""
        return self

    def as_response(self) -> httpx.Response:
        """Return the response, with its body decoded if its codings are known."""
        from crawler.transport.decoded_body import DecodedBody  # noqa: PLC0415 - it is for clients of httpx

        fields = self.headers.encode()
        decoder = make_decoder(parse_content_encoding(self.headers.get_list("content-encoding")))
        return httpx.Response(
            self.status,
            headers=delivered_fields(fields, decoded=decoder is not None),
            stream=self if decoder is None else DecodedBody(self, decoder, self.status, self.request),
            extensions=self.extensions | {"wire_headers": fields},
            request=self.request,
        )

    @property
    def received(self) -> int:
        """Bytes of the body received so far; 0 after the end."""
        return 0 if self.curl is None else int(self.curl.getinfo(pycurl.SIZE_DOWNLOAD_T))

    def _unpause(self) -> None:
        """Let libcurl continue. It calls `on_body` at once with what it buffered."""
        self._paused = False
        try:
            if self.curl is not None:
                self.curl.pause(pycurl.PAUSE_CONT)
        except pycurl.error as error:
            self._drop(self)
            self.end(*error.args)

    async def aclose(self) -> None:
        """Close the response. Never waits, so it works in a cancelled scope too."""
        self.close()

    def close(self) -> None:
        """Remove the transfer from libcurl in any state, and forget what was not read."""
        self._drop(self)
        self._forget()
        if not self._ended:
            self.fail(self._failure(httpx.ReadError, "the response was closed"))

    def _silence_allowed(self) -> float:
        return self._timeout() if self.sent else math.inf  # connecting has a timeout of its own

    def _timeout(self) -> float:
        """Return the seconds for which the server may be silent once the request is on its way."""
        timeout = self._write_timeout if self._is_sending() else self._read_timeout
        return math.inf if timeout is None else timeout

    def _silence_error(self) -> httpx.RequestError:
        cls, verb = (httpx.WriteTimeout, "took") if self._is_sending() else (httpx.ReadTimeout, "sent")
        return self._failure(cls, f"the server {verb} nothing for {self._timeout():g} s")

    def _is_sending(self) -> bool:
        return self._sent_size < len(self.body)


@lru_cache(maxsize=256)
def parse_status_line(line: bytes) -> tuple[bytes, int, bytes]:
    """Return version, status and reason phrase. The status is -1 if further digits follow, which libcurl ignores."""
    version, _, rest = line.partition(b" ")
    return version.upper(), -1 if rest[3:4].isdigit() else int(rest[:3]), rest[4:].strip(b"\r\n")
