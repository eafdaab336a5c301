"""What refusals teach: how long to wait, and of which limit they speak (rules 7 and 8 of `crawler.limits.quota`)."""

from __future__ import annotations

import math
from typing import Final

import attrs

from crawler.limits.backoff import doubled
from crawler.limits.bracket import ROUNDING
from crawler.limits.learned import Learned, Search

__all__ = ["Refusals"]

SLOWEST: Final = 60.0
"""Seconds: the longest wait that we add on our own where a server's word keeps being refused."""


@attrs.define(eq=False)
class Refusals:
    """The refusals of one scope. One burst is one event: what was in flight when the first came is refused as well."""

    gate: float = -math.inf
    """Seconds since the epoch: nothing starts before."""
    probing: bool = False
    """Whether the gate opens for one request only, which tells whether the wait was long enough."""
    pad: float = 0.0
    """Seconds to wait beyond ``Retry-After``, learned from a server that rounds down."""
    search: Search | None = None
    """Looks for the limit behind them, where none is known."""
    heard: float = -math.inf
    """Seconds since the epoch: when the last came."""
    in_row: int = 0
    """Bursts of refusals since the last success."""
    _told: bool = False
    _refused: int = 0
    _served: int = 0
    _doubted: bool = False

    def belongs(self, sent: float) -> bool:
        """Whether a request was on its way when the last refusal came."""
        return sent < self.heard

    def refused(self, sent: float, received: float, *, retry_after: float | None, jitter: float) -> bool:
        """Counts a refusal and waits as told. Returns whether it is the first of its burst.

        Parameters:
            sent: seconds since the epoch.
            received: seconds since the epoch.
            retry_after: seconds; `None`: nothing was said.
            jitter: seconds to add to what was said.
        """
        first = not self.belongs(sent)
        if first:
            self.in_row += 1
            self._refused, self._served = 0, 0
            if self.in_row == 2 and self._told and retry_after is not None:
                self.pad = ROUNDING  # the word was kept and yet it was too early
        self._refused += 1
        self._told = retry_after is not None
        self.heard = max(self.heard, received)
        if retry_after is None:
            return first
        wait = max(retry_after, doubled(self.in_row - 3, cap=SLOWEST)) if self.in_row > 2 else retry_after
        if first or sent + wait - ROUNDING > self.gate:  # no burst extends its wait twice, unless the server does
            self.gate = max(self.gate, received + wait + self.pad + jitter)
        self.probing = True
        return first

    def back_off(self, received: float) -> None:
        """Waits by itself, where nothing that is known says how long."""
        self.gate = max(self.gate, received + doubled(self.in_row - 1, cap=SLOWEST))
        self.probing = True

    def wait_for_search(self, sent: float, received: float, *, first: bool, retry_after: float | None) -> None:
        """Waits for the next probe of the search."""
        assert self.search is not None
        if first or retry_after is not None:
            at = self.search.refuse(sent, received, None if retry_after is None else retry_after + self.pad)
            if retry_after is None:
                self.gate = max(self.gate, at)
                self.probing = True
        else:
            self.search.refused = max(self.search.refused, sent)

    def served(self, sent: float, received: float, cost: float) -> tuple[str, Learned | None]:
        """Counts a success. Returns what it ended (``wait``, ``doubt`` or nothing), and the limit that it teaches."""
        if self.belongs(sent):
            self._served += 1
            if self.search is not None:
                self.search.served += cost
            return "", None
        if self.in_row == 0:
            return "", None
        doubted = self._doubted and self.in_row == 1
        found = self.search.found(sent, received, cost) if self.search is not None and not doubted else None
        self.lift()
        return "doubt" if doubted else "wait", found

    def is_doubtful(self) -> bool:
        """Whether it may be that there were just too many at once: what was in flight beside them was mostly served."""
        alone = self.search is None or self._told or self.in_row != 1
        return not alone and not self._doubted and self._served >= self._refused

    def doubt(self, now: float) -> None:
        """All of the burst is back: one request goes alone, at once. A limit of a rate refuses that as well."""
        self.gate, self.probing, self._doubted = now, True, True

    def lift(self) -> None:
        """Waits no longer."""
        self.gate, self.probing, self.search = -math.inf, False, None
        self.in_row, self._refused, self._served, self._doubted = 0, 0, 0, False
