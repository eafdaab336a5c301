"""`GunzippedBody`: the bytes of a file of records in chunks, decompressed on the way."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

__all__ = ["GunzippedBody"]

CHUNK_SIZE: Final = 64 * 1024
"""Bytes per chunk."""
SNIFF_BYTES: Final = 4096
"""Decompressed bytes by which format and encoding are detected."""
GZIP_MAGIC: Final = b"\x1f\x8b\x08"
"""The first bytes of gzip data (RFC 1952 section 2.3)."""


class GunzippedBody:
    """The bytes of a body in chunks; gzip is decompressed (RFC 1952, with several members, too).

    Parameters:
        body: The content as it was sent.
        max_bytes: Limit of the decompressed bytes. Iteration raises `ValueError` beyond it.
    """

    def __init__(self, body: bytes, max_bytes: int) -> None:
        self.is_gzip = body.startswith(GZIP_MAGIC)
        self.fault = ""
        """Why not everything could be decompressed; empty if it was. Known after the iteration."""
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
                raise ValueError(f"the file decompresses to more than {self._max_bytes} bytes")
            yield chunk

    def head(self) -> bytes:
        """Return the first decompressed bytes; the whole body if it is not gzip."""
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
                self.fault = f"the gzip data is damaged ({error})"
                return
            if chunk:
                yield chunk
            if member.eof:  # anything but a further member is trailing garbage, which gunzip ignores, too
                at -= len(member.unused_data)
                if bytes(self._body[at : at + len(GZIP_MAGIC)]) != GZIP_MAGIC:
                    return
                member, given = zlib.decompressobj(31), b""
            elif not given:
                self.fault = "the gzip data is truncated"
                return
            else:
                given = member.unconsumed_tail
