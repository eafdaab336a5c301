"""Parse reset values, in any of the forms that servers send, as ranges of times by our own clock.

Servers write the same moment as seconds from now, as an epoch in one of four units, as a Go duration, or as a date in
one of five forms. Absolute times are read relative to the response's own ``Date``, because clocks seldom agree.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from msgspec import Struct

from crawler.lazy_pattern import lazy_pattern
from crawler.limits.headers.declared import TimeRange

__all__ = [
    "StatedTime",
    "clock_skew_range",
    "counts_milliseconds",
    "is_window_in_milliseconds",
    "parse_http_date",
    "parse_reset",
    "parse_time",
]

HOUR: Final = 3600.0
DAY: Final = 86400.0
MAX_WAIT: Final = 32 * DAY
"""Seconds; a longer wait is taken for a mistake."""
MAX_DISTANCE: Final = 400 * DAY
"""Seconds from now. A number within this distance is an epoch; a date beyond it is a mistake."""
MAX_LENGTH: Final = 100
"""Characters; longer text is not a time."""

EPOCH_UNITS: Final = (1.0, 1e3, 1e6, 1e9)
"""Units per second of an epoch: s, ms, µs, ns."""
UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY}
NUMBER = lazy_pattern(r"\d{1,25}(\.\d{1,25})?", re.ASCII)
_PART = r"(?<![\d.])(\d++(?:\.\d++)?)(ns|us|µs|μs|ms|s|m|h|d)"
DURATION_PART = lazy_pattern(_PART, re.ASCII)
DURATION = lazy_pattern(rf"(?:{_PART})+", re.ASCII)
ISO_DATE = lazy_pattern(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?", re.ASCII | re.IGNORECASE)
MONTH = lazy_pattern(r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE)
JAVASCRIPT_ZONE = lazy_pattern(r"GMT(?=[+-]\d{4})|\(.*")
MILLISECONDS = lazy_pattern(r"[-_](?:ms|msecs?|millis|milliseconds)$|^x-amz-retry-after$|^requestlimit-.+-retryafter$")


class StatedTime(Struct, frozen=True):
    """A time as a server states it."""

    value: float
    """Seconds from the response, or seconds since the epoch by the server's clock."""
    absolute: bool
    """Whether `value` is since the epoch."""
    early: float = 0.0
    """Seconds by which the true time may be earlier, because the stated one was rounded up."""
    late: float = 0.0
    """Seconds by which the true time may be later, because the stated one was truncated."""

    def time_range(self, *, sent: float, received: float, skew: TimeRange) -> TimeRange | None:
        """Return the range of the time by our clock, or `None` if it had passed before the request was sent."""
        if self.absolute:
            first, last = self.value - skew[1], self.value - skew[0]
        else:
            first, last = sent + self.value, received + self.value
        last += self.late
        return (min(max(sent, first - self.early), last), last) if last >= sent else None


def counts_milliseconds(field: str) -> bool:
    """Return whether a field's numbers are milliseconds, by its lower-case name or by its vendor's documentation."""
    return MILLISECONDS.search(field) is not None


def is_window_in_milliseconds(number: float) -> bool:
    """Return whether a window of so many seconds is improbable: whole thousands, and neither whole hours nor days."""
    return number % 1000 == 0 and bool(number > MAX_WAIT or number % (HOUR if number <= DAY else DAY))


def parse_time(text: str, *, now: float, milliseconds: bool = False) -> StatedTime | None:
    """Parse a time. Return `None` if the text is not one."""
    head = text.partition(";")[0].strip()
    first = head.partition(",")[0].rstrip()
    if len(first) <= MAX_LENGTH:
        if number := NUMBER.fullmatch(first):
            return _parse_number(float(first), now, milliseconds=milliseconds, exact=_are_exact(number[1]))
        if DURATION.fullmatch(first):
            return _parse_duration(first)
    return _parse_date(head) if len(head) <= MAX_LENGTH and head.isascii() else None


def _are_exact(decimals: str | None) -> bool:
    """Return whether decimals show that a number was not rounded: zeros, as in ``598.0``, do not."""
    return decimals is not None and decimals.strip(".0") != ""


def _parse_number(x: float, now: float, *, milliseconds: bool, exact: bool) -> StatedTime:
    for scale in EPOCH_UNITS:
        if abs(x / scale - now) < MAX_DISTANCE:
            return StatedTime(x / scale, True, 0.0 if exact else 1 / scale)
    unit = 1e-3 if milliseconds else 1.0
    return StatedTime(x * unit, False, 0.0 if exact else unit)


def _parse_duration(text: str) -> StatedTime:
    parts = DURATION_PART.findall(text)
    number, unit = parts[-1]
    return StatedTime(sum(float(x) * UNITS[u] for x, u in parts), False, 0.0 if "." in number else UNITS[unit])


def _parse_date(text: str) -> StatedTime | None:
    try:
        if iso := ISO_DATE.match(text):
            date = datetime.fromisoformat(text.upper())
            early, late = (0.0, 60.0) if iso[1] is None else (0.0 if _are_exact(iso[2]) else 1.0, 0.0)
        elif ":" in text and MONTH.search(text):
            date = parsedate_to_datetime(JAVASCRIPT_ZONE.sub("", text))
            early, late = (0.0, 1.0) if JAVASCRIPT_ZONE.search(text) else (1.0, 0.0)  # JavaScript truncates
        else:
            return None
        if date.tzinfo is None:  # asctime has no zone, and -0000 is parsed as none: every HTTP date is in UTC
            date = date.replace(tzinfo=UTC)
        return StatedTime(date.timestamp(), True, early, late)
    except (ValueError, TypeError, OverflowError, IndexError):  # the parsers raise any of these for malformed text
        return None


def parse_http_date(text: str) -> float | None:
    """Parse a ``Date`` field (RFC 9110 section 5.6.7). Return seconds since the epoch, or `None` if it is malformed."""
    text = text.strip()
    date = _parse_date(text) if len(text) <= MAX_LENGTH and text.isascii() else None
    return None if date is None else date.value


def clock_skew_range(date: float, *, sent: float, received: float) -> TimeRange:
    """Return the seconds, at least and at most, by which the server's clock is ahead of ours, from one response.

    The server read its clock at some time between `sent` and `received`, and ``Date`` is truncated to whole seconds.
    """
    return date - received, date + 1.0 - sent


def parse_reset(
    text: str, *, sent: float, received: float, skew: TimeRange = (0.0, 0.0), milliseconds: bool = False
) -> TimeRange | None:
    """Parse a reset value. Return the earliest and the latest time of the reset, in seconds since the epoch.

    A whole number is assumed to be rounded up: a value of t seconds means a reset in (`sent` + t - 1, `received` + t].
    A number with decimals is exact.

    The result is `None` if the value is unreadable, negative, in the past, or implausible: a wait of more than 32 days
    or a date more than 400 days away. No text raises.
    """
    now = received + skew[0]
    stated = parse_time(text, now=now, milliseconds=milliseconds)
    if stated is None or (abs(stated.value - now) > MAX_DISTANCE if stated.absolute else stated.value > MAX_WAIT):
        return None
    return stated.time_range(sent=sent, received=received, skew=skew)
