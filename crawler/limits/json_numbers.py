"""Numbers read from JSON documents: saved state, and what servers send."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["json_count", "json_number"]

MAX_NUMBER: Final = 1e15
MAX_COUNT: Final = 10**18 - 1


def json_number(value: Any, low: float = -MAX_NUMBER, high: float = MAX_NUMBER) -> float | None:
    """Return a decoded JSON value as a float, or `None` if it is not a number between `low` and `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return float(value)


def json_count(value: Any) -> float | None:
    """Return a decoded JSON value as a float, or `None` if it is not a number that can count something."""
    return json_number(value, 0.0, MAX_COUNT)
