"""`LenientHTTP11Parser`: an answer of HTTP/1 read byte by byte, as leniently as browsers do. It does no I/O."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["LenientHTTP11Parser", "ParseError"]

STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?!\d)", re.IGNORECASE)
INTERIM: Final = re.compile(rb"\S+ 1(?!01)")
SIZE: Final = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;.*)?")
BODILESS: Final = (b"204", b"304")
LONGEST_LINE: Final = 16_384
"""Bytes of a line between chunks."""


class ParseError(Exception):
    """What came cannot be read.

    Parameters:
        words: what is wrong, one line.
        kind: as `RequestError.kind` has it.
    """

    def __init__(self, words: str, kind: str) -> None:
        super().__init__(words)
        self.kind = kind


class LenientHTTP11Parser:
    """Takes bytes as they come and gives those of the body, its framing undone (RFC 9112 sections 6 and 7).

    Line ends may lack their CR; CR elsewhere in a line counts as a blank (section 2.2); interim answers are skipped.
    What is in the lines is for others to judge, but for what says where the body ends.

    Parameters:
        has_body: whether the answer has one: not if it is one to HEAD.
        max_headers: bytes of header lines that may come.
    """

    def __init__(self, *, has_body: bool, max_headers: int) -> None:
        self.lines: list[bytes] = []
        """The status line and the header lines."""
        self.headed = False
        """Whether these are complete."""
        self.complete = False
        """Whether the body is."""
        self._has_body = has_body
        self._max_headers = max_headers
        self._size = 0  # bytes of header lines so far
        self._buffer = bytearray()
        self._left: int | None = None  # bytes of the body, or of its chunk, that are to come; None: until the end
        self._chunked = False
        self._place = "head"  # or: body, size, data, break, trailer

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body that are in what has come.

        Raises:
            ParseError: it cannot be read.
        """
        self._buffer += data
        body = bytearray()
        while not self.complete and self._step(body):
            pass
        return bytes(body)

    def end(self) -> None:
        """Nothing more will come.

        Raises:
            ParseError: something is missing.
        """
        if not self.headed:
            words = "closed in the middle of the headers" if self.lines or self._buffer else "closed without an answer"
            raise ParseError(f"the connection was {words}", "closed")
        if not self.complete and (self._chunked or self._left is not None):
            raise ParseError("the connection was closed in the middle of the body", "closed")
        self.complete = True

    def _step(self, body: bytearray) -> bool:
        """One line or one piece; whether there may be another."""
        if self._place in ("body", "data"):
            return self._take(body)
        line = self._line(self._max_headers if self._place in ("head", "trailer") else LONGEST_LINE)
        if line is None:
            return False
        if self._place == "head":
            self._head(line)
        elif self._place == "size":
            self._chunk(line)
        elif self._place == "break":
            if line:
                raise ParseError("a chunk is longer than its size says", "bad_chunk")
            self._place = "size"
        elif not line:  # behind the trailers
            self.complete = True
        return True

    def _line(self, most: int) -> bytes | None:
        """The next line without its end; `None`: it has not come yet."""
        end = self._buffer.find(b"\n")
        size = len(self._buffer) if end < 0 else end + 1
        if self._place in ("head", "trailer"):
            most -= self._size
        if size > most:
            if self._place in ("head", "trailer"):
                raise ParseError(f"more than {self._max_headers} bytes of response headers", "headers_too_large")
            raise ParseError("a line between chunks without end", "bad_chunk")
        if end < 0:
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        if self._place in ("head", "trailer"):
            self._size += size
        return line.replace(b"\r", b" ")

    def _head(self, line: bytes) -> None:
        if not self.lines:
            if STATUS.match(line) is None:
                raise ParseError("what came is no HTTP", "no_http")
            self.lines.append(line)
        elif line:
            if b"\0" in line:
                raise ParseError("NUL in a header line", "bad_header")
            self.lines.append(line)
        elif INTERIM.match(self.lines[0]):
            self.lines.clear()
        else:
            self.headed = True
            self._frame()

    def _frame(self) -> None:
        """How the body ends (RFC 9112 section 6.3)."""
        match = STATUS.match(self.lines[0])
        assert match is not None
        status = match[1]
        if not self._has_body or status in BODILESS or status[:1] == b"1":
            self.complete = True
            return
        fields = [line.partition(b":") for line in self.lines[1:]]
        codings = b",".join(value for name, _, value in fields if name.strip().lower() == b"transfer-encoding")
        lengths = b",".join(value for name, _, value in fields if name.strip().lower() == b"content-length")
        if codings:
            self._chunked = codings.rpartition(b",")[2].strip().lower() == b"chunked"
            self._place = "size" if self._chunked else "body"
            return
        self._place = "body"
        if lengths:
            values = {value.strip() for value in lengths.split(b",")}
            value = values.pop()
            if values or re.fullmatch(rb"\d{1,18}", value) is None:
                raise ParseError("a Content-Length that is none", "bad_header")
            self._left = int(value)
            self.complete = self._left == 0

    def _chunk(self, line: bytes) -> None:
        match = SIZE.fullmatch(line)
        if match is None:
            raise ParseError("a chunk without a size", "bad_chunk")
        self._left = int(match[1], 16)
        self._place = "data" if self._left else "trailer"

    def _take(self, body: bytearray) -> bool:
        if not self._buffer:
            return False
        piece = self._buffer if self._left is None else self._buffer[: self._left]
        body += piece
        size = len(piece)
        del self._buffer[:size]
        if self._left is None:
            return False
        self._left -= size
        if self._left:
            return False
        if self._chunked:
            self._place = "break"
        else:
            self.complete = True
        return True
