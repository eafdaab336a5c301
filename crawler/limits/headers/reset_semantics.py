"""`Slopes`: what the numbers of a reset field really are, told by how they move between two answers of one window.

The time at which a window ends stands still while the window is spent. So, of two answers in one window,

* seconds until then fall by 1 a second, an epoch does not move: the guess is right (``plain``);
* a number that falls by 1000 a second counts ``milliseconds``;
* a time that moves away with each request is the time until the bucket is ``full`` again (GCRA, token buckets);
* one that moves away without any proportion is of no use (``moving``), such as a window's length said again and again.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

import attrs

from crawler.limits.headers.declared import TimeRange

__all__ = ["Reading", "Slopes"]

VERDICTS: Final = ("plain", "milliseconds", "full", "moving")
FULL = re.compile(r"x-ratelimit-reset-(?:requests|tokens)|anthropic-(?:fast-)?ratelimit-.+-reset")
"""Fields that are documented as the time until the bucket is full."""
MOST: Final = 64
"""Fields, and fields of policies, that are remembered of one scope."""
STRETCH: Final = 2.0
"""Seconds between two answers before a slope is believed."""


@attrs.frozen(kw_only=True)
class Reading:
    """A reset value in one answer, by the plain guess of what it is."""

    sent: float
    """Seconds since the epoch: when the request went out."""
    received: float
    """Seconds since the epoch: when the answer was there."""
    reset: TimeRange
    """Seconds since the epoch, if the guess is right."""
    milli: TimeRange | None = None
    """The same if it is a number of milliseconds; `None`: it cannot be."""
    limit: float | None = None
    """Units in one window, as the same answer says."""
    remaining: float | None = None
    """Units that are left."""

    def each(self) -> TimeRange | None:
        """Seconds in which one unit comes back, at least and at most, if `reset` is when all of them will be there.

        Of `limit` - `remaining` units that are missing, the last may already be on its way.
        """
        if self.limit is None or self.remaining is None or self.remaining >= self.limit:
            return None
        missing = self.limit - self.remaining
        longest = max(0.0, self.reset[1] - self.received) / (missing - 1) if missing > 1 else math.inf
        return max(0.0, self.reset[0] - self.sent) / missing, longest

    def rate(self) -> float | None:
        """Units that come back in a second, at least, if `reset` is when all of them will be there."""
        each = self.each()
        return 1 / each[1] if each is not None and 0 < each[1] < math.inf else None


def _meet(one: TimeRange, other: TimeRange) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def judge(old: Reading, new: Reading) -> str:
    """What two readings of one field in one window prove; empty: nothing."""
    apart = not _meet(old.reset, new.reset)
    if new.received - old.received >= STRETCH and old.milli and new.milli and apart and _meet(old.milli, new.milli):
        return "milliseconds"
    if old.remaining is None or new.remaining is None or new.remaining >= old.remaining:
        return ""
    before, after = old.each(), new.each()
    if new.reset[0] > old.reset[1]:
        return "full" if before is None or after is None or _meet(before, after) else "moving"
    doubt = (old.reset[1] - old.reset[0]) + (new.reset[1] - new.reset[0])
    if not apart and after and after[0] * (old.remaining - new.remaining) > doubt:
        return "plain"  # had it been the time to full, it would have moved by more than can be in doubt
    return ""


class Slopes:
    """The verdicts of one scope, field by field. They override what the name or the magnitude of a value suggests."""

    def __init__(self) -> None:
        self.verdicts: dict[str, str] = {}
        """By name of the field: ``plain``, ``milliseconds``, ``full`` or ``moving``."""
        self._first: dict[tuple[str, str], Reading] = {}
        self._least: dict[tuple[str, str], Reading] = {}

    def verdict(self, field: str) -> str:
        """What a field was found, or is documented, to be; empty: nothing is known."""
        return self.verdicts.get(field) or ("full" if FULL.fullmatch(field) else "")

    def see(self, field: str, policy: str, new: Reading) -> None:
        """Compares a reading with the first one of its window.

        Parameters:
            field: the name of the field, in lower case.
            policy: of which policy it speaks.
            new: what this answer says.
        """
        key = field, policy
        old = self._first.get(key)
        if old is None:
            if len(self._first) < MOST:
                self._first[key] = self._least[key] = new
            return
        if new.sent < old.received:
            return  # nobody knows which of the two the server wrote first
        if self._over(old, self._least[key], new):
            self._first[key] = self._least[key] = new
            return
        if (new.remaining or 0.0) <= (self._least[key].remaining or 0.0):
            self._least[key] = new
        verdict = judge(old, new)
        before = self.verdicts.get(field)
        if verdict and not (verdict == "full" and before == "moving") and (before or len(self.verdicts) < MOST):
            self.verdicts[field] = verdict

    def _over(self, old: Reading, least: Reading, new: Reading) -> bool:
        """Whether another window may have begun, so that the two cannot be compared.

        A server may give more than it had left before the end that it told: slowapi tells it a second late.
        """
        if old.limit != new.limit or new.sent >= old.reset[0]:
            return True
        if old.remaining is None or new.remaining is None:
            return new.reset[0] > old.reset[1]
        if least.remaining is not None and new.sent >= least.received and new.remaining > least.remaining:
            return True
        return new.remaining > old.remaining

    def state(self) -> dict[str, str]:
        """The verdicts, as JSON values."""
        return dict(self.verdicts)

    def restore(self, state: Any) -> None:
        """Takes up verdicts; what is none is ignored."""
        for field, verdict in state.items() if isinstance(state, dict) else ():
            if isinstance(field, str) and verdict in VERDICTS and len(self.verdicts) < MOST:
                self.verdicts[field] = verdict
