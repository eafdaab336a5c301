"""`parse_status_line`: the first line of a response."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["parse_status_line"]


@lru_cache(maxsize=256)
def parse_status_line(line: bytes) -> tuple[bytes, int, bytes]:
    """Return version, status and reason phrase. The status is -1 if further digits follow, which libcurl ignores."""
    version, _, rest = line.partition(b" ")
    return version.upper(), -1 if rest[3:4].isdigit() else int(rest[:3]), rest[4:].strip(b"\r\n")
