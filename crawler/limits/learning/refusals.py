"""`Refusals`: how long to wait after a refusal, and what it reveals.

These are rules 7 and 8 of `crawler.limits.quotas.quota`.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from crawler.limits.backoff import doubled, patience
from crawler.limits.learning.leaky_bucket import MIN_UNITS, SHORT
from crawler.limits.learning.limit_search import LimitSearch
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.time_interval import ROUNDING

__all__ = ["Refusals"]

MAX_BACKOFF: Final = 60.0
"""Seconds; the longest wait that is added when the server keeps refusing after the waits that it states."""
UNITS_PER_REQUEST: Final = 4.0
"""Units to be served after a wait of guessed length before one more request may be in flight."""
MAX_CHANCE: Final = 0.02
"""Refusals in a row that are less probable than this, if each came at random, come from a limit."""
MIN_PROBES: Final = 3
"""Bursts in a row that only a rate limit explains, unless the site may be unavailable."""
MAX_PLACE_WAIT: Final = 0.5
"""Seconds, at most, to wait for one of the requests in flight, some of which may take very long."""
MIN_SERVED_BESIDE: Final = 2
"""Requests served while a refused one was in flight, after which that refusal shows nothing about a limit."""


@attrs.define(eq=False, repr=False)
class Refusals:
    """The refusals of one server. Requests in flight when one is refused belong to one burst, which counts once."""

    gate: float = -math.inf
    """Earliest start of the next request, in seconds since the epoch."""
    stated_until: float = -math.inf
    """End of the longest wait that the server has stated, in seconds since the epoch. Nothing shortens it."""
    probing: bool = False
    """Whether only one request starts when the gate opens, to find out whether the wait was long enough."""
    margin: float = 0.0
    """Seconds to wait beyond ``Retry-After``, learned from a server that rounds it down."""
    search: LimitSearch | None = None
    """The search for the limit behind the refusals. `None` means that none is running."""
    last_received: float = -math.inf
    """When the latest refusal was received, in seconds since the epoch."""
    last_in_flight: float = -math.inf
    """When the latest request started that was in flight when a refusal was recorded, in seconds since the epoch."""
    bursts: int = 0
    """Bursts of refusals since the last success."""
    patience: float = patience(0.0)
    """Seconds after which a request in flight has not been refused, judged by how quickly refusals came."""
    bucket_full_at: float = math.nan
    """When a burst was refused without a stated wait and its first probe served: a leaky bucket would have been full
    then. Seconds since the epoch."""
    served_before: float = 0.0
    """Units served until `bucket_full_at`."""
    served_since: float = 0.0
    """Units served after `bucket_full_at`."""
    served_since_guess: float = math.inf
    """Units served since the end of a wait of guessed length."""
    was_proven: bool = False
    """Whether the last wait ended after several refusals in a row, so that a limit caused them."""
    served_beside: int = 0
    """Requests served beside those refused before the last wait, if it was stated, most were served, and hardly ever so
    many were in flight; else 0."""
    in_row: int = 0
    """Refusals since the last success after one, less the requests that were served beside them."""
    _wait_stated: bool = False
    _refused_in_burst: int = 0
    _served_in_burst: int = 0
    suspects_concurrency: bool = False
    """Whether a request is sent alone, to find out whether a limit caused the latest refusals."""
    beside: float = math.inf
    """Fewest requests in flight beside a refused one since the last success that ended a wait."""
    is_unavailable: bool = False
    """Whether the latest refusal was a 503: the site may be starting, or being updated."""
    untried: bool = False
    """Whether more requests were in flight at these refusals than were ever served at once."""
    _gate_before: float = -math.inf

    def is_in_burst(self, started: float) -> bool:
        """Return whether a request that started at `started` was in flight when the latest refusal was recorded.

        A busy program records a refusal some time after it was received, and starts other requests in between.
        """
        return started < self.last_received or started <= self.last_in_flight

    def record_refusal(
        self, started: float, sent: float, received: float, *, retry_after: float | None, jitter: float
    ) -> bool:
        """Count a refusal and wait as it states. Return whether it is the first of its burst."""
        first = not self.is_in_burst(started)
        if first and self.suspects_concurrency and sent >= self.gate + self.patience:
            self.clear()  # no request was sent when the wait ended, so this refusal is again the first
            self.bucket_full_at = math.nan
        if first:
            self.bursts += 1
            self._refused_in_burst, self._served_in_burst, self.patience = 0, 0, patience(0.0)
            if self.bursts == 2 and self._wait_stated and retry_after is not None:
                self.margin = ROUNDING  # the stated wait was kept, and yet it was too short
        self._refused_in_burst += 1
        self.in_row += 1
        if self.suspects_concurrency and received < self.gate and self._served_in_burst < self._refused_in_burst:
            self.gate, self.suspects_concurrency = self._gate_before, False
        self.patience = max(self.patience, patience(received - sent))
        self._wait_stated = retry_after is not None
        self.last_received = max(self.last_received, received)
        if retry_after is None:
            return first
        wait = retry_after + self.margin
        if self.bursts > 2:
            wait = max(wait, doubled(self.bursts - 3, cap=MAX_BACKOFF))
        # later refusals of a burst extend its wait only if they state a later end
        rounding = ROUNDING if retry_after % 1.0 == 0.0 else 0.0  # servers round to whole seconds
        if first or sent + wait - self.margin - rounding > self.gate:
            self.gate = self.stated_until = max(self.gate, received + wait + jitter)
        self.probing = True
        return first

    def back_off(self, received: float) -> None:
        """Wait longer with every burst, because no known limit says how long."""
        self.gate = max(self.gate, received + doubled(self.bursts - 1, cap=MAX_BACKOFF))
        self.probing = True

    def wait_for_search(self, sent: float, received: float, *, first: bool, retry_after: float | None) -> None:
        """Wait for the next probe of the search; parameters as of `record_refusal`, whose result is `first`."""
        assert self.search is not None
        if first or retry_after is not None:
            wait = None if retry_after is None else retry_after + self.margin
            probe_at = self.search.record_refusal(sent, received, wait)
            if retry_after is None:
                self.gate = max(self.gate, probe_at)
                self.probing = True
        else:
            self.search.last_refused = max(self.search.last_refused, sent)

    def record_success(
        self, started: float, sent: float, received: float, cost: float
    ) -> tuple[str, UndeclaredQuota | None]:
        """Count a request that was served.

        Returns what it ends: ``wait``, ``concurrency`` (a suspicion that it confirms) or nothing; and the quota that
        the search found, if any.
        """
        if self.is_in_burst(started):
            self._served_in_burst += 1
            self.in_row -= self.bursts > 0
            if self.search is not None:
                self.search.served += cost
            return "", None
        self.served_since += cost
        self.served_since_guess += cost
        if self.bursts == 0:
            return "", None
        concurrency = self.suspects_concurrency
        if concurrency and self._refused_in_burst == 1:
            self.bucket_full_at = math.nan
        # a limit would have refused the requests beside this one, too
        isolated = self._refused_in_burst == 1 and self._served_in_burst >= MIN_SERVED_BESIDE
        conclusive = self.search is not None and not (concurrency or isolated)
        if self.search is not None:
            self.search.certain |= self.bursts >= MIN_PROBES and not self.is_unavailable
        found = self.search.conclude(sent, received, cost) if self.search is not None and conclusive else None
        self.was_proven = self.in_row > 1
        too_many = self._wait_stated and self.untried and self._may_be_too_many()
        self.served_beside = self._served_in_burst if too_many else 0
        if found is not None:
            # pages and chance state no wait, and concurrency would have refused requests before
            is_proven = self.was_proven or (self._wait_stated and not self.untried)
            found.is_weak = not is_proven
            found.certain = found.certain and is_proven
        if self.search is not None and not concurrency:
            self.served_since_guess = 0.0
        self.clear()
        return "concurrency" if concurrency else "wait", found

    def compare_from(self, now: float, served: float) -> None:
        """Compare the units served from now on with those served so far.

        If next to nothing was served since the last comparison began, that one continues: the bucket may leak slowly.
        """
        if self.served_since == 0.0:
            self.bucket_full_at = max(self.bucket_full_at, now)
        if now - self.bucket_full_at <= SHORT and self.served_since < MIN_UNITS:
            return
        self.bucket_full_at, self.served_before, self.served_since = now, max(self.served_since, served), 0.0

    def may_be_chance(self, share: float) -> bool:
        """Return whether a server that refuses this share at random may have refused so many in a row."""
        return share ** max(1, self.in_row) >= MAX_CHANCE

    def is_undecided(self, others_in_flight: bool) -> bool:
        """Return whether there was only one burst, of one request or while others are still in flight."""
        return self.bursts == 1 and (self._refused_in_burst == 1 or others_in_flight)

    def may_be_concurrency(self, now: float) -> bool:
        """Return whether too many requests at once may be the reason.

        They may if most of those in flight were served, or if several were and hardly ever so many. A rate without a
        burst serves one.
        """
        explained = self.search is None or self._wait_stated
        decided = self.suspects_concurrency and now >= self.gate
        return not explained and not decided and self._may_be_too_many()

    def _may_be_too_many(self) -> bool:
        """Return whether as many of the requests in flight were served as refused, or several where few ever were."""
        beside = self._served_in_burst
        likely = beside >= self._refused_in_burst or (self.untried and beside >= MIN_SERVED_BESIDE)
        was_alone = self.bursts > 1 and self.beside < 1
        return likely and not was_alone

    def awaits_others(self, now: float) -> bool:
        """Return whether a request is to be sent alone, and was delayed for others in flight."""
        return self.suspects_concurrency and now < self.gate

    def max_in_flight(self) -> float:
        """Return how many requests may be in flight: few after a guess, so that a wrong one costs few refusals."""
        return 1.0 + self.served_since_guess / UNITS_PER_REQUEST

    def place_at(self, in_flight: int) -> float:
        """Return until when a request that is to be sent alone waits for a place, in seconds since the epoch.

        Those in flight beside the refused one may have had all places. As soon as one of them has ended, one is free.
        """
        is_full = self.suspects_concurrency and in_flight >= max(1.0, self.beside)
        return self.last_received + MAX_PLACE_WAIT if is_full else -math.inf

    def suspect_concurrency(self, probe_at: float) -> None:
        """Send one request alone at `probe_at` (seconds since the epoch). A rate limit would refuse it as well."""
        if not self.suspects_concurrency:
            self._gate_before = self.gate
        self.gate, self.probing, self.suspects_concurrency = max(probe_at, self.stated_until), True, True

    def delay_probe(self, until: float) -> None:
        """Note that a request to be sent alone cannot start before `until`, in seconds since the epoch."""
        if self.suspects_concurrency:
            self.gate = max(self.gate, until)

    def reject_concurrency(self) -> None:
        """Note that a request sent alone was refused, too."""
        self.suspects_concurrency = self.suspects_concurrency and self.bursts == 1

    def forget(self) -> None:
        """End the wait and the search, except a wait that the server has stated: refusals come at random."""
        self.clear()
        self.gate = self.stated_until

    def clear(self) -> None:
        """End the wait and the search."""
        self.gate, self.probing, self.search = -math.inf, False, None
        self.bursts, self._refused_in_burst, self._served_in_burst, self.suspects_concurrency = 0, 0, 0, False
        self.in_row, self.untried, self.beside = 0, False, math.inf
