"""Content codings (RFC 9110 section 8.4): gzip, deflate, br and zstd, decoded here for all transports.

Rule: a coded body is whole if the end of its coding has come, with a check that is right.

libcurl decodes too, but does not say that a coded body ended too early. The rest is the rule of browsers (Fetch
Standard, "handle content codings"): a body with an unknown coding is delivered as it came, a known coding that cannot
be decoded is an error, and bytes after the end of a coded body are ignored. All members of a gzip file and all frames
of zstd are decoded.
"""

from __future__ import annotations

import sys
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import httpx

from crawler.transport.error_kinds import INCOMPLETE
from crawler.transport.wire import TransportFailure, set_failure

__all__ = ["ACCEPTED", "CodingError", "Decoder", "make_decoder", "parse_content_encoding"]

ACCEPTED: Final = "gzip, deflate, br, zstd"
"""``Accept-Encoding``: all that is decoded here, in the order in which browsers list it."""
MAX_PIECE: Final = 65_536
"""Maximum number of bytes that are unpacked at once."""
MAX_STEP: Final = 16_384
"""Coded bytes that are decoded at once: each gzip member copies what follows it."""
MAX_CODINGS: Final = 5
"""Codings of one body; libcurl has the same limit."""
GZIP_MAGIC: Final = b"\x1f\x8b\x08"
"""The first bytes of a gzip member (RFC 1952 section 2.3)."""
ZSTD_MAGIC: Final = 0xFD2FB528
SKIPPABLE_MAGIC: Final = 0x184D2A50
"""The first bytes of a frame of zstd, and of one to be skipped, whose last four bits vary (RFC 8878 section 3.1)."""
ZSTD_WINDOW_LOG: Final = 23
"""8 MB: the largest window of zstd as a content coding (RFC 9659 section 3)."""
MAX_REPLAYED: Final = 262_144
"""Bytes of a brotli body that are kept: beyond these, bytes after its end are an error. Most pages are smaller."""
PARTIAL_CONTENT: Final = 206
"""A part of a coded file need not have its end (RFC 9110 section 15.3.7)."""
NO_CODING: Final = frozenset({"identity", "none"})


class CodingError(httpx.DecodingError):
    """A body that its content coding does not fit."""

    def __init__(self, message: str, *, kind: str = "bad_coding", retryable: bool = True) -> None:
        super().__init__(message)
        set_failure(self, TransportFailure(sent=True, kind=kind, retryable=retryable))


def parse_content_encoding(fields: Iterable[str]) -> list[str]:
    """Return the codings of ``Content-Encoding`` fields, in the order of their application, in lower case."""
    names = [name.strip(" \t").lower() for field in fields for name in field.split(",")]
    return [name for name in names if name and name not in NO_CODING]


def make_decoder(codings: list[str]) -> Decoder | None:
    """Return a decoder for `codings`; `None` if there are none, or one of them is unknown."""
    if not codings or not STAGES.keys() >= set(codings):
        return None
    return Decoder([STAGES[coding](coding) for coding in reversed(codings)])


class Decoder:
    """Decodes a body piece by piece, in bounded memory however much it unpacks to."""

    def __init__(self, stages: list[_Stage]) -> None:
        self.received = 0
        """Bytes fed so far."""
        self.stages = stages
        """The decoders, outermost coding first."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Decode the next bytes of the body, in pieces of at most 64 KiB."""
        if len(self.stages) > MAX_CODINGS:
            message = f"{len(self.stages)} codings of one body exceed the limit of {MAX_CODINGS} content encodings"
            raise CodingError(message, retryable=False)
        self.received += len(chunk)
        pieces: Iterator[bytes] = iter((chunk,))
        for stage in self.stages:
            pieces = stage.decode(pieces)
        return pieces

    def end(self, status: int) -> None:
        """Raise unless the body of a response was whole. One without a byte is, and one that is to be a part."""
        if status == PARTIAL_CONTENT:
            return
        for stage in reversed(self.stages):
            if stage.is_closed:
                return
            if stage.is_fed and not stage.is_at_end():
                message = f"the body stopped after {self.received} bytes: its coding {stage.coding} has no end"
                raise CodingError(message, kind=INCOMPLETE)


