"""`BodyStream`: a body as text, piece by piece: unpacked if it is gzip, decoded, and never more than so much of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from crawler.content.decode_stream import decode_stream
from crawler.content.encoding import detect_encoding

__all__ = ["BodyStream"]

CHUNK_SIZE: Final = 64 * 1024
"""Bytes of a piece."""
GUNZIP_STEP: Final = 1024
"""Bytes that are unpacked at once."""
SNIFF_BYTES: Final = 1024
"""Bytes that are looked at for the encoding."""
GZIP_MAGIC: Final = b"\x1f\x8b"


class BodyStream:
    """The text of a body, to be read once.

    Whether it is packed shows in its first bytes, whatever its name or its type say; a file that was packed twice is
    unpacked twice. Nothing that is in it raises.

    Parameters:
        body: bytes, or pieces of them.
        content_type: the HTTP header field of that name, if there was one.
        most: bytes that are read, unpacked.
    """

    def __init__(self, body: bytes | Iterable[bytes], content_type: str | None, max_bytes: int) -> None:
        self._body = body
        self._content_type = content_type
        self._max_bytes = max_bytes
        self.fault: str | None = None
        """Why it ended early, in a few words."""

    def __iter__(self) -> Iterator[str]:
        chunks = self._capped(self._unpacked(self._unpacked(self._chunks())))
        head = b""
        for chunk in chunks:
            head += chunk
            if len(head) >= SNIFF_BYTES:
                break
        yield from decode_stream(chain((head,), chunks), self._label(head))

    def _label(self, head: bytes) -> str:
        if head[:2] in (b"<\0", b"\0<"):  # UTF-16 without a byte order mark (XML 1.0 appendix F)
            return "utf-16le" if head[0] else "utf-16be"
        return detect_encoding(head, self._content_type)

    def _chunks(self) -> Iterator[bytes]:
        if isinstance(self._body, (bytes, bytearray, memoryview)):
            view = memoryview(self._body)
            yield from (bytes(view[at : at + CHUNK_SIZE]) for at in range(0, len(view), CHUNK_SIZE))
        else:
            yield from self._body

    def _capped(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        left = self._max_bytes
        for chunk in chunks:
            if len(chunk) > left:
                self.fault = f"larger than {self._max_bytes} bytes"
                yield chunk[:left]
                return
            left -= len(chunk)
            yield chunk

    def _unpacked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What is packed as gzip (RFC 1952), which may have several members; anything else as it is."""
        head = b""
        for chunk in chunks:
            head += chunk
            if len(head) >= len(GZIP_MAGIC):
                break
        if not head.startswith(GZIP_MAGIC):
            yield head
            yield from chunks
            return
        member = zlib.decompressobj(31)
        # In small steps: of one that turns out to be broken the whole is lost.
        steps = (
            chunk[at : at + GUNZIP_STEP] for chunk in chain((head,), chunks) for at in range(0, len(chunk), GUNZIP_STEP)
        )
        for chunk in steps:
            rest, more = chunk, True
            while rest or more:
                if member.eof:
                    if not rest.startswith(GZIP_MAGIC[: len(rest)]) or not rest:
                        break  # padding, or noise that somebody put behind
                    member = zlib.decompressobj(31)
                try:
                    plain = member.decompress(rest, CHUNK_SIZE)
                except zlib.error:
                    self.fault = "broken gzip"
                    return
                rest = member.unused_data if member.eof else member.unconsumed_tail
                more = len(plain) == CHUNK_SIZE
                if plain:
                    yield plain
        if not member.eof:
            self.fault = self.fault or "gzip that ends early"
