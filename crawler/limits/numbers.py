"""`number`: numbers that were kept as JSON values; garbage is none."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["number"]

LARGE: Final = 1e15


def number(value: Any, low: float = -LARGE, high: float = LARGE) -> float | None:
    """The value if it is a number in this range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return float(value)