class _Stage(ABC):
    """Decodes one coding."""

    error: type[Exception]
    """What the library raises for bytes that mean nothing."""

    def __init__(self, coding: str) -> None:
        self.coding = coding
        self.is_fed = False
        self.is_closed = False
        """Whether something follows the end, which is ignored."""

    def decode(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Decode `pieces`, which continue the earlier ones."""
        for piece in pieces:
            for at in range(0, len(piece), MAX_STEP):
                if self.is_closed:
                    return
                self.is_fed = True
                try:
                    yield from self._decode(piece[at : at + MAX_STEP])
                except self.error as error:
                    raise CodingError(f"the body is not {self.coding}: {error}") from error

    @abstractmethod
    def is_at_end(self) -> bool:
        """Return whether the bytes so far are whole."""

    @abstractmethod
    def _decode(self, piece: bytes) -> Iterator[bytes]:
        """Decode the next bytes, at least one."""


class _Inflate(_Stage):
    """Decodes gzip, all members (RFC 1952 section 2.2), or deflate: zlib's format as specified, or raw."""

    error = zlib.error

    def __init__(self, coding: str) -> None:
        super().__init__(coding)
        self._window = 0 if coding == "deflate" else zlib.MAX_WBITS | 16
        self._inflater = zlib.decompressobj(self._window) if self._window else None
        self._start = b""  # of deflate, or after a gzip member: bytes too few to tell what they are

    def is_at_end(self) -> bool:
        return self._inflater is not None and self._inflater.eof

    def _decode(self, piece: bytes) -> Iterator[bytes]:
        if self._inflater is None:
            self._start += piece
            if len(self._start) < 2:
                return
            piece = self._start
            self._inflater = zlib.decompressobj(zlib.MAX_WBITS if _has_zlib_header(piece) else -zlib.MAX_WBITS)
        while piece:
            if self._inflater.eof:
                piece, self._start = self._start + piece, b""
                if not self._window or not piece.startswith(GZIP_MAGIC[: len(piece)]):
                    self.is_closed = True
                    return
                if len(piece) < len(GZIP_MAGIC):
                    self._start = piece
                    return
                self._inflater = zlib.decompressobj(self._window)
            unpacked = self._inflater.decompress(piece, MAX_PIECE)
            piece = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            if unpacked:
                yield unpacked


def _has_zlib_header(start: bytes) -> bool:
    """Check the header of RFC 1950 section 2.2."""
    return start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0


class _Zstd(_Stage):
    """Decodes zstd, all frames (RFC 8878 section 3)."""

    def __init__(self, coding: str) -> None:
        super().__init__(coding)
        if sys.version_info >= (3, 14):  # few servers send it
            from compression import zstd  # noqa: PLC0415
        else:
            from backports import zstd  # noqa: PLC0415
        self.error = zstd.ZstdError
        options = {int(zstd.DecompressionParameter.window_log_max): ZSTD_WINDOW_LOG}
        self._new: Callable[[], Any] = lambda: zstd.ZstdDecompressor(options=options)
        self._frame = self._new()
        self._start = b""  # after a frame: bytes too few to tell what they are

    def is_at_end(self) -> bool:
        return bool(self._frame.eof)

    def _decode(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            if self._frame.eof:
                piece, self._start = self._start + piece, b""
                if len(piece) < 4:
                    self._start = piece
                    return
                magic = int.from_bytes(piece[:4], "little")
                if magic != ZSTD_MAGIC and magic & ~0xF != SKIPPABLE_MAGIC:
                    self.is_closed = True
                    return
                self._frame = self._new()
            unpacked = self._frame.decompress(piece, MAX_PIECE)
            while unpacked:
                yield unpacked
                unpacked = b"" if self._frame.eof else self._frame.decompress(b"", MAX_PIECE)
            piece = self._frame.unused_data if self._frame.eof else b""


class _Brotli(_Stage):
    """Decodes br (RFC 7932)."""

    def __init__(self, coding: str) -> None:
        super().__init__(coding)
        import brotli  # noqa: PLC0415 - not every server sends it

        self.error = brotli.error
        self._new: Callable[[], Any] = brotli.Decompressor
        self._decompressor = self._new()
        self._fed = bytearray()  # all so far, if that is little
        self._unpacked = 0  # bytes

    def is_at_end(self) -> bool:
        return bool(self._decompressor.is_finished())

    def _decode(self, piece: bytes) -> Iterator[bytes]:
        if self.is_at_end():
            self.is_closed = True
            return
        if len(self._fed) <= MAX_REPLAYED:
            self._fed += piece
        try:
            for unpacked in _process(self._decompressor, piece):
                self._unpacked += len(unpacked)
                yield unpacked
        except self.error:
            if len(self._fed) > MAX_REPLAYED:
                raise
            yield from self._replay()

    def _replay(self) -> Iterator[bytes]:
        """Decode again byte by byte: the library delivers nothing of a piece in which bytes follow the end."""
        self._decompressor, known = self._new(), self._unpacked
        for at in range(len(self._fed)):
            for unpacked in _process(self._decompressor, bytes(self._fed[at : at + 1])):
                if len(unpacked) > known:
                    yield unpacked[known:]
                known = max(0, known - len(unpacked))
            if self.is_at_end():
                self.is_closed = True
                return


def _process(decompressor: Any, piece: bytes) -> Iterator[bytes]:
    """Yield what a piece of brotli unpacks to. The library rounds the limit up to its first block of about 32 KiB."""
    unpacked = decompressor.process(piece, output_buffer_limit=MAX_PIECE // 4)
    while unpacked:
        yield unpacked
        unpacked = b"" if decompressor.is_finished() else decompressor.process(b"", output_buffer_limit=MAX_PIECE // 4)


STAGES: Final[dict[str, Callable[[str], _Stage]]] = {
    "gzip": _Inflate,
    "x-gzip": _Inflate,
    "deflate": _Inflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
