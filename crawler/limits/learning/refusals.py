"""What refusals teach: how long to wait, and which limit they reveal.

They are rules 7 and 8 of `crawler.limits.quotas.quota`.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from crawler.limits.backoff import doubled, patience
from crawler.limits.learning.leaky_bucket import ENOUGH, SOON
from crawler.limits.learning.undeclared import LimitSearch, UndeclaredQuota
from crawler.limits.quotas.time_interval import ROUNDING

__all__ = ["Refusals"]

SLOWEST: Final = 60.0
"""Seconds: the longest wait that we add on our own where a server's word keeps being refused."""


TRUST: Final = 4.0
"""Units to be served, after a wait of which nobody had told the end, before one request more goes at once."""
BESIDE: Final = 2
"""Requests that were on their way with a refused one and served, after which that one says nothing of the others."""


@attrs.define(eq=False)
class Refusals:
    """The refusals of one scope. One burst is one event: what was in flight when the first came is refused as well."""

    gate: float = -math.inf
    """Seconds since the epoch: nothing starts before."""
    probing: bool = False
    """Whether the gate opens for one request only, which tells whether the wait was long enough."""
    pad: float = 0.0
    """Seconds to wait beyond ``Retry-After``, learned from a server that rounds down."""
    search: LimitSearch | None = None
    """Looks for the limit behind them, where none is known."""
    heard: float = -math.inf
    """Seconds since the epoch: when the last came."""
    in_row: int = 0
    """Bursts of refusals since the last success."""
    patience: float = patience(0.0)
    """Seconds after which a request that is still out has not been refused, by how long refusals took."""
    full: float = math.nan
    """Seconds since the epoch: when a burst was refused, without a word, of which the first probe was served: a bucket
    would have been full then."""
    before: float = 0.0
    """Units that were served until then."""
    since: float = 0.0
    """Units that were served since."""
    anew: float = math.inf
    """Units that were served since the end of a wait whose length was guessed; what we believe is not proven yet."""
    _told: bool = False
    _refused: int = 0
    _served: int = 0
    _doubted: bool = False
    _gate_before: float = -math.inf

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
        if first and sent >= self.passes_at(self.gate):
            self.lift()  # the probe got through: this is another burst
            self.full = math.nan
        if first:
            self.in_row += 1
            self._refused, self._served, self.patience = 0, 0, patience(0.0)
            if self.in_row == 2 and self._told and retry_after is not None:
                self.pad = ROUNDING  # the word was kept and yet it was too early
        self._refused += 1
        if self._doubted and received < self.gate and self._served < self._refused:
            self.gate, self._doubted = self._gate_before, False
        self.patience = max(self.patience, patience(received - sent))
        self._told = retry_after is not None
        self.heard = max(self.heard, received)
        if retry_after is None:
            return first
        wait = retry_after + self.pad
        if self.in_row > 2:
            wait = max(wait, doubled(self.in_row - 3, cap=SLOWEST))
        if first or sent + wait - self.pad - ROUNDING > self.gate:  # no burst extends its wait twice, unless told to
            self.gate = max(self.gate, received + wait + jitter)
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

    def served(self, sent: float, received: float, cost: float) -> tuple[str, UndeclaredQuota | None]:
        """Counts a success. Returns what it ended (``wait``, ``doubt`` or nothing), and the limit that it teaches."""
        if self.belongs(sent):
            self._served += 1
            if self.search is not None:
                self.search.served += cost
            return "", None
        self.since += cost
        self.anew += cost
        if self.in_row == 0:
            return "", None
        if self._told or (self._doubted and self.in_row == 1 and self._refused == 1):
            self.full = math.nan
        doubted = self._doubted and self.in_row == 1
        alone = self._refused == 1 and self._served >= BESIDE  # a limit would have met those beside it too
        found = self.search.found(sent, received, cost) if self.search is not None and not (doubted or alone) else None
        self.lift()
        return "doubt" if doubted else "wait", found

    def compare_from(self, now: float, served: float) -> None:
        """What is served from now on is compared with what was served until now.

        Where next to nothing was served since the last time that counts on: a bucket may leak so slowly.

        Parameters:
            now: seconds since the epoch: about when the server refused.
            served: units that it served until then.
        """
        if self.since == 0.0:
            self.full = max(self.full, now)
        if now - self.full <= SOON and self.since < ENOUGH:
            return
        self.full, self.before, self.since = now, max(self.since, served), 0.0

    def is_undecided(self, others: bool) -> bool:
        """Whether one burst is all there was so far, of one request, or of some while others are still in flight."""
        return self.in_row == 1 and (self._refused == 1 or others)

    def is_doubtful(self, now: float) -> bool:
        """Whether there may have been just too many at once: what was in flight beside them was mostly served."""
        alone = self.search is None or self._told or self.in_row != 1
        decided = self._doubted and now >= self.gate
        return not alone and not decided and self._served >= self._refused

    def passes_at(self, sent: float) -> float:
        """Seconds since the epoch: when a probe that was sent then has got through; infinite: its answer will tell.

        That is enough to go on where requests at once are what is limited: what is not refused holds its place.
        """
        return sent + self.patience if self._doubted and self.in_row == 1 else math.inf

    def most(self) -> float:
        """How many requests may be in flight: after a guess few, so that a wrong one costs few refusals."""
        return 1.0 + self.anew / TRUST

    def doubt(self, at: float) -> None:
        """All of the burst is decided then: one request goes alone, at once. A limit of a rate refuses that as well."""
        if not self._doubted:
            self._gate_before = self.gate
        self.gate, self.probing, self._doubted = at, True, True

    def lift(self) -> None:
        """Waits no longer."""
        if self.search is not None:
            self.anew = 0.0
        self.gate, self.probing, self.search = -math.inf, False, None
        self.in_row, self._refused, self._served, self._doubted = 0, 0, 0, False
