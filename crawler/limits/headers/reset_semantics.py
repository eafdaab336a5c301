"""`ResetSemantics`: find out what the numbers of a reset field mean from how they change between two responses.

The end of a window stands still while the window is used up. So of two responses in one window:

* a number of seconds falls by 1 per second and an epoch stays the same: the plain reading is right (``plain``);
* a number that falls by 1000 per second counts ``milliseconds``;
* a time that moves away in proportion to the units spent is the time until a bucket is ``full`` again (GCRA, token
  buckets);
* a time that moves away without any proportion is useless (``moving``), such as the constant length of the window.

A time before which units return is wrong, whatever the reason; see `crawler.limits.quotas.window`.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import attrs

from crawler.limits.headers.declared import TimeRange

__all__ = ["ResetReading", "ResetSemantics", "compare_readings"]

VERDICTS: Final = ("plain", "milliseconds", "full", "moving")
TIME_TO_FULL = re.compile(r"x-ratelimit-reset-(?:requests|tokens)|anthropic-(?:fast-)?ratelimit-.+-reset")
"""Fields that are documented as the time until the bucket is full."""
MAX_FIELDS: Final = 64
"""Fields with a verdict, and pairs of field and policy with a reading, that are remembered per server."""
MAX_PLAUSIBLE: Final = 60.0
"""Seconds in which one unit returns to a bucket, at most, if only one response shows it."""
MIN_SECONDS_APART: Final = 0.2
"""Seconds between two responses before a number can be recognised as milliseconds: it falls by 200 in that time."""


@attrs.frozen(kw_only=True)
class ResetReading:
    """The reset value of one response, read both ways."""

    sent: float
    """When the request was sent, in seconds since the epoch."""
    received: float
    """When the response was received, in seconds since the epoch."""
    reset: TimeRange
    """The reset time by the plain reading, in seconds since the epoch."""
    milliseconds: TimeRange | None = None
    """The reset time if the number counts milliseconds. `None` means that it cannot."""
    limit: float | None = None
    """Units per window, as the same response states."""
    remaining: float | None = None
    """Units left, as the same response states."""

    def seconds_per_unit(self) -> TimeRange | None:
        """Return the seconds, at least and at most, that restoring one unit takes if `reset` is the time to full.

        `limit` - `remaining` units are missing, of which the last may be partly restored already. A range that is
        narrower than the round trip is an exact date; then it is not known when in the round trip the server wrote it.
        """
        if self.limit is None or self.remaining is None or self.remaining >= self.limit:
            return None
        missing = self.limit - self.remaining
        trip = self.received - self.sent
        unknown = trip if self.reset[1] - self.reset[0] < trip else 0.0
        longest = max(0.0, self.reset[1] - self.received + unknown) / (missing - 1) if missing > 1 else math.inf
        return max(0.0, self.reset[0] - self.sent - unknown) / missing, longest

    def rate_range(self) -> TimeRange:
        """Return the units, at least and at most, restored per second if `reset` is the time to full."""
        shortest, longest = self.seconds_per_unit() or (0.0, math.inf)
        return 1 / longest if longest > 0 else 0.0, 1 / shortest if shortest > 0 else math.inf


def _overlap(one: TimeRange, other: TimeRange) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _is_vague(seconds_per_unit: TimeRange | None) -> bool:
    """Return whether a long time was stated for one unit, which may be partly restored: any longer one agrees."""
    return seconds_per_unit is not None and seconds_per_unit[0] > MAX_PLAUSIBLE and math.isinf(seconds_per_unit[1])


def compare_readings(old: ResetReading, new: ResetReading) -> str:
    """Return the verdict that two readings of one field in one window prove; empty if they prove nothing."""
    apart = not _overlap(old.reset, new.reset)
    if (
        new.received - old.received >= MIN_SECONDS_APART
        and old.milliseconds
        and new.milliseconds
        and apart
        and _overlap(old.milliseconds, new.milliseconds)
    ):
        return "milliseconds"
    if old.remaining is None or new.remaining is None or new.remaining >= old.remaining:
        return ""
    before, after = old.seconds_per_unit(), new.seconds_per_unit()
    if new.reset[0] > old.reset[1]:
        if _is_vague(before):
            return ""
        spent = max(1.0, old.remaining - new.remaining - 1.0)  # at least: units may have returned, a part was rounded
        moved = after is None or new.reset[1] - old.reset[0] >= spent * after[0]
        return "full" if moved and (before is None or after is None or _overlap(before, after)) else "moving"
    uncertainty = (old.reset[1] - old.reset[0]) + (new.reset[1] - new.reset[0])
    if not apart and after and after[0] * (old.remaining - new.remaining) > uncertainty:
        return "plain"  # a time to full would have moved by more than the uncertainty
    return ""


class ResetSemantics:
    """Verdicts on the reset fields of one server. They override what a field's name or magnitude suggests."""

    def __init__(self) -> None:
        self.verdicts: dict[str, str] = {}
        """Verdict by field name: ``plain``, ``milliseconds``, ``full`` or ``moving``."""
        self._first: dict[tuple[str, str], ResetReading] = {}
        self._rates: dict[tuple[str, str], float] = {}

    def verdict(self, field: str) -> str:
        """Return the proven or documented verdict on a field; empty if there is none."""
        return self.verdicts.get(field) or ("full" if TIME_TO_FULL.fullmatch(field) else "")

    def observe(self, field: str, policy: str, new: ResetReading) -> None:
        """Compare a reading with the first one of its window."""
        key = field, policy
        old = self._first.get(key)
        if old is None:
            if len(self._first) < MAX_FIELDS:
                self._first[key] = new
            return
        if new.sent < old.received:
            return  # the order in which the server wrote the two is unknown
        in_milliseconds = self.verdicts.get(field) == "milliseconds"
        end = old.milliseconds if in_milliseconds and old.milliseconds else old.reset
        if new.sent >= end[0] or self._may_be_another_window(old, new):
            self._first[key] = new
            return
        verdict = compare_readings(old, new)
        if not verdict and _is_vague(old.seconds_per_unit()):
            self._first[key] = new
        if verdict and not (verdict == "full" and self.verdicts.get(field) == "moving"):
            self.remember(field, verdict)

    def verdict_when_empty(self, field: str, policy: str, new: ResetReading, *, refused: bool) -> str:
        """Return the verdict on a long wait where nothing is left: ``milliseconds`` unless one before agrees with it.

        If that is wrong, the probe is refused, and agrees. Parameters as of `observe`.
        """
        old = self._first.get((field, policy))
        if old is None or old.reset[1] <= new.sent:  # of a window that has ended
            return "milliseconds"
        if new.sent < old.received + MIN_SECONDS_APART:
            return "milliseconds" if refused or old.remaining == 0 else ""
        verdict = "plain" if _overlap(old.reset, new.reset) else "milliseconds"
        self.remember(field, verdict)
        return verdict

    def verdict_by_wait(self, field: str, new: ResetReading, wait: float) -> str:
        """Return the verdict with which the ``Retry-After`` of the same refusal agrees, if only one does."""
        waited = new.sent + wait - 1.0, new.received + wait + 1.0  # both may be whole seconds
        if new.milliseconds is None or _overlap(waited, new.reset) == _overlap(waited, new.milliseconds):
            return ""
        verdict = "plain" if _overlap(waited, new.reset) else "milliseconds"
        self.remember(field, verdict)
        return verdict

    def remember(self, field: str, verdict: str) -> None:
        """Keep a verdict, unless as many fields have one as are remembered."""
        if field in self.verdicts or len(self.verdicts) < MAX_FIELDS:
            self.verdicts[field] = verdict

    def rate(self, field: str, policy: str, reading: ResetReading) -> float | None:
        """Return the units restored per second, at least, by this reading and earlier ones of a time to full.

        The more units are missing, the more exactly a reading shows the rate. A reading that contradicts the earlier
        ones shows that the rate has changed.
        """
        low, high = reading.rate_range()
        best = max(low, self._rates.get((field, policy), 0.0))
        if best > high:
            best = low
        if best and ((field, policy) in self._rates or len(self._rates) < MAX_FIELDS):
            self._rates[field, policy] = best
        return best or None

    def state(self) -> dict[str, str]:
        """Return the verdicts as JSON values."""
        return dict(self.verdicts)

    def restore(self, state: Any) -> None:
        """Restore saved verdicts; anything else is ignored."""
        for field, verdict in state.items() if isinstance(state, dict) else ():
            if isinstance(field, str) and verdict in VERDICTS and len(self.verdicts) < MAX_FIELDS:
                self.verdicts[field] = verdict

    def _may_be_another_window(self, old: ResetReading, new: ResetReading) -> bool:
        """Return whether a new window may have begun, so that the readings cannot be compared."""
        if old.limit != new.limit:
            return True
        if old.remaining is None or new.remaining is None:
            return new.reset[0] > old.reset[1]
        return new.remaining > old.remaining
