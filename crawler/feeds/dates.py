"""Dates of feeds and sitemaps: W3C date and time (a profile of ISO 8601), and RFC 822."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["parse_date", "parse_w3c_date", "w3c_period"]

_W3C: Final = re.compile(
    r"([0-9]{4}) (?: -([0-9]{2}) (?: -([0-9]{2}) (?:"
    r" [Tt\ ] ([0-9]{2}):([0-9]{2}) (?: :([0-9]{2}) (?: [.,]([0-9]{1,12}) )? )? \ ? ([Zz]|[+-][0-9]{2}:?[0-9]{2})?"
    r" )? )? )?",
    re.VERBOSE,
)
_NO_OFFSET: Final = timedelta()


def parse_w3c_date(text: str) -> datetime | None:
    """Return the first moment of a W3C date, in UTC if no time zone is given; `None` if the text is not one.

    It is a year, a month, a day, or a day and a time with or without seconds and their fraction (W3C NOTE-datetime).
    """
    period = w3c_period(text)
    return None if period is None else period[0]


def w3c_period(text: str) -> tuple[datetime, datetime] | None:
    """Return the first and last moment of a W3C date: ``2026-11`` is a whole month. `None` if the text is not one."""
    found = _W3C.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        start = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0),
            min(int(second or 0), 59) if int(second or 0) <= 60 else 60,  # Python has no leap seconds
            int((fraction or "").ljust(6, "0")[:6]), tzinfo=_zone(zone),
        )  # fmt: skip
    except ValueError:
        return None
    if hour is not None:
        return start, start
    try:
        if day is not None:
            end = start + timedelta(days=1)
        elif month is not None:
            end = (start + timedelta(days=31)).replace(day=1)
        else:
            end = start.replace(year=start.year + 1)
    except (OverflowError, ValueError):
        return start, datetime.max.replace(tzinfo=UTC)
    return start, end - timedelta(microseconds=1)


def parse_date(text: str) -> datetime | None:
    """Return the moment of a W3C or RFC 822 date, in UTC if no time zone is given; `None` if the text is neither."""
    found = parse_w3c_date(text)
    if found is not None or len(text) > 100:
        return found
    try:
        found = parsedate_to_datetime(text.strip())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _zone(zone: str | None) -> timezone:
    """Return the time zone of ``Z``, ``+01:00`` or ``+0100``."""
    if zone is None or zone in "Zz":
        return UTC
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return UTC if offset == _NO_OFFSET else timezone(-offset if zone[0] == "-" else offset)
