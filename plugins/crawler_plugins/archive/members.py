"""Compression of WARC files: each record is a gzip member or a zstd frame of its own, so that it can be read alone."""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from crawler import ConfigError

__all__ = ["BrokenRecord", "Compression", "compression_of", "compressor", "read_member"]

Compression = Literal["", "gz", "zst"]

CHUNK: Final = 65_536
GZIP: Final = 31
"""Window bits of zlib for gzip."""
MAX_DIGITS: Final = 20
"""Characters of a Content-Length."""
ZSTD: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
ENDINGS: Final[dict[str, Compression]] = {".warc": "", ".warc.gz": "gz", ".warc.zst": "zst"}


class BrokenRecord(ValueError):
    """Raised when a file ends in the middle of a record, or what it holds is not a record."""


def compression_of(path: Path, plugin: str) -> Compression:
    """Return the compression that the name of an archive stands for.

    Parameters:
        path: The file.
        plugin: The name of the plugin, for messages.

    Raises:
        ConfigError: The name has another ending.
    """
    for ending, compression in ENDINGS.items():
        if path.name.endswith(ending) and len(path.name) > len(ending):
            return compression
    raise ConfigError(f"{plugin}: path must end in {', '.join(ENDINGS)}, not {path.name!r}")


def compressor(compression: Compression, level: int) -> Callable[[bytes, bool], bytes]:
    """Return a function that compresses a record. Its second argument says that the record is compressed already.

    Parameters:
        compression: The compression.
        level: 0 to 9 for gzip, 1 to 22 for zstd.
    """
    if compression == "":
        return lambda record, _: record
    if compression == "gz":
        return lambda record, is_coded: _gzip(record, 0 if is_coded else level)
    zstd: Any = importlib.import_module(ZSTD)
    return lambda record, is_coded: zstd.compress(record, 1 if is_coded else level)


def _gzip(record: bytes, level: int) -> bytes:
    deflater = zlib.compressobj(level, zlib.DEFLATED, GZIP)
    return deflater.compress(record) + deflater.flush()


def read_member(file: BinaryIO, offset: int, compression: Compression) -> tuple[bytes, int]:
    """Return the bytes of a record with its header, and the offset after it; empty bytes at the end of the file.

    Parameters:
        file: The archive.
        offset: Where the record begins.
        compression: Of the archive.

    Raises:
        BrokenRecord: The record is not complete or not valid.
    """
    file.seek(offset)
    if compression == "":
        return _read_plain(file, offset)
    is_gzip = compression == "gz"
    inflater: Any = zlib.decompressobj(GZIP) if is_gzip else importlib.import_module(ZSTD).ZstdDecompressor()
    parts: list[bytes] = []
    read = 0
    try:
        while not inflater.eof:
            chunk = file.read(CHUNK)
            if not chunk:
                if read:
                    raise BrokenRecord(f"the file ends in the middle of the record at byte {offset}")
                return b"", offset
            read += len(chunk)
            parts.append(inflater.decompress(chunk))
    except BrokenRecord:
        raise
    except Exception as error:
        raise BrokenRecord(f"no compressed record at byte {offset}: {error}") from error
    return b"".join(parts), offset + read - len(inflater.unused_data)


def _read_plain(file: BinaryIO, offset: int) -> tuple[bytes, int]:
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        line = file.readline(CHUNK)
        if not line:
            if head:
                raise BrokenRecord(f"the file ends in the middle of the record at byte {offset}")
            return b"", offset
        head += line
        if not head.startswith(b"WARC/"):
            raise BrokenRecord(f"no record at byte {offset}")
    sizes = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if len(sizes) != 1 or not sizes[0].strip().isdigit() or len(sizes[0]) > MAX_DIGITS:
        raise BrokenRecord(f"the record at byte {offset} has no length")
    size = int(sizes[0]) + len(b"\r\n\r\n")
    block = file.read(size)
    if len(block) < size:
        raise BrokenRecord(f"the file ends in the middle of the record at byte {offset}")
    return bytes(head) + block, offset + len(head) + size
