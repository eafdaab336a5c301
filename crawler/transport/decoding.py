"""Content codings (RFC 9110 section 8.4) where libcurl does not undo them: of other transports, and of what it refuses.

The rule is the one of browsers (Fetch Standard, "handle content codings"): with a coding that is not known the bytes
are handed on as they came; a known one that cannot be undone is an error. What comes after the end of a coded body is
ignored, and of one that ends too early there is what came. Unlike in browsers and libcurl, all members of gzip count.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import pycurl

__all__ = ["Decoder", "by_libcurl", "codings_of", "decoder_of", "may_have_members"]

PIECE: Final = 65_536
"""Bytes that are unpacked at once, at most."""
STEP: Final = 16_384
"""Bytes of a body that are looked at together."""
MOST: Final = 5
"""Codings on top of each other; libcurl takes no more either."""
GZIP: Final = b"\x1f\x8b\x08"
"""How a member of gzip begins (RFC 1952 section 2.3)."""
PACKED: Final = re.compile(r"\.(?:gz|bgz|tgz|gzip)(?:[?&#]|\Z)", re.IGNORECASE)
NOTHING: Final = frozenset({"identity", "none"})
BUILT_IN: Final = (
    (pycurl.VERSION_LIBZ, {"gzip", "x-gzip", "deflate"}),
    (pycurl.VERSION_BROTLI, {"br"}),
    (pycurl.VERSION_ZSTD, {"zstd"}),
)
"""Content codings, by what libcurl was built with."""


def codings_of(fields: Iterable[str]) -> list[str]:
    """The codings that the fields ``Content-Encoding`` name, in the order in which they were applied, in lower case."""
    names = [name.strip(" \t").lower() for field in fields for name in field.split(",")]
    return [name for name in names if name and name not in NOTHING]


@lru_cache(maxsize=1)
def by_libcurl() -> frozenset[str]:
    """The content codings that this libcurl undoes."""
    features: int = pycurl.version_info()[4]
    return frozenset().union(*(codings for feature, codings in BUILT_IN if features & feature))


def may_have_members(url: str) -> bool:
    """Whether a URL is that of a packed file: some servers name a content coding for it, and it may have members."""
    return ("gz" in url or "GZ" in url) and PACKED.search(url) is not None


def decoder_of(codings: list[str]) -> Decoder | None:
    """What undoes these codings; `None`: there is nothing to undo, or a coding is among them that is not known here."""
    stages: list[_Inflate] = []
    for coding in reversed(codings):
        if coding in ("gzip", "x-gzip"):
            stages.append(_Inflate(zlib.MAX_WBITS | 16))
        elif coding == "deflate":
            stages.append(_Inflate(0))
        else:
            return None
    return Decoder(stages) if 0 < len(stages) <= MOST else None


class Decoder:
    """Undoes content codings, piece by piece: however much a body unpacks to, no more of it is held than is asked for.

    Parameters:
        stages: the decoders, outermost coding first.
    """

    def __init__(self, stages: list[_Inflate]) -> None:
        self.received = 0
        """Bytes that were fed to it."""
        self._stages = stages

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the next bytes of the body mean, in pieces of at most 64 KiB.

        Raises:
            zlib.error: they mean nothing.
        """
        self.received += len(chunk)
        pieces: Iterator[bytes] = iter((chunk,))
        for stage in self._stages:
            pieces = stage.all_of(pieces)
        return pieces


class _Inflate:
    """gzip, or what is called deflate: in the format of zlib, as the standard has it, or without, as some send it.

    A file of gzip may have several members (RFC 1952 section 2.2): all are read.

    Parameters:
        window: as zlib has it, for gzip; 0: for deflate.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._inflater = zlib.decompressobj(window) if window else None
        self._start = b""  # of deflate, or behind the end of a member of gzip: what does not say yet what it is
        self._over = False

    def all_of(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """What these pieces mean."""
        for piece in pieces:
            for at in range(0, len(piece), STEP):  # each member copies what lies behind it
                yield from self._one(piece[at : at + STEP])
                if self._over:
                    return

    def _one(self, piece: bytes) -> Iterator[bytes]:
        if self._inflater is None:
            self._start += piece
            if len(self._start) < 2:
                return
            piece = self._start
            self._inflater = zlib.decompressobj(zlib.MAX_WBITS if _has_zlib_header(piece) else -zlib.MAX_WBITS)
        while piece:
            if self._inflater.eof:
                piece, self._start = self._start + piece, b""
                if not self._window or not piece.startswith(GZIP[: len(piece)]):
                    self._over = True
                    return
                if len(piece) < len(GZIP):
                    self._start = piece
                    return
                self._inflater = zlib.decompressobj(self._window)
            unpacked = self._inflater.decompress(piece, PIECE)
            piece = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            if unpacked:
                yield unpacked


def _has_zlib_header(start: bytes) -> bool:
    """RFC 1950 section 2.2."""
    return start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0
