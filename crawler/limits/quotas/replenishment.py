"""`Restoration`: how a quota comes back, learned from what answers show (rule 5 of `crawler.limits.quotas.quota`)."""

from __future__ import annotations

import math
from typing import Final, Literal

import attrs

from crawler.limits.quotas.sample import QuotaSample
from crawler.limits.quotas.time_interval import Bracket

__all__ = ["EVIDENCE", "Kind", "Restoration"]

Kind = Literal["unknown", "fixed", "continuous"]

EVIDENCE: Final = 3
"""Votes for one kind that are remembered."""
SURE: Final = 1.1
"""Shares of one unit to wait for the next where it is known that one comes in that time."""
EXPERIMENT: Final = 2.5
"""The same where it is not known yet."""


def _each(missing: float, full: Bracket, at: float) -> tuple[float, float]:
    """Seconds in which one unit comes back, at least and at most, if so many are missing then and none is at the end.

    The last of them may already be on its way.
    """
    if missing <= 0:
        return 0.0, math.inf
    return max(0.0, full.lo - at) / missing, max(0.0, full.hi - at) / (missing - 1) if missing > 1 else math.inf


@attrs.define(eq=False)
class Restoration:
    """All at once when a window ends, or unit by unit."""

    rate: float | None = None
    """Units a second, as declared or as measured."""
    fixed: int = 0
    """Votes for all at once."""
    continuous: int = 0
    """Votes for unit by unit."""
    flows: bool | None = None
    """Whether units come back before the stated end; `None`: not tried."""
    at_once: bool = False
    """Whether more came back than one by one could have."""
    _moves: int = 0
    _each: tuple[float, float] = (0.0, math.inf)

    @property
    def kind(self) -> Kind:
        """What most votes are for."""
        if self.rate is not None or self.continuous > self.fixed:
            return "continuous"
        return "fixed" if self.fixed else "unknown"

    def expect(self, other: Restoration) -> None:
        """Takes for likely what was seen of another policy of the same server."""
        if self.kind == "unknown" and other.at_once:
            self.fixed, self.at_once = 1, True

    def judge(
        self, answer: QuotaSample, *, before: float, heard: float, ends: Bracket, limit: float, interval: float | None
    ) -> None:
        """Votes, since an answer shows that something was restored.

        Parameters:
            answer: what it shows.
            before: units that were left before.
            heard: seconds since the epoch: when that was said.
            ends: when something should have been restored.
            limit: units in one window.
            interval: seconds in which one unit is restored, on average.
        """
        if answer.left >= limit / 2 > before:
            trickled = interval is not None and (answer.received - heard) / interval >= answer.left - before
            if not (self.continuous and trickled):
                self.fixed, self.continuous = min(EVIDENCE, self.fixed + 1), max(0, self.continuous - 1)
        elif before < 2.0 and answer.left < limit / 4 and answer.sent >= ends.lo:
            self.vote_continuous(1)
        elif answer.ends is not None and not answer.broken and answer.left < before and answer.received < ends.lo:
            before_that = _each(limit - before, ends, heard)
            if self._agrees(before_that) and self._agrees(_each(limit - answer.left, answer.ends, answer.received)):
                self._moves += 1  # the end moves away as we spend: it is the time until all is restored
            if self._moves > 1:
                self.vote_continuous(EVIDENCE)
                self.flows = True

    def measure(self, answer: QuotaSample, limit: float) -> None:
        """The rate, where what is stated is the time until all is restored; none any more where it is not."""
        if self._moves <= 1 or answer.ends is None or limit <= answer.left or answer.ends.hi <= answer.received:
            return
        if self._agrees(_each(limit - answer.left, answer.ends, answer.received)):
            self.rate = (limit - answer.left) / (answer.ends.hi - answer.received)

    def _agrees(self, each: tuple[float, float]) -> bool:
        """Whether each unit may take as long as all words so far say; if not, they spoke of something else."""
        both = max(each[0], self._each[0]), min(each[1], self._each[1])
        agrees = both[0] <= both[1]
        self._each = both if agrees else each
        if not agrees and self._moves > 1:
            self.rate, self.continuous, self.flows = None, 0, None
        if not agrees:
            self._moves = -EVIDENCE
        return agrees

    def vote_continuous(self, votes: int) -> None:
        """Counts votes for unit by unit."""
        self.continuous = min(EVIDENCE, self.continuous + votes)

    def came_early(self) -> None:
        """A unit was there before the stated end; that counts only until one was not."""
        if self.flows is None:
            self.flows = True

    def caution(self, interval: float | None, window: float | None) -> float:
        """Seconds that the first probes wait beyond the end: by then a continuous quota has its first unit."""
        if self.kind != "unknown" or interval is None or window is None:
            return 0.0
        return min(SURE * interval, window / 20)

    def trickle_at(self, missing: float, *, heard: float, until: float, interval: float | None) -> float:
        """Seconds since the epoch: when so many units have come back by themselves.

        Parameters:
            missing: units.
            heard: seconds since the epoch: when what is left was said.
            until: seconds since the epoch: the stated end.
            interval: seconds in which one unit is restored, on average.
        """
        if self.kind != "continuous" or interval is None:
            return math.inf
        if self.rate is not None or self.flows or until - heard <= 3 * interval:
            return heard + SURE * interval * missing
        return math.inf if self.flows is False else heard + EXPERIMENT * interval * missing
