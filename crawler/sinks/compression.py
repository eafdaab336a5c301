"""Compressed files: each batch is a gzip member or a zstd frame of its own, so that a file can be cut after any batch.

Members of gzip (RFC 1952 section 2.2) and frames of zstd (RFC 8878 section 3.1) may follow each other: their contents
are one content. A file that ends within a member, as a killed process leaves it, has the content of the whole members
and of the beginning of the last one.
"""

from __future__ import annotations

import importlib
import io
import sys
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final, Protocol

from msgspec import Struct

__all__ = ["COMPRESSIONS", "BrokenMember", "Compression", "Content", "compression_of", "first_lost_block"]

CHUNK: Final = 16 * 1024
"""Bytes of a file that are decompressed in one step."""
GZIP: Final = 31
"""The argument of `zlib` for gzip members."""
BLOCK: Final = 4096
"""Bytes that a file system writes at once."""


class BrokenMember(ValueError):
    """Raised when a file has bytes that are not a member, or not the beginning of one."""


class Decompressor(Protocol):
    """Decompresses one member, as the classes of `zlib` and `compression.zstd` do."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""

    @property
    def unused_data(self) -> bytes:
        """Bytes after the member."""

    def decompress(self, data: bytes, /) -> bytes:
        """Return the content of further bytes."""


class Compression(Struct, frozen=True, kw_only=True, eq=False):
    """A way to compress files."""

    ending: str
    """The file extension."""
    compress: Callable[[bytes], bytes]
    """Returns one member with the given content."""
    decompressor: Callable[[], Decompressor]
    """Returns a decompressor for one member."""
    errors: tuple[type[Exception], ...]
    """The exceptions that the decompressor raises."""


def _gzip() -> Compression:
    def compress(data: bytes) -> bytes:
        return zlib.compress(data, level=6, wbits=GZIP)

    return Compression(
        ending=".gz", compress=compress, decompressor=lambda: zlib.decompressobj(GZIP), errors=(zlib.error,)
    )


def _zstd() -> Compression:
    module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    zstd: Any = importlib.import_module(module)
    return Compression(
        ending=".zst", compress=zstd.compress, decompressor=zstd.ZstdDecompressor, errors=(zstd.ZstdError,)
    )


COMPRESSIONS: Final[dict[str, Callable[[], Compression]]] = {".gz": _gzip, ".zst": _zstd}
"""By file extension."""


def compression_of(name: str) -> Compression | None:
    """Return the compression of a file by its extension; `None`: it has none."""
    for ending, load in COMPRESSIONS.items():
        if name.lower().endswith(ending):
            return load()
    return None


class Content(io.RawIOBase):
    """The content of a compressed file, as a raw stream, from the current offset of the file to its end."""

    def __init__(self, file: BinaryIO, compression: Compression, stop: int | None = None) -> None:
        super().__init__()
        self._compression = compression
        self._offset = file.tell()
        self._read = 0
        self._ends: OrderedDict[int, int] = OrderedDict({0: self._offset})  # byte offsets by the length of the content
        self.is_whole = True
        """Whether everything that was read so far ends with a member."""
        self._rest = memoryview(b"")
        self._chunks = self._decompress(file, stop)

    def readable(self) -> bool:
        """Return `True`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some content."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._rest))
        view[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def end_at(self, length: int) -> int | None:
        """Return the byte offset of the file at which `length` bytes of content end; `None`: no member ends there."""
        while length not in self._ends and self._read <= length and (chunk := next(self._chunks, None)) is not None:
            self._rest = memoryview(bytes(self._rest) + chunk)  # the end of a member may not have been read yet
        return self._ends.get(length)

    def _decompress(self, file: BinaryIO, stop: int | None) -> Iterator[bytes]:
        data = b""
        member = None
        while data or (data := file.read(CHUNK if stop is None else min(CHUNK, stop - self._offset))):
            if member is None:
                member = self._compression.decompressor()
            try:
                content = member.decompress(data)
            except self._compression.errors as error:
                raise BrokenMember(str(error)) from None
            self.is_whole = member.eof
            self._offset += len(data) - len(member.unused_data)
            self._read += len(content)
            data = member.unused_data
            if member.eof:
                self._ends[self._read] = self._offset
                # `Content` knows where members end in the last 4 MiB of what was read.
                while next(iter(self._ends)) < self._read - 4 * 1024 * 1024:
                    self._ends.popitem(last=False)
                member = None
            yield content


def first_lost_block(file: BinaryIO, start: int) -> int | None:
    """Return the byte offset of the first block that a system that stopped did not write; `None` without one.

    Such a block holds zeros, from `start` on or from its own beginning.
    """
    offset = start
    file.seek(start)
    while data := file.read(BLOCK - offset % BLOCK):
        if not data.strip(b"\0"):
            return offset
        offset += len(data)
    return None
