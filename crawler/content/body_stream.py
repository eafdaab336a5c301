"""`Incoming`: a body as text, piece by piece: unpacked if it is gzip, decoded, and never more than so much of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from crawler.content.decode_stream import texts
from crawler.content.encoding import decode_label

__all__ = ["Incoming"]

PIECE: Final = 64 * 1024
"""Bytes of a piece."""
STEP: Final = 1024
"""Bytes that are unpacked at once."""
HEAD: Final = 1024
"""Bytes that are looked at for the encoding."""
GZIP: Final = b"\x1f\x8b"


class Incoming:
    """The text of a body, to be read once.

    Whether it is packed shows in its first bytes, whatever its name or its type say; a file that was packed twice is
    unpacked twice. Nothing that is in it raises.

    Parameters:
        body: bytes, or pieces of them.
        content_type: the HTTP header field of that name, if there was one.
        most: bytes that are read, unpacked.
    """

    def __init__(self, body: bytes | Iterable[bytes], content_type: str | None, most: int) -> None:
        self._body = body
        self._content_type = content_type
        self._most = most
        self.fault: str | None = None
        """Why it ended early, in a few words."""

    def __iter__(self) -> Iterator[str]:
        chunks = self._capped(self._unpacked(self._unpacked(self._pieces())))
        head = b""
        for chunk in chunks:
            head += chunk
            if len(head) >= HEAD:
                break
        yield from texts(chain((head,), chunks), self._label(head))

    def _label(self, head: bytes) -> str:
        if head[:2] in (b"<\0", b"\0<"):  # UTF-16 without a byte order mark (XML 1.0 appendix F)
            return "utf-16le" if head[0] else "utf-16be"
        return decode_label(head, self._content_type)

    def _pieces(self) -> Iterator[bytes]:
        if isinstance(self._body, (bytes, bytearray, memoryview)):
            view = memoryview(self._body)
            yield from (bytes(view[at : at + PIECE]) for at in range(0, len(view), PIECE))
        else:
            yield from self._body

    def _capped(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        left = self._most
        for chunk in chunks:
            if len(chunk) > left:
                self.fault = f"larger than {self._most} bytes"
                yield chunk[:left]
                return
            left -= len(chunk)
            yield chunk

    def _unpacked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What is packed as gzip (RFC 1952), which may have several members; anything else as it is."""
        head = b""
        for chunk in chunks:
            head += chunk
            if len(head) >= len(GZIP):
                break
        if not head.startswith(GZIP):
            yield head
            yield from chunks
            return
        member = zlib.decompressobj(31)
        # In small steps: of one that turns out to be broken the whole is lost.
        steps = (chunk[at : at + STEP] for chunk in chain((head,), chunks) for at in range(0, len(chunk), STEP))
        for chunk in steps:
            rest, more = chunk, True
            while rest or more:
                if member.eof:
                    if not rest.startswith(GZIP[: len(rest)]) or not rest:
                        break  # padding, or noise that somebody put behind
                    member = zlib.decompressobj(31)
                try:
                    plain = member.decompress(rest, PIECE)
                except zlib.error:
                    self.fault = "broken gzip"
                    return
                rest = member.unused_data if member.eof else member.unconsumed_tail
                more = len(plain) == PIECE
                if plain:
                    yield plain
        if not member.eof:
            self.fault = self.fault or "gzip that ends early"
