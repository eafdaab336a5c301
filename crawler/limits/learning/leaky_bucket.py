"""`LeakyBucketQuota`: a rate that no answer names, learned from how much is served between two refusals without a word.

A bucket that leaks is full at a refusal. So what is served from one refusal to the next has leaked meanwhile, give or
take one unit, and the longer that takes, the better the rate is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import attrs

from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.quota import Mode

__all__ = ["LeakyBucketQuota", "leak"]

BELOW: Final = 0.97
"""Share of the learned rate that is used."""
LEAST: Final = 0.7
"""Share of the last rate under which a new one does not fall: a pause in which the bucket ran dry is no evidence."""
LEAST_STEP: Final = 0.01
"""Share by which the rate is raised, at least, where none was refused for a while: it may have been raised. More where
it is known by a few units only: half a unit of those that were counted."""
CALM: Final = 5.0
"""Seconds: such a while; twice as long after each refusal."""
LONGEST_CALM: Final = 60.0
"""Seconds."""
SOON: Final = 10.0
"""Seconds: a bucket has leaked something by then."""
ENOUGH: Final = 2.0
"""Units that have leaked before they tell anything."""
SURE: Final = 3
"""Refusals by which the rate of a bucket is known."""
APART: Final = 25.0
"""Units for each refusal, at least, where a bucket is the reason of them."""
REST: Final = 2.0
"""Units that leak before the next request after a refusal."""


@attrs.define(eq=False, kw_only=True)
class LeakyBucketQuota(UndeclaredQuota):
    """A bucket. `opened` is when the first refusal came, `used` what was served since."""

    held: float = -math.inf
    """Seconds since the epoch: nothing starts before."""
    refused: float = -math.inf
    """Seconds since the epoch: when the last refused request that counts was sent."""
    calm_since: float = -math.inf
    """Seconds since the epoch: when it was refused, or made faster, for the last time."""

    counted: float = 0.0
    """Units between the first of these refusals and the last, by which the rate is known; 0: by an earlier run."""

    def pass_over(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Counts an answer."""
        self.used += cost
        if sent < self.refused:  # it was there before that one
            self._estimate(self.restoration.rate or 0.0)
        settled = self.refusals < SURE or self.used - self.counted >= APART
        if settled and received - self.calm_since > min(LONGEST_CALM, CALM * 2.0**self.refusals):
            self.calm_since = received
            step = max(LEAST_STEP, 0.5 / self.counted) if self.counted else LEAST_STEP
            self._pace_at((self.restoration.rate or 0.0) * (1.0 + step))
        self.heard = max(self.heard, received)
        return True

    def refuse(self, sent: float, retry_after: float | None = None) -> bool:
        """Learns the rate anew; a refusal is always explained by a rate."""
        self.was_wrong = False
        if self.opened == -math.inf:
            self.opened, self.used = sent, 0.0
            self._pace_at(BELOW * (self.restoration.rate or 1.0))
        elif sent >= self.held and sent > self.opened:
            self.refused = sent
            self.refusals += 1
            self.counted = self.used
            self._estimate(LEAST * (self.restoration.rate or 0.0))
            self.was_wrong = self.refusals > SURE and self.used < APART * self.refusals
        self.held = self.calm_since = sent + REST / (self.restoration.rate or 1.0)
        return True

    def ready_at(self, now: float, *, cost: float, inflight: float, flying: Callable[[float], bool]) -> float:
        """Seconds since the epoch: when the bucket has leaked a little after a refusal."""
        return self.held

    def start_at(self, last: float, *, cost: float, inflight: float, backlog: float, mode: Mode) -> float:
        """Seconds since the epoch: when the next unit has leaked since the last start."""
        return last + cost / (self.restoration.rate or math.inf)

    def restored_at(self) -> float:
        """Seconds since the epoch: when a request may ask again after a refusal."""
        return self.held

    def resume(self, now: float) -> None:
        """How full the bucket is when an earlier run broke off is not known."""
        self.opened = -math.inf

    def is_confirmed(self) -> bool:
        """Whether it needs no further proof."""
        return True

    def _estimate(self, least: float) -> None:
        self._pace_at(max(least, BELOW * (self.used + 0.5) / (self.refused - self.opened)))

    def _pace_at(self, rate: float) -> None:
        self.restoration.rate = rate
        self.limit, self.window.length = max(1.0, math.floor(rate * SOON)), SOON


def leak(name: str, *, before: float, refused: float, served: float, again: float) -> LeakyBucketQuota | None:
    """The bucket behind two refusals; `None`: there is likely none.

    Where windows end, all that the first one gave is there again; where a bucket leaks, much less.

    Parameters:
        name: what the policy will be called.
        before: units that were served until the first refusal.
        refused: seconds since the epoch: when that came.
        served: units that were served since.
        again: seconds since the epoch: when the next refusal came.
    """
    if not (ENOUGH <= served <= before / 2.0 and 0.0 < again - refused <= SOON):
        return None
    made = LeakyBucketQuota(name=name, opened=refused, used=served)
    made.refuse(again)
    return made
