"""`LimitSearch`: finds a limit that a server does not declare.

The units served until the first refusal, and the time at which a probe is served again, give the limit and the length
of a window.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.learning.undeclared import FEW_UNITS, MAX_DOUBTS, SHORTEST, UndeclaredQuota
from crawler.limits.quotas.request_log import MAX_UNITS
from crawler.limits.quotas.time_interval import TimeInterval
from crawler.limits.quotas.window import MARGIN, Window, longest_common, next_aligned

__all__ = ["LimitSearch"]

SEARCHED: Final = (SHORTEST, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
"""Lengths of windows, in seconds, at which their end is looked for."""
FIRST_PAUSE: Final = 0.25
"""Seconds, at least, from the beginning or the first refusal to the first probe; at most there is one second."""
ROUND_TRIPS: Final = 100.0
"""Round trips of a refusal that this time lasts: a nearby server may be in a hurry."""
SECOND_PAUSE: Final = 10.0
"""Seconds to wait after a second refusal, where the beginning of the window shows nothing. They double."""
DOUBTFUL_PAUSE: Final = 2.0
"""The same where so few units were served, and so few probes refused, that the refusals may have come at random."""
LONGEST_PAUSE: Final = 21600.0
"""Seconds; the longest of these pauses."""
MAX_COUNTING: Final = 20.0
"""A count is trusted only if it took at most this many times as long as the refusals that ended it."""


@attrs.define(eq=False, repr=False, kw_only=True)
class LimitSearch:
    """Finds out how many units are served per window (rule 8 of `crawler.limits.quotas.quota`)."""

    name: str
    """Name of the policy to be found."""
    since: float
    """When the first counted request was sent, in seconds since the epoch."""
    served: float
    """Units served since then."""
    started: float
    """When the first refusal came, in seconds since the epoch."""
    certain: bool = True
    """Whether a rate limit certainly caused the refusal."""
    limit_exists: bool = False
    """Whether a limit was found before, of which only the values proved wrong."""
    last_refused: float = -math.inf
    """When the latest refused request was sent, in seconds since the epoch."""
    probes: int = 0
    """Bursts of refused requests."""
    first_pause: float = 1.0
    """Seconds from the beginning or the first refusal to the first probe."""
    stated_end: TimeInterval | None = None
    """The end of the window by ``Retry-After``. `None` means that it is not stated."""

    def record_refusal(self, sent: float, received: float, retry_after: float | None) -> float:
        """Return when the next probe is due, in seconds since the epoch.

        If no wait is stated, probes are sent as `next_probe` says.
        """
        self.last_refused = max(self.last_refused, sent)
        if retry_after is not None:
            self.stated_end = TimeInterval(sent + retry_after - 1.0, received + retry_after)
            return self.stated_end.latest
        self.stated_end = None
        self.probes += 1
        passed = max(0.0, received - self.since)
        if self.probes == 1:
            self.first_pause = max(FIRST_PAUSE, min(1.0, ROUND_TRIPS * (received - sent)))
        length = next((length for length in (self.first_pause, *SEARCHED) if length > passed), math.inf)
        may_be_chance = self.served < FEW_UNITS and (self.served > 0 or self.certain)
        is_proven = self.certain and self.served > 0 and self.probes > MAX_DOUBTS
        second = DOUBTFUL_PAUSE if may_be_chance and not is_proven else SECOND_PAUSE
        pause = self.first_pause if self.probes == 1 else doubled(self.probes - 2, base=second, cap=LONGEST_PAUSE)
        at = min(self.since + length + MARGIN * min(1.0, length), received + pause)
        return min(at, next_aligned(self.since, received))

    def conclude(self, sent: float, received: float, cost: float) -> UndeclaredQuota | None:
        """Return the quota found when a probe is served, or `None` if the evidence is too weak."""
        if self.served < 1 or (not self.limit_exists and sent - self.since > MAX_COUNTING * (sent - self.started)):
            return None
        if self.stated_end is not None:
            low, high = self.stated_end.earliest - self.since, self.stated_end.latest - self.since
            window = longest_common(low, high) or max(low, math.floor(high))
        else:
            low, high = self.last_refused - self.since, sent - self.since
            window = longest_common(low, high) or high
        if window <= 0:
            return None
        quota = UndeclaredQuota(name=self.name, limit=self.served, window=Window(window), certain=self.certain)
        if not self.limit_exists and self.stated_end is None:
            quota.too_short = low if low >= SHORTEST else 0.0
            quota.refusals = min(MAX_DOUBTS, self.probes - 1)  # each refused probe proves the limit
        for number in range(int(min(self.served, MAX_UNITS))):  # assume that they were evenly spread
            at = self.since + (self.started - self.since) * number / self.served
            quota.log.assume(at, self.served)
        quota.record_unreported(sent=sent, received=received, cost=cost)
        return quota
