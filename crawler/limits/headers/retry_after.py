"""Parse ``Retry-After`` in every form that servers send (RFC 9110 section 10.2.3)."""

from __future__ import annotations

from typing import Final

from crawler.lazy_pattern import lazy_pattern
from crawler.limits.headers.reset_times import parse_time

__all__ = ["MAX_RETRY_AFTER", "parse_retry_after"]

MAX_RETRY_AFTER: Final = 366 * 86400.0
"""Seconds; longer waits are cut to this."""
MAX_LENGTH: Final = 1000
"""Characters; longer values are ignored."""
SEPARATOR = lazy_pattern(r",(?!\s*\d{1,2}[ -][A-Za-z]{3})")
"""A comma between two values. The comma inside a date is followed by the day of the month."""


def parse_retry_after(value: str | None, *, now: float, milliseconds: bool = False) -> float | None:
    """Parse a ``Retry-After`` field. Return seconds to wait, at most a year, or `None` if the value is malformed.

    Besides the two forms of the standard it accepts what servers send: decimals, Go durations, epochs, RFC 3339, dates
    in the zone ``-0000``, and values that a proxy joined (``2, 2``), of which the longest counts. A date in the past is
    a wait of 0.
    """
    if not value or len(value) > MAX_LENGTH:
        return None
    times = [parse_time(part, now=now, milliseconds=milliseconds) for part in SEPARATOR.split(value)]
    waits = [time.value - now * time.absolute + time.late for time in times if time is not None]
    return min(max(0.0, *waits), MAX_RETRY_AFTER) if waits else None
