"""`Gunzipped`: a body in chunks, decompressed if it is gzip (RFC 1952)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

__all__ = ["CUT_GZIP", "Gunzipped", "is_cut"]

CHUNK_SIZE: Final = 64 * 1024
"""Bytes that are read or decompressed at once."""
GUNZIP_STEP: Final = 1024
"""Bytes of gzip data that are passed to the decompressor at once. All of a step is lost if it is damaged."""
GZIP_MAGIC: Final = b"\x1f\x8b"
"""The first bytes of gzip data (RFC 1952 section 2.3.1)."""
CUT_GZIP: Final = "truncated gzip"
"""The fault of a body that stops in the middle."""
WITH_GZIP_HEADER: Final = 16 + zlib.MAX_WBITS


class Gunzipped:
    """The content of a body, to be iterated once.

    Gzip is recognised by its first bytes, and may have several members (RFC 1952 section 2.2); what follows the last
    one is ignored, as gunzip does. Other data passes unchanged. Iteration never raises for invalid content; see
    `fault`.
    """

    def __init__(self, body: bytes | bytearray | memoryview | Iterable[bytes]) -> None:
        self._body = body
        self.fault: str | None = None
        """``truncated gzip`` or ``broken gzip``; `None` if the content is complete. Known after the iteration."""

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._chunks()
        head = b""
        for chunk in chunks:
            head += chunk
            if len(head) >= len(GZIP_MAGIC):
                break
        content = chain((head,), chunks)
        yield from self._members(content) if head.startswith(GZIP_MAGIC) else content

    def _chunks(self) -> Iterator[bytes]:
        if isinstance(self._body, (bytes, bytearray, memoryview)):
            view = memoryview(self._body)
            yield from (bytes(view[at : at + CHUNK_SIZE]) for at in range(0, len(view), CHUNK_SIZE))
        else:
            yield from self._body

    def _members(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        member = zlib.decompressobj(WITH_GZIP_HEADER)
        steps = (chunk[at : at + GUNZIP_STEP] for chunk in chunks for at in range(0, len(chunk), GUNZIP_STEP))
        for step in steps:
            rest, has_more = step, True
            while rest or has_more:
                if member.eof:
                    if not rest:
                        break
                    if not rest.startswith(GZIP_MAGIC[: len(rest)]):
                        return
                    member = zlib.decompressobj(WITH_GZIP_HEADER)
                try:
                    content = member.decompress(rest, CHUNK_SIZE)
                except zlib.error:
                    self.fault = "broken gzip"
                    return
                rest = member.unused_data if member.eof else member.unconsumed_tail
                has_more = len(content) == CHUNK_SIZE
                if content:
                    yield content
        if not member.eof:
            self.fault = CUT_GZIP


def is_cut(fault: str | None) -> bool:
    """Return whether the fault of a file is that it stops in the middle: ``truncated gzip``, XML or JSON."""
    return fault is not None and fault.startswith("truncated ")
