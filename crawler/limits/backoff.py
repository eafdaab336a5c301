"""How long to wait before the same request is tried again."""

from __future__ import annotations

import math
import random
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["full_jitter", "parse_retry_after"]


def full_jitter(attempt: int, *, base: float, cap: float, random: random.Random) -> float:
    """Seconds before attempt `attempt` + 1: uniform in 0 … min(`cap`, `base` · 2^(`attempt` - 1)).

    Parameters:
        attempt: attempts made so far, at least 1.
        base: seconds, the upper end after the first attempt.
        cap: seconds, the upper end whatever the attempt.
        random: where chance comes from.
    """
    return random.uniform(0.0, min(cap, base * 2.0 ** min(attempt - 1, 62)))


def parse_retry_after(value: str | None, *, now: float) -> float | None:
    """Seconds to wait by a ``Retry-After`` field: delta seconds or an HTTP date (RFC 9110 section 10.2.3).

    Parameters:
        value: the field, or `None`.
        now: seconds since the epoch, by the server's ``Date`` where there is one.

    A malformed value is no value: `None`.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text)
        return seconds if seconds < math.inf else None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    if date.tzinfo is None:  # the form of asctime names no zone: every HTTP date is in UTC
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - now)
