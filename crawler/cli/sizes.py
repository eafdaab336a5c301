"""`size`: a number of bytes with a unit."""

from __future__ import annotations

__all__ = ["size"]


def size(n: float) -> str:
    """Return a number of bytes with a unit: ``340 B``, ``12.3 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000 or unit == "GB":
            break
        n /= 1000
    return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
