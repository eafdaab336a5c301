"""`GunzippedBody`: the bytes of a file of records; and `BrokenRecord` and `PAUSE`, which take the place of records."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final, Literal

import attrs

from crawler.content.gunzip import GZIP_MAGIC, Gunzipped

__all__ = ["PAUSE", "BrokenRecord", "GunzippedBody", "Pause"]


class GunzippedBody:
    """The bytes of a body in chunks; gzip is decompressed. A body that is not gzip may have any size."""

    def __init__(self, body: bytes, max_bytes: int) -> None:
        self.fault: str | None = None
        """Why not everything could be decompressed; `None` if it was. Known after the iteration."""
        self._body = body
        self._is_gzip = body.startswith(GZIP_MAGIC)
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[bytes]:
        content = Gunzipped(self._body)
        size = 0
        for chunk in content:
            size += len(chunk)
            if self._is_gzip and size > self._max_bytes:
                raise ValueError(f"the file decompresses to more than {self._max_bytes} bytes")
            yield chunk
        self.fault = content.fault

    def head(self) -> bytes:
        """Return the first decompressed bytes; the whole body if it is not gzip."""
        if not self._is_gzip:
            return self._body
        head = b""
        for chunk in Gunzipped(self._body):
            head += chunk
            if len(head) >= 4096:  # decompressed bytes by which format and encoding are detected
                break
        return head


@attrs.frozen
class BrokenRecord:
    """A record that cannot be read."""

    reason: str
    """The error, in one line."""
    is_cut: bool = False
    """Whether the file ends in it, as one does that was cut."""


class Pause(Enum):
    """The type of `PAUSE`; a class of its own, since a record of JSON may be any value."""

    PAUSE = "pause"


PAUSE: Final[Literal[Pause.PAUSE]] = Pause.PAUSE
"""Yielded at least once for each 64 KB of a file without records, so that other tasks may run meanwhile."""
