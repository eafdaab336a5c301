"""`Transfer`: one request on its way through libcurl, and the body of its answer as httpx reads it.

libcurl calls the ``on_…`` methods from inside its own code, where nothing may be raised and none of its functions may
be called: they note what came and wake the one task that waits. That task calls the other methods.
"""

from __future__ import annotations

import io
import math
import re
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Self

import httpx
import pycurl
import trio
from trio.lowlevel import enable_ki_protection

from crawler.transport.decoding import by_libcurl, codings_of
from crawler.transport.error_kinds import BOMB, TOO_LARGE
from crawler.transport.errors import curl_error, transport_error
from crawler.transport.extensions import STALE, ProxyFault, wire_options
from crawler.transport.lean import CODED, LeanRequest, LeanResponse, described

__all__ = ["Transfer", "UnknownCoding", "parse_fields", "parse_status_line"]

PREREQFUNC_OK: Final[int] = pycurl.PREREQFUNC_OK
PREREQFUNC_ABORT: Final[int] = pycurl.PREREQFUNC_ABORT
SEEKFUNC_OK: Final[int] = pycurl.SEEKFUNC_OK
WRITEFUNC_PAUSE: Final[int] = pycurl.WRITEFUNC_PAUSE
WRITEFUNC_ERROR: Final = -1
INTERIM: Final = re.compile(rb"\S+ 1(?!01)")  # 101 is the last answer in this protocol
LIBCURL_HOLDS: Final = 64 * 1024 * 1024
"""Bytes of a body that libcurl keeps at most while it is paused."""
EXHAUSTED: Final = "Connection died, tried"
"""What libcurl says when one kept connection after another was closed and it gives up."""
BODILESS: Final = (204, 304)


class UnknownCoding(httpx.DecodingError):
    """libcurl does not know a content coding, and gives no body then; asked not to decode, it does."""


