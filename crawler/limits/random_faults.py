"""`RandomFaults`: distinguishes random failures from those of a limit or of an overloaded server.

Two things distinguish them. Failures at random are as frequent while few requests are in flight (`LoadShare`), and a
request that is sent alone right after one is served, whereas a rate limit would refuse it, too.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from crawler.limits.load_share import LoadShare, Tally

__all__ = ["RandomFaults"]

MAX_REFUSED: Final = 0.35
"""Share of all requests that may be refused at random. A server that refuses more cannot take so many."""
MIN_UNEXPLAINED: Final = 1.5
"""Refusals that no limit explains, older ones counting less, after which further ones are expected: two or more."""
MIN_ALONE: Final = 3
"""Failures, other than refusals, after which they do not depend on the load if all requests were sent alone."""
MAX_FAILED: Final = 0.7
"""Share of all requests that may fail before the server counts as out of order."""
MIN_RESULTS: Final = 20.0
"""Results from which a share is known."""
MAX_CHANCE: Final = 0.001
"""Refusals in a row that are less probable than this, if each came at random, come from a limit."""


def _share(faults: RandomFaults) -> LoadShare:
    return LoadShare(faults.served)


@attrs.define(eq=False, repr=False)
class RandomFaults:
    """The failures of one server that state neither a wait nor a quota."""

    served: float
    _failures: LoadShare = attrs.field(default=attrs.Factory(_share, takes_self=True), init=False)
    """Of all requests: refusals, broken connections, timeouts."""
    _refusals: Tally = attrs.field(default=attrs.Factory(lambda self: Tally(self.served), takes_self=True), init=False)
    """Of all requests: refusals that no limit explains."""
    _undecided: list[int] = attrs.field(factory=list, init=False)
    """Loads of the refused requests whose reason is not known yet."""
    _failed_alone: int = attrs.field(default=0, init=False)
    """Failures, other than refusals, of requests that were sent alone."""
    _refused_in_row: int = attrs.field(default=0, init=False)
    """Refusals since the last request that was served."""
    _refused_at: float = attrs.field(default=-math.inf, init=False)
    """When the latest refusal was received, in seconds since the epoch."""

    @property
    def refused_share(self) -> float:
        """Share of the requests that are refused without a limit; 0 if none is known to be, or too many are.

        Where requests break off at random, as many are expected to be refused at random.
        """
        share = self._refusals.share
        if share > MAX_REFUSED:
            return 0.0
        return min(MAX_REFUSED, max(share, self._failures.share)) if self.are_random() else share

    @property
    def failed_share(self) -> float:
        """Share of the requests that fail or are refused; 0 if few are known, or if nearly all of them do."""
        share = self._failures.share
        return share if self._failures.results >= MIN_RESULTS and share <= MAX_FAILED else 0.0

    def are_random(self) -> bool:
        """Return whether requests fail as often while few are in flight, so that no level is better than another."""
        if not self._failures.has_contrast:
            return self._failed_alone >= MIN_ALONE
        return self._failures.is_independent()

    def are_refusals_random(self) -> bool:
        """Return whether requests are refused at random, so that waiting is of no use."""
        refusals = self._refusals
        is_known = refusals.failures >= MIN_UNEXPLAINED and refusals.results >= MIN_RESULTS
        return is_known and refusals.share <= MAX_REFUSED and self._failures.is_independent()

    def at_random(self) -> frozenset[str]:
        """Return what comes at random: ``failures``, ``refusals``, and ``doubts`` if several refusals may have.

        A limit that was found before one of them was known may be the work of chance.
        """
        doubts = self._refusals.failures >= MIN_UNEXPLAINED
        facts = {"failures": self.are_random(), "refusals": self.are_refusals_random(), "doubts": doubts}
        return frozenset(name for name, holds in facts.items() if holds)

    def record_served(self, load: int) -> None:
        """Count a request that was served; `load` as of `LoadShare.record`."""
        self._refused_in_row = 0
        self._failures.record(load, failed=False)
        self._refusals.add(failed=False)

    def record_failure(self, load: int) -> bool:
        """Count a request that failed without being refused. Return whether that came at random."""
        self._failed_alone += load == 1
        self._failures.record(load, failed=True)
        return self.are_random()

    def record_refusal(self, load: int, received: float) -> bool:
        """Count a refusal. Return whether that came at random; if not, the learner looks for its reason."""
        self._refused_in_row += 1
        self._refused_at = received
        if self.are_refusals_random() and self._refusals.share**self._refused_in_row >= MAX_CHANCE:
            self._record_refused(load)
            return True
        self._undecided.append(load)
        return False

    def reject_limits(self, sent: float, within: float) -> bool:
        """Note that a request was served after the latest refusals, and no rate limit is known that explains them.

        Return whether one of them had been sent alone, so that it was not refused because of others in flight.
        """
        if sent - self._refused_at > within:
            self.attribute_to_limit()
        return self.attribute_to_chance()

    def attribute_to_chance(self) -> bool:
        """Note that the latest refusals came at random. Return whether one of the requests had been sent alone."""
        undecided, self._undecided = self._undecided, []
        for load in undecided:
            self._record_refused(load)
        return 1 in undecided

    def attribute_to_limit(self) -> None:
        """Note that a limit caused the latest refusals, or may have: they show nothing."""
        self._undecided = []

    def _record_refused(self, load: int) -> None:
        self._failures.record(load, failed=True)
        self._refusals.add(failed=True)
