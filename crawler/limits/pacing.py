"""`Pacing`: the pace that the user asks for, and a gate before which nothing starts."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, Final

import attrs
from msgspec import Struct

from crawler.limits.concurrency import Concurrency
from crawler.limits.in_flight import Grant
from crawler.limits.json_numbers import json_number
from crawler.limits.pace import Pace, parse_rate

__all__ = ["ROBOTS_CONCURRENCY", "Gcra", "Pacing"]

ROBOTS_CONCURRENCY: Final = 2
"""Requests in flight, at most, where a robots.txt asks for a delay."""


class Gcra(Struct, eq=False):
    """The generic cell rate algorithm: at most `burst` starts at once, one every `interval` seconds in the long run."""

    interval: float
    burst: int = 1
    due: float = -math.inf
    """When the bucket is empty again, in seconds since the epoch (the theoretical arrival time)."""

    def ready_at(self) -> float:
        """Return when the next start is allowed, in seconds since the epoch."""
        return self.due - (self.burst - 1) * self.interval

    def take(self, now: float, cost: float = 1.0) -> None:
        """Count a start at `now` that takes as much as `cost` usual ones."""
        self.due = max(now, self.due) + self.interval * cost

    def refund(self, cost: float = 1.0) -> None:
        """Undo one `take` whose request was never sent."""
        self.due -= self.interval * cost


def _delay(pacing: Pacing) -> float:
    return pacing.pace.delay or 0.0


def _rates(pacing: Pacing) -> tuple[Gcra, ...]:
    return _buckets(pacing.pace.rate, pacing.pace.burst)


def _buckets(rates: Sequence[str], burst: int) -> tuple[Gcra, ...]:
    return tuple(Gcra(seconds / requests, burst) for requests, seconds in map(parse_rate, rates))


@attrs.define(eq=False, repr=False)
class Pacing:
    """The pace of one lane or budget."""

    pace: Pace
    rng: random.Random
    concurrency: Concurrency
    rates: tuple[Gcra, ...] = attrs.field(default=attrs.Factory(_rates, takes_self=True), init=False)
    """All of them are kept."""
    gate: float = attrs.field(default=-math.inf, init=False)
    """Nothing starts before this time, in seconds since the epoch."""
    gate_reason: str = attrs.field(default="refusal", init=False)
    """What the gate is closed for: ``refusal``, ``outage``, or ``pause`` if a plugin has asked for it."""
    next_start: float = attrs.field(default=-math.inf, init=False)
    """The earliest next start by the delay, in seconds since the epoch."""
    delay: float = attrs.field(default=attrs.Factory(_delay, takes_self=True), init=False)
    """Seconds between two starts, without jitter: what the user asks for, or a robots.txt if that is more."""
    _last: Grant | None = attrs.field(default=None, init=False)
    """The start from which `next_start` counts."""
    _interval: float = attrs.field(default=0.0, init=False)
    """Seconds between that start and the next."""

    def is_set(self) -> bool:
        """Return whether starts keep a distance: there is a rate or a delay."""
        return bool(self.rates) or self.delay > 0

    def ready_at(self) -> tuple[float, str]:
        """Return when the next request may start, in seconds since the epoch, and what decides it.

        Returns the time, and `gate_reason`, ``pace`` (a rate) or ``delay``. The time is infinite while the bytes of the
        last start are not out, since the delay counts from them.
        """
        if self._interval and (last := self._last) is not None and not last.is_out:
            return math.inf, "delay"
        at, reason = self.gate, self.gate_reason
        for rate in self.rates:
            rate_at = rate.ready_at()
            if rate_at > at:
                at, reason = rate_at, "pace"
        if self.next_start > at:
            return self.next_start, "delay"
        return at, reason

    def is_free(self, now: float) -> bool:
        """Return whether any number of requests may start at `now` (seconds since the epoch)."""
        return self.gate <= now and self.next_start <= now and not (self.rates or self.delay or self._interval)

    def draw_interval(self) -> float:
        """Return the seconds between a start and the next one: the delay, with jitter added."""
        delay = self.delay
        return delay * (1.0 + self.rng.random() * (self.pace.jitter or 0.0)) if delay else 0.0

    def set_robots_delay(self, seconds: float) -> None:
        """Keep at least the delay that a robots.txt asks for; 0 means that it asks for none."""
        self.delay = max(self.pace.delay or 0.0, seconds)
        if seconds > 0:
            self.concurrency.cap = min(self.concurrency.cap, ROBOTS_CONCURRENCY)

    def set_pace(self, *, delay: float | None, concurrency: int | None, robots_delay: float) -> None:
        """Change what the user asks for. `None` keeps it."""
        if delay is not None:
            self.pace = attrs.evolve(self.pace, delay=delay)
            self.delay = max(delay, robots_delay)
        if concurrency is not None:
            self.pace = attrs.evolve(self.pace, concurrency=concurrency)
            self.concurrency.cap = concurrency

    def tighten(self, pace: Pace) -> bool:
        """Keep what another owner asks for as well: the longer delay, fewer requests, all rates.

        Returns whether it may differ from what was asked for before.
        """
        own = self.pace
        if pace == own:
            return False
        delay = max(own.delay or 0.0, pace.delay or 0.0)
        concurrency = min(own.concurrency or 1, pace.concurrency or 1)
        added = tuple(rate for rate in pace.rate if rate not in own.rate)
        self.pace = attrs.evolve(own, delay=delay, concurrency=concurrency, rate=own.rate + added)
        self.delay = max(delay, self.delay)
        self.rates += _buckets(added, own.burst)
        self.concurrency.cap = concurrency
        return True

    def block(self, until: float, reason: str = "refusal") -> None:
        """Start nothing before `until` (seconds since the epoch)."""
        if until > self.gate:
            self.gate, self.gate_reason = until, reason

    def delay_after(self, start: float) -> None:
        """Let the next request wait for one delay after `start` (seconds since the epoch), which was no `take`."""
        self.next_start = max(self.next_start, start + self.draw_interval())

    # ---- starts ------------------------------------------------------------------------------------------------------

    def take(self, grant: Grant) -> None:
        """Count a start."""
        if not (self.delay or self.rates or self._interval):
            return
        self._last = grant
        self._interval = self.draw_interval() if self.delay else 0.0
        if self._interval:
            self.next_start = grant.at + self._interval
        for rate in self.rates:
            rate.take(grant.at, grant.cost)

    def mark_sent(self, grant: Grant, at: float) -> None:
        """Count the delay after a start from `at` (seconds since the epoch), when its bytes went out.

        Resolving the name of the host may have taken a while.
        """
        grant.is_out = True
        if self._interval and self._last is grant:
            self.next_start = max(self.next_start, at + self._interval)

    def refund(self, grant: Grant, *, keep_delay: bool = False) -> None:
        """Undo a start whose request was never sent."""
        if self._last is grant and not keep_delay:
            self.next_start = min(self.next_start, grant.at)
        for rate in self.rates:
            rate.refund(grant.cost)

    # ---- state -------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what the next run needs, as JSON values, but for the gate; empty if nothing was started."""
        state: dict[str, Any] = {}
        if self.next_start > -math.inf:
            state["next_start"] = self.next_start
        if self._interval:
            state["interval"] = self._interval
        if self.rates:
            state["rates"] = [max(rate.due, 0.0) for rate in self.rates]
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned; unreadable values are ignored."""
        next_start = json_number(state.get("next_start"))
        if next_start is not None:
            self.next_start = next_start
        self._interval = json_number(state.get("interval"), 0.0) or 0.0
        rates = state.get("rates")
        if isinstance(rates, list):
            for rate, saved in zip(self.rates, rates, strict=False):
                due = json_number(saved)
                if due is not None:
                    rate.due = due

    def resume(self, now: float) -> None:
        """Resume after an interrupted run: its last start is not known, so one delay passes first."""
        self.next_start = max(self.next_start, now + max(self._interval, self.draw_interval()))
