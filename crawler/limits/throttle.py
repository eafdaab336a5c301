"""`Throttle`: everything that holds back the requests of one scope.

A scope is a lane, or a budget that lanes share. Its governor knows what the server allows, its pace what the user does,
its dialect how the server says so, its concurrency how many requests at once do well.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from crawler.limits.backoff import patience
from crawler.limits.concurrency import Concurrency
from crawler.limits.events import QuotaEvent
from crawler.limits.gcra import Gcra
from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared
from crawler.limits.headers.field_names import limit_fields
from crawler.limits.in_flight import Grant
from crawler.limits.pace import Pace, parse_rate
from crawler.limits.pacing import Governor

if TYPE_CHECKING:
    from crawler.limits.headers.reader import HeaderReader

__all__ = ["Throttle"]

STALL: Final = 900.0
"""Seconds of refusals without one success, waits that the server named left out, after which a scope has stalled."""
SPARE: Final = 20.0
"""Refused requests that may be sent again at once; each success earns a tenth of one."""
EARNED: Final = 0.1
EMPTY: Final = 10.0
"""Seconds that a scope waits after a refusal that it has no retry to spare for."""
LONE: Final = 10
"""Answers in a row after which one failure (503 without a word, a timeout, a reset) is taken for that of a page."""
UNHURRIED: Final = 2
"""Requests at once, at most, where robots.txt asks for a delay."""


def _governor(throttle: Throttle) -> Governor:
    rates = (parse_rate(rate) for rate in throttle.pace.rate)
    buckets = tuple(Gcra(seconds / requests, throttle.pace.burst) for requests, seconds in rates)
    return Governor(rates=buckets, mode=throttle.pace.mode or "auto", chance=throttle.chance)


def _concurrency(throttle: Throttle) -> Concurrency:
    most = throttle.pace.concurrency or 1
    return Concurrency(most, start=most if throttle.pace.slow_start is False else 1)


@attrs.define(eq=False)
class Throttle:
    """One scope. Knows no clock: `now` is seconds since the epoch, and never goes back.

    Parameters:
        name: of the lane or budget.
        pace: what the user asks of it, every field filled in.
        chance: where jitter comes from.
    """

    name: str
    pace: Pace
    chance: random.Random
    governor: Governor = attrs.field(default=attrs.Factory(_governor, takes_self=True), init=False)
    concurrency: Concurrency = attrs.field(default=attrs.Factory(_concurrency, takes_self=True), init=False)
    """How many requests in flight do well; nobody asks it of a budget."""
    next_start: float = attrs.field(default=-math.inf, init=False)
    """Seconds since the epoch: the earliest next start by the delay."""
    asked_delay: float = attrs.field(default=0.0, init=False)
    """Seconds between two starts that a robots.txt asks for."""
    stalled_until: float = attrs.field(default=-math.inf, init=False)
    """Seconds since the epoch: until then nothing is worth asking, since all was refused for so long."""
    busy: int = attrs.field(default=0, init=False)
    """Requests whose answers have not ended, of all owners that `enter` and `leave`."""
    watchers: tuple[Callable[[], None], ...] = attrs.field(default=(), init=False)
    """Called when `ready_at` may have another answer, where several owners share this scope."""
    _dialect: HeaderReader | None = attrs.field(default=None, init=False)
    _last: Grant | None = attrs.field(default=None, init=False)
    _interval: float = attrs.field(default=0.0, init=False)
    _crowd: int = attrs.field(default=0, init=False)
    """Requests that were in flight at the last refusal which the level has not answered for yet."""
    _well: int = attrs.field(default=0, init=False)
    """Answers since the server last failed as one that has too much to do."""
    _hesitates_until: float = attrs.field(default=-math.inf, init=False)
    """Seconds since the epoch: until then what is in flight may tell that the last failure was not that of a page."""
    _refused_since: float = attrs.field(default=math.nan, init=False)
    _spare: float = attrs.field(default=SPARE, init=False)

    # ---- when --------------------------------------------------------------------------------------------------------

    @property
    def blocked_by(self) -> str:
        """What the last `ready_at` had to wait for: ``refusal``, ``quota``, ``pace``, ``delay`` or nothing."""
        return self.governor.blocked_by

    def ready_at(self, now: float, *, cost: float = 1.0, backlog: float = math.inf) -> float:
        """Seconds since the epoch: when the next request may start; see `Governor.ready_at`."""
        at = self.governor.ready_at(now, cost=cost, backlog=backlog)
        if self._hesitates_until > at and self._hesitates_until > now and self.governor.inflight:
            self.governor.blocked_by = "refusal"
            return self._hesitates_until
        if self.next_start > at:
            if self.next_start > now:
                self.governor.blocked_by = "delay"
            return self.next_start
        return at

    def interval(self) -> float:
        """Seconds to the next start: the delay, or what a robots.txt asks for if that is more; jitter added."""
        delay = max(self.pace.delay or 0.0, self.asked_delay)
        return delay * (1.0 + self.chance.random() * (self.pace.jitter or 0.0)) if delay else 0.0

    def is_paced(self) -> bool:
        """Whether starts have to keep a distance."""
        return bool(self.governor.rates) or bool(self.pace.delay) or self.asked_delay > 0

    def is_stalled(self, now: float) -> bool:
        """Whether all was refused for so long that asking is no use for now."""
        return now < self.stalled_until

    def ask_for_delay(self, seconds: float) -> None:
        """A robots.txt asks for a delay."""
        self.asked_delay = seconds
        if seconds > 0:
            self.concurrency.cap = min(self.concurrency.cap, UNHURRIED)

    def block(self, until: float) -> None:
        """Starts nothing before `until` (seconds since the epoch)."""
        self.governor.block(until)
        self.notify()

    def notify(self) -> None:
        """Call the watchers: `ready_at` may return something else now."""
        for watcher in self.watchers:
            watcher()

    # ---- starts, and what came of them -------------------------------------------------------------------------------

    def take(self, now: float, *, cost: float = 1.0) -> Grant:
        """Counts a start."""
        self._interval = self.interval()
        if self._interval:
            self.next_start = now + self._interval
        self._last = self.governor.take(now, cost=cost)
        return self._last

    def went_out(self, grant: Grant, at: float) -> None:
        """The bytes of a start go out: the delay counts from here, since finding the host may have taken a while."""
        if self._interval and self._last is grant:
            self.next_start = max(self.next_start, at + self._interval)

    def is_full(self) -> bool:
        """Whether as many requests are in flight as do well."""
        return self.busy >= self.concurrency.limit

    def enter(self) -> None:
        """One more request is in flight, until `leave`: where several owners share a lane, they count together."""
        self.busy += 1

    def leave(self) -> None:
        """The answer of a request that did `enter` has ended, its body included."""
        self.busy -= 1

    def give_back(self, grant: Grant, *, keep_delay: bool = False) -> None:
        """Undo a start whose request was never sent.

        Parameters:
            grant: the start; one that is settled already changes nothing.
            keep_delay: whether the next start keeps its distance to this one all the same.
        """
        if self._last is grant and not keep_delay:
            self.next_start = min(self.next_start, grant.at)
        self.governor.give_back(grant)

    def lost(self, grant: Grant, report: AttemptReport | None = None) -> list[QuotaEvent]:
        """Count a start as spent of which this limit learns neither a success nor a refusal.

        Parameters:
            grant: the start; one that is settled already changes nothing.
            report: an answer that concerns another limit; this one hears what it declares of quotas.
        """
        return self.governor.lost(grant, report)

    def read(self, headers: Sequence[tuple[str, str]], *, status: int, sent: float, received: float) -> Declared:
        """What an answer says of limits; see `HeaderReader.read`."""
        if self._dialect is None:
            if not limit_fields(headers):
                return NOTHING
            self._dialect = _dialect()
        return self._dialect.read(headers, status=status, sent=sent, received=received)

    def settle(
        self, grant: Grant, exchange: AttemptReport, *, inflight: int, concurrency: Concurrency | None = None
    ) -> list[QuotaEvent]:
        """Learn from what came of a start. `Permit` calls `notify` when all limits of the request have learned.

        Parameters:
            grant: the start; one that is settled already teaches no quota.
            exchange: what came of it.
            inflight: requests of the lane that were in flight, this one included.
            concurrency: what is lowered if there were too many requests at once: that of the lane, if this is a
                budget. `None` means the one of this throttle.
        """
        self._hesitates_until = -math.inf
        if self._is_lone(exchange):
            self._hesitates_until = exchange.received + patience(exchange.received - exchange.sent)
            exchange = attrs.evolve(exchange, refused=False, overloaded=False, first_byte=None)
        self._learn_level(exchange, inflight)
        if exchange.declared is not NOTHING:
            self.concurrency.declare(exchange.declared.concurrency)
        events = self.governor.settle(grant, exchange)
        if exchange.refused:
            self._crowd = 0 if exchange.overloaded else inflight
            self._refused(exchange)
        if self._crowd and any(event.kind == "concurrency" for event in events):
            (concurrency or self.concurrency).refused_for_concurrency(exchange.received, self._crowd)
            self._crowd = 0
        if exchange.status and not exchange.refused:
            self._refused_since = math.nan
            self.stalled_until = -math.inf
            self._spare = min(SPARE, self._spare + EARNED)
        return events

    def _is_lone(self, exchange: AttemptReport) -> bool:
        """Whether a failure stands alone: then it is that of a page, and says nothing of limits."""
        if not exchange.overloaded:
            self._well += not exchange.refused
            return False
        lone = self._well >= LONE and exchange.declared.retry_after is None and not self.governor.expects_refusals()
        self._well = 0
        return lone

    def _learn_level(self, exchange: AttemptReport, inflight: int) -> None:
        if exchange.refused and self.governor.is_leaky():
            return
        if exchange.overloaded:
            self.concurrency.overloaded(exchange.received, inflight, refused=exchange.refused)
        elif exchange.first_byte is not None and not exchange.refused:
            self.concurrency.answered(exchange.received, exchange.first_byte, inflight)

    def _refused(self, exchange: AttemptReport) -> None:
        """Keeps what refused requests add within bounds: a tenth of all, and some time without any success."""
        now = exchange.received
        stated = exchange.declared.retry_after or 0.0
        if self._refused_since != self._refused_since:  # not a number: the first
            self._refused_since = now
        if now - self._refused_since >= STALL:
            self.stalled_until = now + STALL
            self._refused_since = math.nan
        else:
            self._refused_since += stated  # what the server asked for is no stall
        self._spare -= 1.0
        if self._spare < 0:
            self._spare = 0.0
            self.governor.block(now + EMPTY)

    # ---- what is known, and what outlives it -------------------------------------------------------------------------

    def policies(self) -> dict[str, dict[str, Any]]:
        """What the server declared and what was learned, by policy, as JSON values."""
        return self.governor.policies()

    def resume(self, now: float) -> None:
        """Goes on after a run that broke off: one delay passes, and probes find out what is left of each quota."""
        self.next_start = max(self.next_start, now + max(self._interval, self.interval()))
        self.governor.resume(now)

    def state(self) -> dict[str, Any]:
        """What outlives this object, as JSON values; empty: nothing was learned."""
        state: dict[str, Any] = {}
        if self.next_start > -math.inf:
            state["next_start"] = self.next_start
        if self._interval:
            state["interval"] = self._interval
        if self.governor.rates:
            state["rates"] = [max(rate.due, 0.0) for rate in self.governor.rates]
        parts: dict[str, Governor | Concurrency | HeaderReader | None] = {
            "governor": self.governor,
            "concurrency": self.concurrency,
            "dialect": self._dialect,
        }
        for name, part in parts.items():
            kept = part.state() if part is not None else {}
            if kept:
                state[name] = kept
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up where `state` left off; what cannot be read is ignored."""
        self.next_start = _time(state.get("next_start"), self.next_start)
        self._interval = _time(state.get("interval"), 0.0)
        rates = state.get("rates")
        if isinstance(rates, list):
            for rate, due in zip(self.governor.rates, rates, strict=False):
                rate.due = _time(due, rate.due)
        self.governor.restore(state.get("governor") or {})
        self.concurrency.restore(state.get("concurrency") or {})
        if state.get("dialect"):
            self._dialect = _dialect()
            self._dialect.restore(state["dialect"])


def _dialect() -> HeaderReader:
    from crawler.limits.headers.reader import HeaderReader  # noqa: PLC0415 - most servers declare nothing

    return HeaderReader()


def _time(value: Any, otherwise: float) -> float:
    """A finite number, or what to take instead."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and -math.inf < value < math.inf
    return float(value) if good else otherwise
