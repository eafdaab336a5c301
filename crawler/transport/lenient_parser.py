"""`LenientHTTP11Parser`: parses a response of HTTP/1 as leniently as browsers do. It does no I/O."""

from __future__ import annotations

import re
from typing import Final

from crawler.transport.error_kinds import CLOSED, ENDLESS, INCOMPLETE
from crawler.transport.inspection import ALLOWANCE, MAX_RATIO

__all__ = ["LenientHTTP11Parser", "ParseError"]

STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?!\d)", re.IGNORECASE)
INTERIM: Final = re.compile(rb"\S+ 1(?!01)")
CHUNK_SIZE: Final = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;.*)?")
BODILESS: Final = (b"204", b"304")


class ParseError(Exception):
    """Raised for bytes that are not a valid response."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class LenientHTTP11Parser:
    """Takes bytes as they come and returns those of the body, without framing (RFC 9112 sections 6 and 7).

    Line ends may lack their CR; a CR elsewhere in a line counts as a space (section 2.2); interim responses are
    skipped. Of the header fields, only those that say where the body ends are interpreted.
    """

    def __init__(self, *, has_body: bool, max_headers: int) -> None:
        self.lines: list[bytes] = []
        """The status line and the header lines."""
        self.has_headers = False
        """Whether these are complete."""
        self.is_complete = False
        """Whether the body is complete."""
        self._has_body = has_body
        self._max_headers = max_headers
        self._lines_size = 0  # bytes of header lines so far
        self._chunk_lines_size = 0  # bytes of lines between chunks so far, less those that the chunks allow
        self._buffer = bytearray()
        self._searched = 0  # bytes of the buffer that have no line feed
        self._left: int | None = None  # bytes of the body, or of the chunk, still to come; None: until the end
        self._chunked = False
        self._state = "head"  # or: body, size, data, break, trailer

    def feed(self, data: bytes) -> bytes:
        """Return the bytes of the body in `data`."""
        self._buffer += data
        body = bytearray()
        while not self.is_complete and self._step(body):
            pass
        return bytes(body)

    def end(self) -> None:
        """Note that the connection was closed."""
        if not self.has_headers:
            message = (
                "closed in the middle of the headers" if self.lines or self._buffer else "closed without a response"
            )
            raise ParseError(f"the connection was {message}", CLOSED)
        if not self.is_complete and (self._chunked or self._left is not None):
            raise ParseError("the connection was closed in the middle of the body", INCOMPLETE)
        self.is_complete = True

    def _step(self, body: bytearray) -> bool:
        """Parse one line or one piece of the body; return whether there may be another."""
        if self._state in ("body", "data"):
            return self._read_body(body)
        # A line between chunks has at most 16 KiB.
        line = self._read_line(self._max_headers if self._state in ("head", "trailer") else 16_384)
        if line is None:
            return False
        if self._state == "head":
            self._parse_header_line(line)
        elif self._state == "size":
            self._parse_chunk_size(line)
        elif self._state == "break":
            if line:
                raise ParseError("a chunk is longer than its size says", "bad_chunk")
            self._state = "size"
        elif not line:  # the end of the trailers
            self.is_complete = True
        return True

    def _read_line(self, max_size: int) -> bytes | None:
        """Return the next line without its end; `None` if it is incomplete."""
        end = self._buffer.find(b"\n", self._searched)
        size = len(self._buffer) if end < 0 else end + 1
        if self._state in ("head", "trailer"):
            max_size -= self._lines_size
        if size > max_size:
            if self._state in ("head", "trailer"):
                raise ParseError(f"more than {self._max_headers} bytes of response headers", "headers_too_large")
            raise ParseError("an endless line between chunks", "bad_chunk")
        if end < 0:
            self._searched = size
            return None
        self._searched = 0
        if self._state in ("size", "break"):
            self._chunk_lines_size += size
            if self._chunk_lines_size > ALLOWANCE:
                raise ParseError("the lines between chunks have no end", ENDLESS)
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        if self._state in ("head", "trailer"):
            self._lines_size += size
        return line.replace(b"\r", b" ")

    def _parse_header_line(self, line: bytes) -> None:
        if not self.lines:
            if STATUS.match(line) is None:
                raise ParseError("the server does not speak HTTP", "no_http")
            self.lines.append(line)
        elif line:
            if b"\0" in line:
                raise ParseError("NUL in a header line", "bad_header")
            self.lines.append(line)
        elif INTERIM.match(self.lines[0]):
            self.lines.clear()
        else:
            self.has_headers = True
            self._parse_framing()

    def _parse_framing(self) -> None:
        """Determine how the body ends (RFC 9112 section 6.3)."""
        match = STATUS.match(self.lines[0])
        assert match is not None
        status = match[1]
        if not self._has_body or status in BODILESS or status[:1] == b"1":
            self.is_complete = True
            return
        fields = [line.partition(b":") for line in self.lines[1:]]
        codings = b",".join(value for name, _, value in fields if name.strip().lower() == b"transfer-encoding")
        lengths = b",".join(value for name, _, value in fields if name.strip().lower() == b"content-length")
        if codings:
            self._chunked = codings.rpartition(b",")[2].strip().lower() == b"chunked"
            self._state = "size" if self._chunked else "body"
            return
        self._state = "body"
        if lengths:
            values = {value.strip() for value in lengths.split(b",")}
            value = values.pop()
            if values or re.fullmatch(rb"\d{1,18}", value) is None:
                raise ParseError("an invalid Content-Length", "bad_header")
            self._left = int(value)
            self.is_complete = self._left == 0

    def _parse_chunk_size(self, line: bytes) -> None:
        match = CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise ParseError("a chunk without a size", "bad_chunk")
        self._left = int(match[1], 16)
        self._state = "data" if self._left else "trailer"

    def _read_body(self, body: bytearray) -> bool:
        if not self._buffer:
            return False
        piece = self._buffer if self._left is None else self._buffer[: self._left]
        body += piece
        size = len(piece)
        self._chunk_lines_size = max(0, self._chunk_lines_size - MAX_RATIO * size)
        del self._buffer[:size]
        if self._left is None:
            return False
        self._left -= size
        if self._left:
            return False
        if self._chunked:
            self._state = "break"
        else:
            self.is_complete = True
        return True
