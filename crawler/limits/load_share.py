"""`LoadShare`: whether requests fail more often the more of them are in flight.

Limits and overload depend on the load: fewer requests at once, fewer failures. Failures at random (a broken link, a
faulty instance behind a load balancer) come as often while few requests are in flight. Slowing down for them would gain
nothing, and would never end.
"""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct, field

__all__ = ["COUNTED", "LoadShare", "RetriedPages", "Tally"]

COUNTED: Final = 200.0
"""Results that are remembered; older ones count less and less."""
MIN_FAILURES: Final = 1.5
"""Failures under low load, older ones counting less, that show a share: two, unless they are far apart."""
KNOWN: Final = 20.0
"""Results under low load after which much fewer failures under high load show that the server has recovered."""
INDEPENDENT: Final = 0.5
"""Share under low load, at least, as a part of that under high load, of failures that do not depend on it."""

MIN_RESULTS: Final = 20.0
"""Results from which the share is known."""
MAX_FAILED: Final = 0.7
"""Share of failures above which the server counts as out of order."""


class Tally(Struct, eq=False):
    """Results, older ones counting less and less."""

    results: float = 0.0
    failures: float = 0.0

    @property
    def share(self) -> float:
        """The share of failures; 0 if there are no results."""
        return self.failures / self.results if self.results else 0.0

    def absorb(self, other: Tally) -> None:
        """Add the results of another tally, and empty it."""
        self.results += other.results
        self.failures += other.failures
        other.results = other.failures = 0.0

    def add(self, *, failed: bool) -> None:
        """Count one result."""
        kept = 1.0 - 1.0 / COUNTED
        self.results = kept * self.results + 1.0
        self.failures = kept * self.failures + failed


class LoadShare(Struct, eq=False):
    """The share of failures while few requests are in flight, up to half of the peak, and while more are."""

    served: float = 0.0
    _low: Tally = field(default_factory=Tally)
    _high: Tally = field(default_factory=Tally)
    _peak: int = 1

    def __post_init__(self) -> None:
        self._high.results = min(self.served, COUNTED)

    @property
    def share(self) -> float:
        """The share of failures in all results."""
        results = self._low.results + self._high.results
        return (self._low.failures + self._high.failures) / results if results else 0.0

    @property
    def has_contrast(self) -> bool:
        """Whether several requests were in flight at once, so that loads can be compared."""
        return self._peak > 1

    @property
    def results(self) -> float:
        """Number of results, older ones counting less and less."""
        return self._low.results + self._high.results

    def record(self, load: int, *, failed: bool) -> None:
        """Count one result."""
        low, high = self._low, self._high
        if load > self._peak:
            if 2 * self._peak <= load:  # what was high so far is low from now on
                low.absorb(high)
            self._peak = load
        (low if 2 * load <= self._peak else high).add(failed=failed)
        expected = INDEPENDENT * high.results * low.share
        if low.results >= KNOWN and high.failures < expected - 2.0 * math.sqrt(expected):
            low.results = low.failures = 0.0

    def is_independent(self) -> bool:
        """Return whether requests fail as often under low load, so that a lower load would be of no use."""
        low, high = self._low, self._high
        if self._peak < 2 or low.failures < MIN_FAILURES:
            return False
        expected = high.results * low.share / INDEPENDENT
        return high.failures <= expected + 2.0 * math.sqrt(expected) + 1.0


class RetriedPages:
    """The latest results of the pages of one server that were served in the end, after `served` that did not fail.

    A page that always fails says nothing about the others. One that is served later does: a node may be broken.
    """

    def __init__(self, served: float) -> None:
        self._results = Tally(min(COUNTED, served))

    @property
    def failed_share(self) -> float:
        """Share of the attempts that failed; 0 if few are known, or nearly all did."""
        results = self._results
        return results.share if results.results >= MIN_RESULTS and results.share <= MAX_FAILED else 0.0

    def record(self, failures: int) -> None:
        """Count a page that was served after so many attempts that failed."""
        for _ in range(failures):
            self._results.add(failed=True)
        self._results.add(failed=False)
