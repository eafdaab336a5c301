"""`BodyStream`: the text of a body in chunks, decompressed and decoded, up to a limit."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from crawler.content.decode_stream import decode_stream
from crawler.content.encoding import detect_encoding

__all__ = ["BodyStream"]

CHUNK_SIZE: Final = 64 * 1024
"""Bytes that are read or decompressed at once."""
GUNZIP_STEP: Final = 1024
"""Bytes of gzip data that are passed to the decompressor at once. All of a step is lost if it is damaged."""
SNIFF_BYTES: Final = 1024
"""Bytes in which the encoding is looked for."""
GZIP_MAGIC: Final = b"\x1f\x8b"
"""The first bytes of gzip data (RFC 1952 section 2.3.1)."""


class BodyStream:
    """The text of a body, to be iterated once.

    Gzip is recognised by the first bytes, whatever the name or the media type say; a file that was compressed twice is
    decompressed twice. Iteration never raises for invalid content; see `fault`.

    Parameters:
        body: Bytes, or an iterable of chunks.
        content_type: The ``Content-Type`` header field; `None` if there was none.
        max_bytes: Limit of the decompressed bytes that are read.
    """

    def __init__(self, body: bytes | Iterable[bytes], content_type: str | None, max_bytes: int) -> None:
        self._body = body
        self._content_type = content_type
        self._max_bytes = max_bytes
        self.fault: str | None = None
        """Why the text ended early, in a few words; `None` if it is complete. Known after the iteration."""

    def __iter__(self) -> Iterator[str]:
        chunks = self._capped(self._gunzipped(self._gunzipped(self._chunks())))
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

    def _gunzipped(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Decompress gzip data, which may have several members (RFC 1952 section 2.2). Other data passes unchanged."""
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
        # In small steps: all of a damaged step is lost.
        steps = (
            chunk[at : at + GUNZIP_STEP] for chunk in chain((head,), chunks) for at in range(0, len(chunk), GUNZIP_STEP)
        )
        for chunk in steps:
            rest, more = chunk, True
            while rest or more:
                if member.eof:
                    if not rest.startswith(GZIP_MAGIC[: len(rest)]) or not rest:
                        break  # padding, or trailing garbage
                    member = zlib.decompressobj(31)
                try:
                    content = member.decompress(rest, CHUNK_SIZE)
                except zlib.error:
                    self.fault = "broken gzip"
                    return
                rest = member.unused_data if member.eof else member.unconsumed_tail
                more = len(content) == CHUNK_SIZE
                if content:
                    yield content
        if not member.eof:
            self.fault = self.fault or "truncated gzip"
