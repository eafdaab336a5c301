"""`LeakyBucketQuota`: an undeclared rate, learned from the units served between two refusals.

A leaky bucket is full when it refuses. So the units served between two refusals have leaked out in that time, give or
take one, and the longer the time, the more exactly the rate is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Self

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.quota import Mode

__all__ = ["MIN_UNITS", "SHORT", "UNITS_PER_REFUSAL", "LeakyBucketQuota", "detect_leaky_bucket"]

RATE_SHARE: Final = 0.97
"""Share of the learned rate that is used."""
MIN_SHARE: Final = 0.7
"""Share of the previous rate below which a new one does not fall. A pause in which the bucket ran empty is no
evidence of a lower rate."""
MIN_INCREASE: Final = 0.01
"""Share by which the rate is raised, at least, after a time without refusals, because the server may have raised it. If
only few units were counted, the increase is half a unit of them."""
CALM: Final = 5.0
"""Seconds without refusals after which the rate is raised. They double with each refusal."""
MAX_CALM: Final = 60.0
"""Seconds."""
SHORT: Final = 10.0
"""Seconds; in this time any leaky bucket has leaked something."""
MIN_UNITS: Final = 1.0
"""Units that must have leaked before they show a rate."""
MIN_LEAKED: Final = 0.5
"""Units that leak on average before a full bucket may take another one."""
MAX_REFUSALS: Final = 3
"""Refusals after which the rate of a leaky bucket should be known."""
UNITS_PER_REFUSAL: Final = 25.0
"""Units served per refusal, at least, if a leaky bucket is the reason for the refusals."""
FITTED_UNITS: Final = 25.0
"""Units that would have to be counted to know a rate as exactly as the likelihood shows it."""
RECENT_UNITS: Final = 16.0
"""Units served since the refusal before, at least, that show a rate by themselves."""
RECENT_SHARE: Final = 1.25
"""The same rate by that of the whole time, at least: a window that slides returned nothing at first."""
UNITS_TO_WAIT: Final = 2.0
"""Units that leak before the next request after a refusal. They double with each further one in a row."""
MAX_UNITS_TO_WAIT: Final = 64.0
"""The same, at most."""


@attrs.define(eq=False, repr=False, kw_only=True)
class LeakyBucketQuota(UndeclaredQuota):
    """A leaky bucket. `opened_at` is the time of the first refusal, `used` counts the units served since."""

    is_proven: bool = True
    """Whether it holds back requests. A new one does after a request alone, right after the refusal, was refused."""
    blocked_until: float = -math.inf
    """Earliest start of the next request, in seconds since the epoch."""
    last_refused: float = -math.inf
    """When the latest refused request that counts was sent, in seconds since the epoch."""
    calm_since: float = -math.inf
    """When a request was last refused or the rate last raised, in seconds since the epoch."""
    _calm_from: float = 0.0
    """`used` at that time."""
    believed_rate: float = math.nan
    """The rate, in units per second, while that of a window is tried; not a number: none is."""
    unexpected: int = 0
    """Refusals since the rate was last raised, each after so many units that the rate before should have been right."""
    counted: float = 0.0
    """Units between the first and the latest refusal, from which the rate was computed. 0 means that the rate comes
    from an earlier run."""

    @classmethod
    def fitted(cls, name: str, rate: float, now: float) -> Self:
        """Return the quota of a server that seems to let units pass at a rate, in units per second, up to `now`."""
        found = cls(name=name, opened_at=now, calm_since=now, counted=FITTED_UNITS, blocked_until=now + 1.0 / rate)
        found._set_rate(RATE_SHARE * rate)
        return found

    def assume_uncertainty(self, share: float) -> None:
        """Raise the rate as soon as few units were served, by the share of it by which it may be higher."""
        if share > 0.0:
            self.counted = min(self.counted, 0.5 / share)

    def assume_served(self, units: float, seconds: float, now: float) -> None:
        """Try first what a window seemed to allow, if that is more: a refusal costs less than a rate that is too low.

        A short window may have held a burst, and says nothing of the rate.
        """
        rate = self.replenishment.rate or 0.0
        if seconds < SHORT or units / seconds <= rate:
            return
        self.believed_rate = rate
        self._set_rate(units / seconds)
        self.blocked_until = min(self.blocked_until, now + UNITS_TO_WAIT * seconds / units)

    def record_unreported(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Count a request that was served."""
        self.used += cost
        if sent < self.last_refused:  # it reached the server before the refused one
            self._estimate_rate(self.replenishment.rate or 0.0)
        is_calm = self.used - self._calm_from >= min(self.counted or UNITS_PER_REFUSAL, UNITS_PER_REFUSAL)
        if is_calm and received - self.calm_since > min(MAX_CALM, CALM * 2.0**self.refusals):
            self.calm_since, self._calm_from = received, self.used
            increase = max(MIN_INCREASE, 0.5 / self.counted) if self.counted else MIN_INCREASE
            self._set_rate((self.replenishment.rate or 0.0) * (1.0 + increase))
            self.unexpected = 0
        self.updated_at = max(self.updated_at, received)
        return True

    def explain_refusal(self, sent: float, retry_after: float | None = None, *, in_flight: int = 0) -> bool:
        """Learn the rate from a refusal. Return `True`, because a rate explains every refusal."""
        self.overestimated = self.is_weak = False
        self.is_proven = True
        if self.opened_at == -math.inf:
            self.opened_at, self.used = sent, 0.0
            self._set_rate(RATE_SHARE * (self.replenishment.rate or 1.0))
        elif sent >= self.blocked_until and sent > self.opened_at:
            run, is_tried = self.used - self.counted, not math.isnan(self.believed_rate)
            is_first = not self.refusals or run > 0.0 or is_tried
            self.refusals += 1
            self._refused_in_row = 0 if is_first else self._refused_in_row + 1
            self.unexpected += run >= UNITS_PER_REFUSAL and not is_tried
            if is_first:  # further ones say nothing of the rate
                self._lower_rate(sent)
            self.overestimated = (
                self.refusals > MAX_REFUSALS and max(run, self.used / self.refusals) < UNITS_PER_REFUSAL
            )
        units = doubled(self._refused_in_row, base=UNITS_TO_WAIT, cap=MAX_UNITS_TO_WAIT)
        self.blocked_until = self.calm_since = sent + units / (self.replenishment.rate or 1.0)
        return True

    def ready_at(self, now: float, *, cost: float, inflight: float, in_flight_since: Callable[[float], bool]) -> float:
        """Return when the bucket has leaked a little after a refusal, in seconds since the epoch."""
        return self.blocked_until if self.is_proven else -math.inf

    def start_at(self, last: float, *, cost: float, inflight: float, backlog: float, mode: Mode) -> float:
        """Return when the units of the last request have leaked, in seconds since the epoch."""
        return last + cost / (self.replenishment.rate or math.inf) if self.is_proven else -math.inf

    def trusted_rate(self) -> float:
        """Return the rate at which requests should be served, in units per second."""
        return self.replenishment.rate or 0.0

    def probe_at(self) -> float:
        """Return when a request may be sent after a refusal, in seconds since the epoch."""
        return self.blocked_until

    def expects_refusal(self, sent: float) -> bool:
        """Return whether the bucket is proven, by more than one refusal. Then it may be full at any time."""
        return self.is_proven and not self.is_weak

    def has_leaked(self, seconds: float) -> bool:
        """Return whether a unit may have leaked in so many seconds."""
        return seconds * (self.replenishment.rate or 0.0) >= MIN_LEAKED

    def resume(self, now: float) -> None:
        """Resume after an interrupted run. The level of the bucket is then unknown."""
        self.opened_at = -math.inf

    def is_confirmed(self) -> bool:
        """Return `True`: the rate needs no further proof."""
        return True

    def _lower_rate(self, sent: float) -> None:
        """Estimate the rate after the first refusal since a request was served, in seconds since the epoch."""
        run, seconds = self.used - self.counted, sent - self.last_refused
        if run >= RECENT_UNITS and run * (sent - self.opened_at) > RECENT_SHARE * self.used * seconds:
            self.opened_at, self.used = self.last_refused, run
        self.last_refused = sent
        self.counted = self._calm_from = self.used
        rate = self.replenishment.rate or 0.0
        self._estimate_rate(MIN_SHARE * (rate if math.isnan(self.believed_rate) else self.believed_rate))
        self.believed_rate = math.nan

    def _estimate_rate(self, least: float) -> None:
        self._set_rate(max(least, RATE_SHARE * (self.used + 0.5) / (self.last_refused - self.opened_at)))

    def _set_rate(self, rate: float) -> None:
        self.replenishment.rate = rate
        self.limit, self.window.length = max(1.0, math.floor(rate * SHORT)), SHORT


def detect_leaky_bucket(
    name: str, *, before: float, refused: float, served: float, refused_again: float
) -> LeakyBucketQuota | None:
    """Return the leaky bucket behind two refusals, or `None` if there is probably none.

    When a window ends, everything that the first window allowed is available again. A bucket has leaked much less.
    """
    if not (MIN_UNITS <= served <= before / 2.0 and 0.0 < refused_again - refused <= SHORT):
        return None
    quota = LeakyBucketQuota(name=name, opened_at=refused, used=served)
    quota.explain_refusal(refused_again)
    return quota
