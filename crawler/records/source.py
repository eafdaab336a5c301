"""The bytes of a file of records, in pieces: gzip unpacked, the encoding found, never all of it at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from crawler.content.encoding import canonical_label, decode_label

__all__ = ["Unpacked", "label_of"]

PIECE: Final = 64 * 1024
"""Bytes that are looked at together."""
HEAD: Final = 4096
"""Bytes of packed data that its format and encoding are told by."""
GZIP: Final = b"\x1f\x8b\x08"
"""How gzip data begins (RFC 1952 section 2.3)."""


class Unpacked:
    """The bytes of a body in pieces, unpacked if they are gzip (RFC 1952, several members too).

    Parameters:
        body: the content as it was sent.
        most: bytes that may come out; more of them raise `ValueError`.
    """

    def __init__(self, body: bytes, most: int) -> None:
        self.packed = body.startswith(GZIP)
        self.wrong = ""
        """Known at the end: why not all of it could be unpacked."""
        self._whole, self._body = body, memoryview(body)
        self._most = most

    def __iter__(self) -> Iterator[bytes]:
        if not self.packed:
            for start in range(0, len(self._body), PIECE):
                yield bytes(self._body[start : start + PIECE])
            return
        size = 0
        for piece in self._gunzipped():
            size += len(piece)
            if size > self._most:
                raise ValueError(f"it unpacks to more than {self._most} bytes")
            yield piece

    def head(self) -> bytes:
        """How it begins; of what is not packed, all."""
        if not self.packed:
            return self._whole
        begins = b""
        for piece in self._gunzipped():
            begins += piece
            if len(begins) >= HEAD:
                break
        return begins

    def _gunzipped(self) -> Iterator[bytes]:
        member, at, given = zlib.decompressobj(31), 0, b""
        while True:
            if not given:
                given = bytes(self._body[at : at + PIECE])
                at += len(given)
            try:
                piece = member.decompress(given, PIECE) if given else member.flush()
            except zlib.error as error:
                self.wrong = f"its gzip data is damaged ({error})"
                return
            if piece:
                yield piece
            if member.eof:  # what is no other member is noise, which gunzip leaves alone too
                at -= len(member.unused_data)
                if bytes(self._body[at : at + len(GZIP)]) != GZIP:
                    return
                member, given = zlib.decompressobj(31), b""
            elif not given:
                self.wrong = "its gzip data ends too early"
                return
            else:
                given = member.unconsumed_tail


def label_of(head: bytes, content_type: str | None, encoding: str) -> str:
    """The WHATWG name of the encoding of a file.

    Parameters:
        head: how it begins.
        content_type: the HTTP header field of that name.
        encoding: what the user says; empty: nothing.
    """
    return canonical_label(encoding) or decode_label(head, content_type)
