"""`Governor`: decides when the next request of one scope may start.

A scope is whatever shares a limit: a lane (an origin, unless a rule says otherwise), or a budget that lanes share.
A request passes its gate (a refusal's wait), then the forecast of what the server declared, then the pace.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, Final, Literal

import attrs

from crawler.limits.declared import Exchange
from crawler.limits.gcra import Gcra

__all__ = ["Event", "Governor", "Grant", "Mode"]

Mode = Literal["auto", "smooth", "burst"]
LONGEST: Final = 3600.0
"""Seconds: the server's word counts up to here."""


@attrs.define(eq=False)
class Grant:
    """One start: given back if nothing was sent, settled by what came of it otherwise."""

    at: float
    """Seconds since the epoch."""
    cost: float
    """Units that it takes."""


@attrs.frozen(kw_only=True)
class Event:
    """Something that a user may want to know of a quota."""

    kind: str
    """``forecast``, ``low``, ``critical``, ``refused``, ``recovered`` or ``policy_changed``."""
    policy: str
    """Of which policy; empty: of the scope as a whole."""
    limit: float | None = None
    remaining: float | None = None
    reset_at: float | None = None
    """Seconds since the epoch."""
    breach_at: float | None = None
    """Seconds since the epoch: when what is left would be used up at the present rate."""


class Governor:
    """The limits of one scope. Knows no clock: `now` is seconds since the epoch, and never goes back.

    Parameters:
        rates: what the user allows, all of them kept.
        mode: ``smooth`` spreads what is left over the window, ``burst`` spends it and waits, ``auto`` spreads while
            the backlog does not fit.
        longest: seconds that a server may at most make us wait by one word.
        chance: where jitter comes from.
    """

    def __init__(
        self,
        *,
        rates: Sequence[Gcra] = (),
        mode: Mode = "auto",
        longest: float = LONGEST,
        chance: random.Random | None = None,
    ) -> None:
        self.rates = tuple(rates)
        self.mode = mode
        self.inflight = 0
        """Grants that are neither given back nor settled."""
        self.blocked_by = ""
        """What the last `ready_at` had to wait for: ``refusal``, ``quota``, ``pace`` or nothing."""
        self._longest = longest
        self._chance = chance or random.Random()
        self._gate = -math.inf

    def ready_at(self, now: float, *, cost: float = 1.0, backlog: float = math.inf) -> float:
        """Seconds since the epoch: when the next request may start, if nothing else happens before.

        Not later than `now`: at once. Infinite: not before something in flight comes back.

        Parameters:
            now: seconds since the epoch.
            cost: units that it takes.
            backlog: units that wait, itself included.
        """
        at = max(self._gate, *(rate.ready_at() for rate in self.rates)) if self.rates else self._gate
        self.blocked_by = "" if at <= now else "refusal" if at == self._gate else "pace"
        return at

    def take(self, now: float, *, cost: float = 1.0) -> Grant:
        """Counts a start."""
        self.inflight += 1
        for rate in self.rates:
            rate.take(now)
        return Grant(now, cost)

    def give_back(self, grant: Grant) -> None:
        """Undoes a start whose request was never sent."""
        self.inflight -= 1
        for rate in self.rates:
            rate.give_back()

    def lost(self, grant: Grant) -> None:
        """A request went out and nobody will hear of its answer: it counts as spent."""
        self.inflight -= 1

    def settle(self, grant: Grant, exchange: Exchange) -> list[Event]:
        """Learns from what came of a start.

        Parameters:
            grant: the start.
            exchange: what came of it.
        """
        self.inflight -= 1
        if exchange.refused and exchange.declared.retry_after is not None:
            self.block(exchange.received + min(exchange.declared.retry_after, self._longest))
            return [Event(kind="refused", policy="")]
        return []

    def block(self, until: float) -> None:
        """Starts nothing before `until` (seconds since the epoch)."""
        self._gate = max(self._gate, until)

    def policies(self) -> dict[str, dict[str, Any]]:
        """By name: limit, remaining, window and so on of every policy that is known, as JSON values."""
        return {}

    def state(self) -> dict[str, Any]:
        """What outlives this object, as JSON values."""
        return {"gate": self._gate} if self._gate > -math.inf else {}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up where `state` left off; what cannot be read is ignored."""
        self._gate = float(state.get("gate", self._gate))
