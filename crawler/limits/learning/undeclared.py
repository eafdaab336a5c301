"""Limits of which a server says nothing: searched for at a refusal, then counted by ourselves.

Of what was served until the first refusal, and of when a probe gets through, follow units and seconds of a window.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.quotas.quota import Mode, Quota
from crawler.limits.quotas.request_log import MOST
from crawler.limits.quotas.time_interval import ROUNDING, Bracket
from crawler.limits.quotas.window import Window, longest_common, next_common, shortest_common

__all__ = ["LimitSearch", "UndeclaredQuota"]

MARGIN: Final = 0.3
"""Seconds: how much later than a window we believe it ends, for its begin is known by our clock only."""
PART: Final = 50
"""At most one in so many parts of it."""
BRISK: Final = 0.05
"""Share of a window, at least, in which it is used up: not at once, so that a wrong guess costs few refusals."""
LONGEST: Final = 1.0
"""Seconds between two requests of that, at most: by then a refusal has been heard."""
SINGLE: Final = 0.25
"""Share of a window, at most, in which it is used up by one request after the other, until it is confirmed."""
SLOWEST: Final = 60.0
"""Seconds: the longest pause between two probes of one search."""
CLEAN: Final = 8
"""Windows used up without a refusal before one unit more is tried; twice as many after each refusal of such a try."""
SHORT: Final = 20.0
"""A count is believed only if it took at most so many times as long as the refusals that ended it."""


@attrs.define(eq=False, kw_only=True)
class UndeclaredQuota(Quota):
    """A policy that no answer names. Now and then it tries whether there is more than it believes."""

    opened: float = -math.inf
    """Seconds since the epoch: when the first request of this window was sent."""
    used: float = 0.0
    """Units that were served in this window."""
    refusals: int = 0
    """Tries that were refused."""
    clean: int = 0
    """Windows that were used up since the last refusal."""
    sure: bool = True
    """Whether the refusal was one of a rate for certain; if not, the next window tries for more already."""
    was_wrong: bool = False
    """Whether the last refusal showed that less is allowed than was believed."""
    proven: float = -math.inf
    """Seconds since the epoch: when a window was opened for certain, by a probe after a refusal."""
    total: float = 0.0
    """Units that were served since then."""
    _trying: bool = False
    _strikes: int = 0
    _struck_at: float = math.nan

    def pass_over(self, *, sent: float, received: float, cost: float = 1.0) -> bool:
        """Counts an answer; the first after an end opens a window."""
        length = self.window.length
        if self.limit is None or length is None:
            return False
        if self.proven == -math.inf:
            self.proven = sent
        self.total += cost
        self.usage.travelled(received - sent)
        self.own.add(sent, received, self.limit)
        if self.remaining is None or sent >= self.restored_at():
            if self._struck_at != self.opened:
                self._strikes = 0
            self.clean += self.used >= self.limit
            self._trying = self._tries()
            self.opened, self.used = sent, cost
            self.count_window(self.limit + self._trying - cost, sent, received, min(MARGIN, length / PART))
            return True
        self.spend(cost)
        self.used += cost
        if self.used > self.limit:
            self.limit = self.used
            if self._trying:  # there is more: another one is tried
                self.remaining = cost
        return True

    def ready_at(self, now: float, *, cost: float, inflight: float, flying: Callable[[float], bool]) -> float:
        """As of any quota; but never more in any window than one holds: it may slide, or have begun by the clock."""
        at = super().ready_at(now, cost=cost, inflight=inflight, flying=flying)
        length = self.window.length
        if length is None or not self.own.speaks(now, length):
            return at
        return max(at, self._room_at(cost - self._trying, inflight))

    def start_at(self, last: float, *, cost: float, inflight: float, backlog: float, mode: Mode) -> float:
        """Seconds since the epoch: when the next request starts, at a brisk pace while the window is spent."""
        if mode != "auto" or self.interval is None:
            return super().start_at(last, cost=cost, inflight=inflight, backlog=backlog, mode=mode)
        pause = min(LONGEST, BRISK * self.interval)
        if not self.is_confirmed():
            pause = max(pause, min(2.0 * self.usage.trip, SINGLE * self.interval))
        return last + pause * cost

    def refuse(self, sent: float, retry_after: float | None = None) -> bool:
        """A refusal came that no other policy explains. Returns whether this one does, by a limit that is lower.

        Parameters:
            sent: seconds since the epoch: when the refused request went out.
            retry_after: seconds that it names; `None`: none.
        """
        self.was_wrong = False
        if retry_after is not None and not self.is_confirmed() and sent + retry_after - 2 * ROUNDING > self.ends.hi:
            return False  # the window is longer than believed, by the server's own word
        if self.remaining is None or sent >= self.restored_at():
            return False  # the window is longer than believed
        near = self.used >= (self.limit or 0.0) - 1.0  # one was not counted, such as that for robots.txt
        if self.proven < self.opened and not near and not self.is_confirmed():
            return False  # so it is here: what we took for two windows is one
        if self._trying:
            self.refusals += 1
            self.sure = True
        if self._struck_at != self.opened:  # once a window
            self._strikes, self._struck_at = self._strikes + 1, self.opened
        if near or (self._strikes > 1 and not self._trying):  # one may come from what was served before
            self.was_wrong = not near
            self.limit = max(1.0, self.used)
        self.clean, self._trying = 0, False
        self.remaining = 0.0
        return True

    def evidence(self) -> tuple[float, float]:
        """Since when (seconds since the epoch) how many units were served, for a new search."""
        return (self.opened, self.used) if self.is_confirmed() else (self.proven, self.total)

    def resume(self, now: float) -> None:
        """What was in flight when an earlier run broke off is not known: the window is used up."""
        if self.window.length is not None:
            self.exhaust(min(max(self.ends.hi, now), now + self.window.length))

    def is_confirmed(self) -> bool:
        """Whether a window has been used up, ended as believed, and used up again."""
        return self.total - self.used >= 2.0 * (self.limit or 0.0)

    def _tries(self) -> bool:
        if not self.sure:
            return True
        return bool(self.clean >= doubled(self.refusals, base=CLEAN, cap=math.inf))


@attrs.define(eq=False, kw_only=True)
class LimitSearch:
    """Finds out how many units are served in how many seconds (rule 8)."""

    name: str
    """What the policy will be called."""
    since: float
    """Seconds since the epoch: when the first request went out that was counted."""
    served: float
    """Units served since then."""
    began: float
    """Seconds since the epoch: when the first refusal came."""
    sure: bool = True
    """Whether the refusal is one of a rate for certain."""
    known: bool = False
    """Whether there is a limit for certain, of which only the numbers are wrong."""
    refused: float = -math.inf
    """Seconds since the epoch: when the last refused request went out."""
    probes: int = 0
    """Refused requests, those of one burst counted once."""
    told: Bracket | None = None
    """The end of the window by ``Retry-After``."""

    def refuse(self, sent: float, received: float, retry_after: float | None) -> float:
        """Seconds since the epoch: when the next probe is due.

        Without a word, probes follow the usual lengths of windows, at most `SLOWEST` apart.
        """
        self.refused = max(self.refused, sent)
        self.told = None if retry_after is None else Bracket(sent + retry_after - 1.0, received + retry_after)
        if self.told is not None:
            return self.told.hi
        pause = doubled(self.probes, cap=SLOWEST)
        self.probes += 1
        return min(self.since + next_common(received - self.since) + MARGIN, received + pause)

    def found(self, sent: float, received: float, cost: float) -> UndeclaredQuota | None:
        """What a probe that was served teaches; `None`: nothing that can be relied on."""
        if self.served < 1 or (not self.known and sent - self.since > SHORT * (sent - self.began)):
            return None
        if self.told is not None:
            low, high = self.told.lo - self.since, self.told.hi - self.since
            window = longest_common(low, high) or max(low, math.floor(high))
        else:
            high = sent - self.since
            window = shortest_common(self.refused - self.since, high) or high
        if window <= 0:
            return None
        quota = UndeclaredQuota(name=self.name, limit=self.served, window=Window(window), sure=self.sure)
        for number in range(int(min(self.served, MOST))):  # as evenly as is known
            at = self.since + (self.began - self.since) * number / self.served
            quota.own.add(at, at, self.served)
        quota.pass_over(sent=sent, received=received, cost=cost)
        return quota
