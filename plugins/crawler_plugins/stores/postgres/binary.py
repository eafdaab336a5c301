"""Values in the binary format of PostgreSQL: what a call sends, and what it reads from an answer.

An array is its number of dimensions, whether it has nulls, the type of its elements, their number and the first index;
then each element is its length and its bytes, and a null is the length -1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = [
    "bigint", "bigints", "boolean", "booleans", "byteas", "double", "doubles", "integer", "integers", "read_boolean",
    "read_double", "read_int", "read_ints", "read_text", "read_texts", "text", "texts", "uuids",
]  # fmt: skip

BOOLEAN, BYTEA, BIGINT, INTEGER, TEXT, DOUBLE, UUID = 16, 17, 20, 23, 25, 701, 2950
"""Numbers of types, which are the same in every server."""
HEADER: Final = struct.Struct("!5i")
LENGTH: Final = struct.Struct("!i")
NULL: Final = LENGTH.pack(-1)


def boolean(value: bool) -> bytes:
    """Return a truth value."""
    return bytes([value])


def integer(value: int) -> bytes:
    """Return an integer of 32 bits."""
    return struct.pack("!i", value)


def bigint(value: int) -> bytes:
    """Return an integer of 64 bits."""
    return struct.pack("!q", value)


def double(value: float) -> bytes:
    """Return a float."""
    return struct.pack("!d", value)


def text(value: str) -> bytes:
    """Return a string. Lone surrogates become question marks."""
    return value.encode("utf-8", "replace")


def booleans(values: Sequence[bool]) -> bytes:
    """Return an array of truth values."""
    return _fixed(BOOLEAN, 1, "?", values)


def bigints(values: Sequence[int]) -> bytes:
    """Return an array of integers of 64 bits."""
    return _fixed(BIGINT, 8, "q", values)


def integers(values: Sequence[int]) -> bytes:
    """Return an array of integers of 32 bits."""
    return _fixed(INTEGER, 4, "i", values)


def doubles(values: Sequence[float]) -> bytes:
    """Return an array of floats."""
    return _fixed(DOUBLE, 8, "d", values)


def texts(values: Iterable[str | bytes | None]) -> bytes:
    """Return an array of strings and nulls. Bytes are UTF-8."""
    return _array(TEXT, [value.encode("utf-8", "replace") if isinstance(value, str) else value for value in values])


def byteas(values: Iterable[bytes | None]) -> bytes:
    """Return an array of bytes and nulls."""
    return _array(BYTEA, list(values))


def uuids(values: Iterable[bytes | None]) -> bytes:
    """Return an array of 16 bytes each and nulls."""
    return _array(UUID, list(values))


def read_int(value: bytes | None) -> int:
    """Return an integer of any size."""
    assert value is not None
    return int.from_bytes(value, "big", signed=True)


def read_double(value: bytes | None) -> float:
    """Return a float."""
    assert value is not None
    found: float = struct.unpack("!d", value)[0]
    return found


def read_boolean(value: bytes | None) -> bool:
    """Return a truth value."""
    return value == b"\x01"


def read_text(value: bytes | None) -> str:
    """Return a string."""
    assert value is not None
    return value.decode()


def read_ints(value: bytes | None) -> list[int]:
    """Return an array of integers of any size without nulls; empty for a null."""
    return [read_int(element) for element in _elements(value)]


def read_texts(value: bytes | None) -> list[str]:
    """Return an array of strings without nulls; empty for a null."""
    return [element.decode() for element in _elements(value)]


def _elements(value: bytes | None) -> list[bytes]:
    found: list[bytes] = []
    at = HEADER.size
    while value is not None and at < len(value):
        (length,) = LENGTH.unpack_from(value, at)
        found.append(value[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def _fixed(kind: int, size: int, code: str, values: Sequence[float]) -> bytes:
    if not values:
        return _empty(kind)
    flat = [part for value in values for part in (size, value)]
    return HEADER.pack(1, 0, kind, len(values), 1) + struct.pack("!" + f"i{code}" * len(values), *flat)


def _array(kind: int, values: Sequence[bytes | None]) -> bytes:
    if not values:
        return _empty(kind)
    parts = [HEADER.pack(1, None in values, kind, len(values), 1)]
    for value in values:
        if value is None:
            parts.append(NULL)
        else:
            parts += (LENGTH.pack(len(value)), value)
    return b"".join(parts)


def _empty(kind: int) -> bytes:
    return struct.pack("!3i", 0, 0, kind)
