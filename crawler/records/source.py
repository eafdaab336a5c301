"""The bytes of a file of records, in pieces: gzip unpacked, the encoding found, never all of it at once."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

__all__ = ["GunzippedBody"]

CHUNK_SIZE: Final = 64 * 1024
"""Bytes that are looked at together."""
SNIFF_BYTES: Final = 4096
"""Bytes of packed data that its format and encoding are told by."""
GZIP_MAGIC: Final = b"\x1f\x8b\x08"
"""How gzip data begins (RFC 1952 section 2.3)."""


class GunzippedBody:
    """The bytes of a body in pieces, unpacked if they are gzip (RFC 1952, several members too).

    Parameters:
        body: the content as it was sent.
        most: bytes that may come out; more of them raise `ValueError`.
    """

    def __init__(self, body: bytes, max_bytes: int) -> None:
        self.is_gzip = body.startswith(GZIP_MAGIC)
        self.fault = ""
        """Known at the end: why not all of it could be unpacked."""
        self._whole, self._body = body, memoryview(body)
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[bytes]:
        if not self.is_gzip:
            for start in range(0, len(self._body), CHUNK_SIZE):
                yield bytes(self._body[start : start + CHUNK_SIZE])
            return
        size = 0
        for chunk in self._gunzipped():
            size += len(chunk)
            if size > self._max_bytes:
                raise ValueError(f"it unpacks to more than {self._max_bytes} bytes")
            yield chunk

    def head(self) -> bytes:
        """How it begins; of what is not packed, all."""
        if not self.is_gzip:
            return self._whole
        begins = b""
        for chunk in self._gunzipped():
            begins += chunk
            if len(begins) >= SNIFF_BYTES:
                break
        return begins

    def _gunzipped(self) -> Iterator[bytes]:
        member, at, given = zlib.decompressobj(31), 0, b""
        while True:
            if not given:
                given = bytes(self._body[at : at + CHUNK_SIZE])
                at += len(given)
            try:
                chunk = member.decompress(given, CHUNK_SIZE) if given else member.flush()
            except zlib.error as error:
                self.fault = f"its gzip data is damaged ({error})"
                return
            if chunk:
                yield chunk
            if member.eof:  # what is no other member is noise, which gunzip leaves alone too
                at -= len(member.unused_data)
                if bytes(self._body[at : at + len(GZIP_MAGIC)]) != GZIP_MAGIC:
                    return
                member, given = zlib.decompressobj(31), b""
            elif not given:
                self.fault = "its gzip data ends too early"
                return
            else:
                given = member.unconsumed_tail
