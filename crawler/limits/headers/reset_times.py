"""`when`: a reset value in any of its spellings, as a bracket by our own clock.

Servers write the same moment as seconds from now, as an epoch in four units, as a Go duration, or as a date in five
forms. Absolute values are read against the answer's own `Date`, for the clocks of two machines seldom agree.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import attrs

__all__ = ["Moment", "http_date", "is_milli", "read_moment", "skew_of", "when"]

DAY: Final = 86400.0
LONGEST: Final = 32 * DAY
"""Seconds: a longer wait is taken for a mistake."""
FARTHEST: Final = 400 * DAY
"""Seconds: a number this near to now is an epoch, and a moment farther away is a mistake."""
LENGTH: Final = 100
"""Characters: what is longer is no time."""

EPOCHS: Final = (1.0, 1e3, 1e6, 1e9)
UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY}
NUMBER = re.compile(r"\d{1,25}(\.\d{1,25})?", re.ASCII)
PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)
DURATION = re.compile(rf"(?:{PART.pattern})+", re.ASCII)
ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?", re.ASCII | re.IGNORECASE)
MONTH = re.compile(r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE)
JS_ZONE = re.compile(r"GMT(?=[+-]\d{4})|\(.*")
MILLI = re.compile(r"[-_](?:ms|msecs?|millis|milliseconds)$|^x-amz-retry-after$|^requestlimit-.+-retryafter$")


@attrs.frozen
class Moment:
    """A time as a server writes it."""

    value: float
    """Seconds: from the answer on, or since the epoch by the server's clock."""
    absolute: bool
    """Which of the two."""
    early: float = 0.0
    """Seconds by which the true time may come before `value`, since it was rounded up."""
    late: float = 0.0
    """Seconds by which it may come after it, since it was cut off."""

    def bracket(self, *, sent: float, received: float, skew: tuple[float, float]) -> tuple[float, float] | None:
        """The earliest and the latest time that it can be, in seconds since the epoch by our clock.

        Parameters:
            sent: when the request went out.
            received: when the answer was there.
            skew: seconds by which the server's clock is ahead of ours, at least and at most.

        A time that was over before we asked is `None`: it says nothing of what comes.
        """
        if self.absolute:
            first, last = self.value - skew[1], self.value - skew[0]
        else:
            first, last = sent + self.value, received + self.value
        last += self.late
        return (min(max(sent, first - self.early), last), last) if last >= sent else None


def is_milli(field: str) -> bool:
    """Whether the numbers of a field are milliseconds by its (lower-case) name, or by what its vendor documents."""
    return MILLI.search(field) is not None


def read_moment(text: str, *, now: float, milli: bool = False) -> Moment | None:
    """A time in any spelling; what is none is `None`.

    Parameters:
        text: an epoch (s, ms, µs, ns), seconds, a Go duration, RFC 3339, one of the HTTP dates, or JavaScript's date.
            Structured parameters and further members of a list are left aside.
        now: seconds since the epoch, by the server's clock where it is known.
        milli: whether a number that is no epoch counts milliseconds.
    """
    head = text.partition(";")[0].strip()
    first = head.partition(",")[0].rstrip()
    if len(first) <= LENGTH:
        if number := NUMBER.fullmatch(first):
            return _number(float(first), now, milli=milli, exact=number[1] is not None)
        if DURATION.fullmatch(first):
            return _duration(first)
    return _date(head) if len(head) <= LENGTH and head.isascii() else None


def _number(x: float, now: float, *, milli: bool, exact: bool) -> Moment:
    for scale in EPOCHS:
        if abs(x / scale - now) < FARTHEST:
            return Moment(x / scale, True, 0.0 if exact else 1 / scale)
    unit = 1e-3 if milli else 1.0
    return Moment(x * unit, False, 0.0 if exact else unit)


def _duration(text: str) -> Moment:
    parts = PART.findall(text)
    number, unit = parts[-1]
    return Moment(sum(float(x) * UNITS[u] for x, u in parts), False, 0.0 if "." in number else UNITS[unit])


def _date(text: str) -> Moment | None:
    try:
        if iso := ISO.match(text):
            date = datetime.fromisoformat(text.upper())
            early, late = (0.0, 60.0) if iso[1] is None else (0.0 if iso[2] else 1.0, 0.0)
        elif ":" in text and MONTH.search(text):
            date = parsedate_to_datetime(JS_ZONE.sub("", text))
            early, late = (0.0, 1.0) if JS_ZONE.search(text) else (1.0, 0.0)  # JavaScript cuts off
        else:
            return None
        if date.tzinfo is None:  # asctime names no zone, and -0000 is read as none: every HTTP date is in UTC
            date = date.replace(tzinfo=UTC)
        return Moment(date.timestamp(), True, early, late)
    except (ValueError, TypeError, OverflowError, IndexError):  # what the parsers raise for odd text
        return None


def http_date(text: str) -> float | None:
    """Seconds since the epoch of a ``Date`` field (RFC 9110 section 5.6.7), or `None`."""
    text = text.strip()
    moment = _date(text) if len(text) <= LENGTH and text.isascii() else None
    return None if moment is None else moment.value


def skew_of(date: float | None, *, sent: float, received: float) -> tuple[float, float]:
    """Seconds by which a server's clock is ahead of ours, at least and at most, by one answer's ``Date``.

    ``Date`` is cut to whole seconds and was read somewhere between sending and receipt. Without one the clocks are
    taken to agree.
    """
    return (0.0, 0.0) if date is None else (date - received, date + 1.0 - sent)


def when(
    text: str,
    *,
    sent: float,
    received: float,
    date: float | None,
    field: str = "",
    milli: bool | None = None,
    skew: tuple[float, float] | None = None,
) -> tuple[float, float] | None:
    """A reset value as a bracket: restored not before the first and not after the second of two times.

    A whole number is taken to be rounded up: ``t`` answered between `sent` and `received` is in
    (`sent` + t - 1, `received` + t]. One with decimals is exact.

    Parameters:
        text: the value, see `read_moment`.
        sent: seconds since the epoch by our clock: when the request went out.
        received: when the answer was there.
        date: the answer's own ``Date``, in seconds since the epoch by the server's clock; `None`: it has none.
        field: the name of the field in lower case: it may say that numbers are milliseconds.
        milli: says so, or says that they are not, whatever the name.
        skew: what is known of the clocks; `None`: what `date` says of them.

    Negative, implausible (more than 32 days ahead as a wait, more than 400 days away as a date), past or unreadable
    values are `None`; no text raises.
    """
    now = received if date is None else date
    moment = read_moment(text, now=now, milli=is_milli(field) if milli is None else milli)
    if moment is None or (abs(moment.value - now) > FARTHEST if moment.absolute else moment.value > LONGEST):
        return None
    return moment.bracket(sent=sent, received=received, skew=skew or skew_of(date, sent=sent, received=received))