class Transfer(httpx.AsyncByteStream):
    """One transfer.

    Parameters:
        request: the request. Its extensions may hold ``timeout`` (httpx's; ``read`` and ``write`` count here) and
            `WireOptions`. A body of which at most 64 MiB will be read is delivered in one piece, or as much of it as
            proves that it is larger. The address guard checks the connected address, unless it is that of a proxy.
        body: the body to send.
        proxy: who is asked to pass it on.
        buffer: bytes of body that may lie here unread before libcurl is told to pause.
        max_headers: bytes of header lines that may come.
        drop: takes this transfer from libcurl if it has it, at any moment.
        as_is: whether the body is handed on as it comes.
        again: whether the same request was sent before, so that ``on_sent`` was called.
        fresh: whether it takes no connection that was kept.
    """

    def __init__(
        self,
        request: httpx.Request,
        *,
        body: bytes,
        proxy: httpx.URL | None,
        buffer: int,
        max_headers: int,
        drop: Callable[[Transfer], None],
        as_is: bool = False,
        again: bool = False,
        fresh: bool = False,
    ) -> None:
        self.request = request
        self.body = body
        self.proxy = proxy
        self.decode = not as_is  # whether libcurl decodes the body
        self.fresh = fresh
        self.curl: Any = None  # libcurl's handle, while it has one
        self.plain = True  # nothing was set in it that the next request would not set anew
        self.proxy_fault: ProxyFault | None = None
        self.sent = False  # there is a connection, and the request goes out
        options = wire_options(request)
        timeout = request.extensions.get("timeout")
        self._read_timeout: float | None = timeout.get("read") if timeout else None
        self._write_timeout: float | None = timeout.get("write") if timeout else None
        self._on_sent: Callable[[], object] | None = None if again else options.on_sent
        self.resend = options.resend
        self._guard = options.address_guard if proxy is None else None
        self._max_body = options.max_body
        self._whole: io.BytesIO | None = None  # where the body is gathered that is given whole
        self._buffer = buffer
        self._max_headers = max_headers
        self._drop = drop
        self._primary_ip = ""
        self._sent_size = 0  # bytes of the request's body that libcurl took
        self._lines: list[bytes] = []  # the header block that is coming
        self._lines_size = 0  # bytes of all header lines
        self._headed = False  # the headers are complete
        self._chunks: deque[bytes] = deque()  # what has arrived of the body
        self._held = 0  # bytes in them
        self._came = 0  # bytes of body that were gathered
        self._paused = False
        self._ended = False  # nothing more will come
        self._error: Exception | None = None
        self._task: trio.lowlevel.Task | None = None  # the one that waits
        self._patience: trio.CancelScope | None = None  # its time limit

    # ---- called by libcurl ------------------------------------------------------------------------------------------

    @enable_ki_protection
    def on_start(self, primary_ip: str, _local_ip: str, _primary_port: int, _local_port: int) -> int:
        """PREREQFUNCTION: there is a connection, through the proxy too, and the request is about to go out.

        Once more if a kept connection turned out to be closed and libcurl took a new one.
        """
        try:
            self._primary_ip = primary_ip
            if self._guard is not None and not self._guard.allows(primary_ip):
                self._error = self._guard.refusal(primary_ip)
                return PREREQFUNC_ABORT
            if self.sent and not self.resend:
                self._error = self._stale()
                return PREREQFUNC_ABORT
            if not self.sent and self._on_sent is not None:
                self._on_sent()
            self.sent = True
            self._progress()
        except Exception as error:
            self._error = error
            return PREREQFUNC_ABORT
        return PREREQFUNC_OK

    @enable_ki_protection
    def on_send(self, size: int) -> bytes:
        """READFUNCTION: the next bytes of the request's body."""
        chunk = self.body[self._sent_size : self._sent_size + size]
        self._sent_size += len(chunk)
        self._progress()
        return chunk

    @enable_ki_protection
    def on_rewind(self, offset: int, _origin: int) -> int:
        """SEEKFUNCTION: the body has to be sent again, from here."""
        self._sent_size = offset
        return SEEKFUNC_OK

    @enable_ki_protection
    def on_header(self, line: bytes) -> int | None:
        """HEADERFUNCTION: one line with its end, of any header block; the lines of trailers too."""
        self._lines_size += len(line)
        if self._lines_size > self._max_headers:
            words = f"more than {self._max_headers} bytes of response headers"
            self._error = transport_error(
                httpx.RemoteProtocolError,
                words,
                request=self.request,
                sent=self.sent,
                retryable=False,
                kind="headers_too_large",
            )
            return WRITEFUNC_ERROR
        if not self._headed:  # else it is a trailer, and nobody asks for those
            if len(line) > 2:
                self._lines.append(line)
            else:
                self._end_of_block()
        return None

    @enable_ki_protection
    def on_body(self, chunk: bytes) -> int | None:
        """WRITEFUNCTION: decoded bytes. If too many lie here unread, libcurl keeps them and stops reading."""
        if self._whole is not None:
            self._came += self._whole.write(chunk)
            return None if self._came <= self._max_body else WRITEFUNC_ERROR
        if self._held >= self._buffer:
            self._paused = True
            return WRITEFUNC_PAUSE
        self._chunks.append(chunk)
        self._held += len(chunk)
        self._wake()
        return None

    def _end_of_block(self) -> None:
        """A blank line: of the answer, of an interim one (RFC 9110 section 15.2), or of a proxy's answer to CONNECT."""
        if self.sent and self._lines and INTERIM.match(self._lines[0]) is None:
            self._headed = True
            if self._max_body <= LIBCURL_HOLDS and self.decode:  # paused, libcurl would hold as much
                self._whole = io.BytesIO()
            self._wake()
        else:
            self._lines.clear()

    # ---- called by the transport ------------------------------------------------------------------------------------

    def end(self, code: int = pycurl.E_OK, words: str = "", os_errno: int = 0) -> None:
        """The transfer is over, with libcurl's result."""
        if code == pycurl.E_WRITE_ERROR and self._headed and not self._paused:
            # Bytes after the end of a compressed body, and all of it is here: browsers ignore them. Or we have enough.
            code = pycurl.E_OK
        if code == TOO_LARGE and self._headed:
            words = f"a little that unpacks to more than {LIBCURL_HOLDS} bytes: nothing but a bomb does that"
            self.fail(
                transport_error(httpx.DecodingError, words, request=self.request, sent=True, retryable=False, kind=BOMB)
            )
        elif code == pycurl.E_SEND_ERROR and EXHAUSTED in words and not self._headed:
            self.fail(self._stale())
        elif code != pycurl.E_OK:
            self.fail(
                curl_error(code, words, request=self.request, proxy=self.proxy, sent=self.sent, os_errno=os_errno)
            )
        elif not self._headed:
            words = "the connection was closed in the middle of the headers"
            self.fail(
                transport_error(httpx.RemoteProtocolError, words, request=self.request, sent=self.sent, kind="closed")
            )
        else:
            self._finish()

    def fail(self, error: Exception) -> None:
        """The transfer is over, for this reason if none is known yet: libcurl's may only follow from an earlier one."""
        if self._error is None:
            self._error = error
        self._finish()

    def _stale(self) -> httpx.RequestError:
        """A kept connection turned out to be closed."""
        words = "the connection was closed before an answer came"
        return transport_error(httpx.RemoteProtocolError, words, request=self.request, sent=True, kind=STALE)

    def _finish(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        task = self._task
        if task is not None:
            self._task = None
            trio.lowlevel.reschedule(task)

    # ---- called by the task that waits ------------------------------------------------------------------------------

    async def response(self) -> httpx.Response:
        """The answer, as soon as its headers are complete.

        Raises:
            UnknownCoding: libcurl will give no body.
            httpx.RequestError: there is none.
        """
        while not self._headed:
            if self._error is not None:
                raise self._error
            await self._wait()
        version, status, reason = parse_status_line(self._lines[0])
        fields = parse_fields(self._lines[1:])
        if self.decode and status not in BODILESS and self.request.method != "HEAD":
            for name, value in fields:
                if name.lower() == CODED and (unknown := _unknown(value)) is not None:
                    words = f"its content coding {unknown!r} is not known; the next attempt takes the body as it is"
                    raise transport_error(UnknownCoding, words, request=self.request, sent=True, retryable=True)
        extensions = {
            "http_version": version,
            "reason_phrase": reason,
            "wire_headers": fields,
            "primary_ip": self._primary_ip,
        }
        request = self.request
        if isinstance(request, LeanRequest):
            return LeanResponse(
                status, fields, decoded=self.decode, stream=self, extensions=extensions, request=request
            )
        headers = described(fields, decoded=self.decode)
        return httpx.Response(status, headers=headers, stream=self, extensions=extensions, request=request)

    @property
    def received(self) -> int:
        """Bytes of the body that have come, before they were decoded; 0 when it is over."""
        return 0 if self.curl is None else int(self.curl.getinfo(pycurl.SIZE_DOWNLOAD_T))

    @property
    def primary_ip(self) -> str:
        """The address that was connected to; empty before that."""
        return self._primary_ip

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next bytes of the body; no checkpoint if they have arrived already.

        Raises:
            httpx.RequestError: no more will come, although there should be more.
        """
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._ended:
                return self._take_whole()
            await self._wait()
        chunk = self._chunks.popleft()
        self._held -= len(chunk)
        if self._paused and self._held * 2 <= self._buffer:
            self._go_on()
        return chunk

    def _take_whole(self) -> bytes:
        """All of a body that was gathered, once."""
        whole = b"" if self._whole is None else self._whole.getvalue()
        self._whole = None
        if not whole:
            raise StopAsyncIteration
        return whole

    def _go_on(self) -> None:
        """Let libcurl read on; it calls `on_body` at once with what it kept, and may find that it cannot decode it."""
        self._paused = False
        try:
            if self.curl is not None:
                self.curl.pause(pycurl.PAUSE_CONT)
        except pycurl.error as error:
            self._drop(self)
            self.end(*error.args)

    async def aclose(self) -> None:
        """Be done with it. Never waits: it does its work in a cancelled scope too."""
        self.close()

    def close(self) -> None:
        """Take the transfer from libcurl, in whatever state it is, and forget what was not read."""
        self._drop(self)
        self._chunks.clear()
        self._held = 0
        self._whole = None
        if not self._ended:
            self.fail(transport_error(httpx.ReadError, "the response was closed", request=self.request, sent=self.sent))

    async def _wait(self) -> None:
        """Until something has come."""
        if self._task is not None:
            raise trio.BusyResourceError("another task reads this response")
        if self._read_timeout is None and self._write_timeout is None:
            await self._sleep()
            return
        with trio.CancelScope() as self._patience:
            if self.sent:  # connecting has a time limit of its own
                self._progress()
            await self._sleep()
        if self._patience.cancelled_caught:
            kind, words = (httpx.WriteTimeout, "took") if self._is_sending() else (httpx.ReadTimeout, "sent")
            raise transport_error(
                kind, f"the server {words} nothing for {self._limit():g} s", request=self.request, sent=self.sent
            )

    async def _sleep(self) -> None:
        self._task = trio.lowlevel.current_task()

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            self._task = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _progress(self) -> None:
        """The peer is alive: the time limit of whoever waits starts again."""
        if self._patience is not None:
            self._patience.deadline = trio.current_time() + self._limit()

    def _limit(self) -> float:
        """Seconds that the next sign of life may take."""
        limit = self._write_timeout if self._is_sending() else self._read_timeout
        return math.inf if limit is None else limit

    def _is_sending(self) -> bool:
        return self._sent_size < len(self.body)


def parse_status_line(line: bytes) -> tuple[bytes, int, bytes]:
    """Version, status and reason phrase; libcurl has seen to it that the status has three digits."""
    version, _, rest = line.partition(b" ")
    return version.upper(), int(rest[:3]), rest[4:].strip(b"\r\n")


def parse_fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Names and values as they were received. What is no header field is skipped, as browsers do."""
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if line.startswith((b" ", b"\t")):  # a folded line (RFC 9112 section 5.2)
            if fields:
                name, value = fields.pop()
                fields.append((name, value + b" " + line.strip(b" \t\r\n")))
        elif colon and (name := name.rstrip(b" \t")):
            fields.append((name, value.strip(b" \t\r\n")))
    return fields


@lru_cache(maxsize=256)
def _unknown(value: bytes) -> str | None:
    """What keeps libcurl from handing over a body of these content codings."""
    return next((coding for coding in codings_of([value.decode("latin-1")]) if coding not in by_libcurl()), None)
