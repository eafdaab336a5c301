"""`parse_retry_after`: how long a server that refuses asks us to wait, in every form seen (RFC 9110 section 10.2.3)."""

from __future__ import annotations

import re
from typing import Final

from crawler.limits.headers.reset_times import read_moment

__all__ = ["YEAR", "parse_retry_after"]

YEAR: Final = 366 * 86400.0
"""Seconds: no wait is longer."""
LENGTH: Final = 1000
"""Characters: what is longer is no wait."""
DOUBLED = re.compile(r",(?!\s*\d{1,2}[ -][A-Za-z]{3})")
"""A comma between two values; the one inside a date stands before the day of the month."""


def parse_retry_after(value: str | None, *, now: float, milli: bool = False) -> float | None:
    """Seconds to wait by a ``Retry-After`` field: seconds or a date; of several values the longest, a year at most.

    Beside the two forms of the standard it takes what servers send: decimals, Go durations, epochs, RFC 3339, dates in
    the zone ``-0000``, and fields that a proxy joined (``2, 2``).

    Parameters:
        value: the field, or `None`.
        now: seconds since the epoch, by the server's ``Date`` where there is one.
        milli: whether a number counts milliseconds.

    A malformed value is no value: `None`. A date that has passed is no wait: 0.
    """
    if not value or len(value) > LENGTH:
        return None
    moments = [read_moment(part, now=now, milli=milli) for part in DOUBLED.split(value)]
    waits = [moment.value - now * moment.absolute + moment.late for moment in moments if moment is not None]
    return min(max(0.0, *waits), YEAR) if waits else None
