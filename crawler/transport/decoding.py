"""Content codings (RFC 9110 section 8.4) that libcurl does not decode: other transports', and those it rejects.

The rule is that of browsers (Fetch Standard, "handle content codings"): a body with an unknown coding is delivered as
it came, and a known coding that cannot be decoded is an error. Bytes after the end of a coded body are ignored; of one
that ends too early, what came is delivered. Unlike in browsers and libcurl, all members of a gzip file are decoded.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import pycurl

__all__ = [
    "Decoder",
    "libcurl_codings",
    "make_decoder",
    "parse_content_encoding",
    "unknown_coding",
]

MAX_PIECE: Final = 65_536
"""Maximum number of bytes that are unpacked at once."""
MAX_CODINGS: Final = 5
"""Codings of one body; libcurl has the same limit."""
GZIP_MAGIC: Final = b"\x1f\x8b\x08"
"""The first bytes of a gzip member (RFC 1952 section 2.3)."""
NO_CODING: Final = frozenset({"identity", "none"})
BUILT_IN: Final = (
    (pycurl.VERSION_LIBZ, {"gzip", "x-gzip", "deflate"}),
    (pycurl.VERSION_BROTLI, {"br"}),
    (pycurl.VERSION_ZSTD, {"zstd"}),
)
"""Content codings by the feature of libcurl that decodes them."""


def parse_content_encoding(fields: Iterable[str]) -> list[str]:
    """Return the codings of ``Content-Encoding`` fields, in the order of their application, in lower case."""
    names = [name.strip(" \t").lower() for field in fields for name in field.split(",")]
    return [name for name in names if name and name not in NO_CODING]


@lru_cache(maxsize=1)
def libcurl_codings() -> frozenset[str]:
    """Return the content codings that this libcurl decodes."""
    features: int = pycurl.version_info()[4]
    return frozenset().union(*(codings for feature, codings in BUILT_IN if features & feature))


@lru_cache(maxsize=256)
def unknown_coding(value: str) -> str:
    """Return the first coding in a ``Content-Encoding`` value that libcurl does not know; empty if there is none."""
    return next((coding for coding in parse_content_encoding([value]) if coding not in libcurl_codings()), "")


def make_decoder(codings: list[str]) -> Decoder | None:
    """Return a decoder for `codings`; `None` if there are none, or one of them is unknown here."""
    stages: list[_Inflate] = []
    for coding in reversed(codings):
        if coding in ("gzip", "x-gzip"):
            stages.append(_Inflate(zlib.MAX_WBITS | 16))
        elif coding == "deflate":
            stages.append(_Inflate(0))
        else:
            return None
    return Decoder(stages) if 0 < len(stages) <= MAX_CODINGS else None


class Decoder:
    """Decodes a body piece by piece, in bounded memory however much it unpacks to."""

    def __init__(self, stages: list[_Inflate]) -> None:
        self.received = 0
        """Bytes fed so far."""
        self.stages = stages
        """The decoders, outermost coding first."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Decode the next bytes of the body, in pieces of at most 64 KiB."""
        self.received += len(chunk)
        pieces: Iterator[bytes] = iter((chunk,))
        for stage in self.stages:
            pieces = stage.decode(pieces)
        return pieces


class _Inflate:
    """Decodes gzip, all members (RFC 1952 section 2.2), or deflate: zlib's format as specified, or raw."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._inflater = zlib.decompressobj(window) if window else None
        self._start = b""  # of deflate, or after a gzip member: bytes too few to tell what they are
        self._ended = False

    def decode(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Decode `pieces`, which continue the earlier ones."""
        for piece in pieces:
            for at in range(0, len(piece), 16_384):  # small steps, since each gzip member copies what follows it
                yield from self._decode(piece[at : at + 16_384])
                if self._ended:
                    return

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
                    self._ended = True
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
