"""`Throttle`: everything that holds back the requests of one lane, or of one budget that lanes share.

It has three parts: the pace that the user asks for (`Pacing`), what the server allows, as it declares and as refusals
show (`LimitLearner`), and how many requests at once do well (`Concurrency`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
from msgspec.structs import replace

from crawler.limits.backoff import patience
from crawler.limits.concurrency import Concurrency
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared
from crawler.limits.headers.field_names import limit_fields
from crawler.limits.headers.refusal_status import AMBIGUOUS_STATUSES
from crawler.limits.in_flight import Flight, Grant
from crawler.limits.json_numbers import json_number
from crawler.limits.pace import Pace
from crawler.limits.pacing import Pacing
from crawler.limits.random_faults import RandomFaults

if TYPE_CHECKING:
    from crawler.limits.headers.reader import HeaderReader
    from crawler.limits.learning.learner import LimitLearner

__all__ = ["Throttle", "ThrottleStatistics"]

STALL: Final = 900.0
"""Seconds of refusals without one success after which the limit has stalled. Stated waits do not count. The server is
overloaded, or has never served anything."""
STALL_OF_QUOTA: Final = 90_000.0
"""The same where a server that has served requests refuses them because of a limit: quotas of a day are common."""
MAX_SPARE: Final = 20.0
"""Refused requests that may be sent again at once."""
EARNED: Final = 0.1
"""Refused requests that one success adds to these."""
SPENT_WAIT: Final = 10.0
"""Seconds to wait after a refusal when none of these is left."""
STEADY: Final = 10
"""Responses in a row after which a single failure (a 503 that states no wait, a timeout, a reset) is blamed on its
page."""
PROMPT: Final = 0.1
"""Seconds, and at least two response times, after a refusal in which no unit of a quota returns."""
CONCURRENCY: Final = "concurren"
"""Part of the names by which servers call such limits: Stripe's ``global-concurrency``, ``concurrent-requests``."""
ROBOTS_CONCURRENCY: Final = 2
"""Requests in flight, at most, where a robots.txt asks for a delay."""


def _pacing(throttle: Throttle) -> Pacing:
    return Pacing(throttle.pace, throttle.rng)


def _concurrency(throttle: Throttle) -> Concurrency:
    most = throttle.pace.concurrency or 1
    return Concurrency(most, start=most if throttle.pace.slow_start is False else 1)


@attrs.frozen(kw_only=True)
class ThrottleStatistics:
    """What one limit allows at one moment."""

    ready_at: float
    """When the next request may start, in seconds since the epoch; infinite: after a response arrives."""
    blocked_by: str
    """What it waits for: ``refusal``, ``quota``, ``pace``, ``delay``, ``outage``, ``pause`` or nothing."""
    in_flight: int
    """Requests in flight."""
    concurrency: int
    """Requests that may be in flight now."""
    max_concurrency: int
    """Requests that may be in flight if the server keeps up."""
    delay: float
    """Seconds between two starts, as settings or a robots.txt ask for."""
    rates: tuple[str, ...]
    """The rates that settings ask for, such as ``60/min``."""
    policies: dict[str, dict[str, Any]]
    """What the server declared and what was learned, by policy, as JSON values."""


@attrs.define(eq=False, repr=False)
class Throttle:
    """The limits of one lane or budget. It has no clock: `now` is seconds since the epoch, and never decreases.

    Parameters:
        name: Name of the lane or budget.
        pace: What the user asks for, with every field set.
        rng: Source of jitter.
    """

    name: str
    pace: Pace
    rng: random.Random
    pacing: Pacing = attrs.field(default=attrs.Factory(_pacing, takes_self=True), init=False)
    """The delay, the rates and the gate."""
    concurrency: Concurrency = attrs.field(default=attrs.Factory(_concurrency, takes_self=True), init=False)
    """How many requests in flight do well; not used for a budget."""
    flight: Flight = attrs.field(factory=Flight, init=False)
    """Starts that are not settled."""
    blocked_by: str = attrs.field(default="", init=False)
    """What the last `ready_at` had to wait for: ``refusal``, ``quota``, ``pace``, ``delay`` or nothing."""
    stalled_until: float = attrs.field(default=-math.inf, init=False)
    """Until then no request is worth a try, since all were refused for so long; in seconds since the epoch."""
    busy: int = attrs.field(default=0, init=False)
    """Requests whose responses have not ended, of all owners that `enter` and `leave`."""
    watchers: tuple[Callable[[], None], ...] = attrs.field(default=(), init=False)
    """Called when `ready_at` may have changed, where several owners share these limits."""
    _learner: LimitLearner | None = attrs.field(default=None, init=False)
    """`None` until the server declares or refuses something; most servers do neither."""
    _reader: HeaderReader | None = attrs.field(default=None, init=False)
    _first_start: float = attrs.field(default=math.nan, init=False)
    _last_start: float = attrs.field(default=-math.inf, init=False)
    _served: float = attrs.field(default=0.0, init=False)
    """Units served since the first start, until there is a learner that counts them."""
    _refused_inflight: int = attrs.field(default=0, init=False)
    """Requests in flight at the last refusal; 0 when the level has been lowered for it."""
    _faults: RandomFaults | None = attrs.field(default=None, init=False)
    """`None` until a request fails or is refused."""
    _random: frozenset[str] = attrs.field(default=frozenset(), init=False)
    """What comes at random, as of `RandomFaults.at_random`."""
    _steady: int = attrs.field(default=0, init=False)
    """Responses since the server last failed as an overloaded server does."""
    _hesitates_until: float = attrs.field(default=-math.inf, init=False)
    """Until then the requests in flight may show that the last failure was not that of a page."""
    _refused_since: float = attrs.field(default=math.nan, init=False)
    refuses_all: bool = attrs.field(default=False, init=False)
    """Whether nothing was served between the two latest refusals."""
    has_served: bool = attrs.field(default=False, init=False)
    """Whether the server has ever served a request."""
    _spare: float = attrs.field(default=MAX_SPARE, init=False)

    @property
    def inflight(self) -> int:
        """Starts that are not settled."""
        return len(self.flight)

    @property
    def failed_share(self) -> float:
        """Share of the latest requests that failed or were refused; 0 if few are known, or nearly all did.

        A status of 500 or 502 is no failure of the lane: it may be that of its page, each time.
        """
        return 0.0 if self._faults is None else self._faults.failed_share

    # ---- when the next request may start -----------------------------------------------------------------------------

    def ready_at(self, now: float, *, cost: float = 1.0, backlog: float = math.inf) -> float:
        """Return when the next request may start if nothing else happens before, in seconds since the epoch.

        A time up to `now` means at once. Infinite means after a request in flight has ended.

        Parameters:
            now: Seconds since the epoch.
            cost: Units that the request takes.
            backlog: Units of all waiting requests, including this one.
        """
        at, reason = self.pacing.ready_at()
        learner = self._learner
        if learner is not None:
            gate = learner.gate_at(now)
            if gate > at:
                at, reason = gate, "refusal"
            mode = self.pace.mode or "auto"
            allowed_at, why = learner.quota_at(now, self._last_start, cost=cost, backlog=backlog, mode=mode)
            if allowed_at > at:
                at, reason = allowed_at, why
        if self._hesitates_until > at and self._hesitates_until > now and self.flight:
            at, reason = self._hesitates_until, "refusal"
        self.blocked_by = reason if at > now else ""
        return at

    def is_paced(self) -> bool:
        """Return whether starts keep a distance that the user or a robots.txt asks for."""
        return self.pacing.is_set()

    def is_full(self) -> bool:
        """Return whether as many requests are in flight as do well."""
        return self.busy >= self.concurrency.limit

    def is_stalled(self, now: float) -> bool:
        """Return whether all requests were refused for so long that none is worth a try for now."""
        return now < self.stalled_until

    def set_robots_delay(self, seconds: float) -> None:
        """Keep a delay that a robots.txt asks for; 0 means none."""
        self.pacing.set_robots_delay(seconds)
        if seconds > 0:
            self.concurrency.cap = min(self.concurrency.cap, ROBOTS_CONCURRENCY)

    def block(self, until: float) -> None:
        """Start nothing before `until` (seconds since the epoch)."""
        self.pacing.block(until)
        self.notify()

    def set_pace(
        self, *, delay: float | None = None, concurrency: int | None = None, robots_delay: float = 0.0
    ) -> None:
        """Change what the user asks for. `None` keeps it.

        Parameters:
            delay: Seconds between two starts.
            concurrency: Requests in flight, at most.
            robots_delay: Seconds between two starts that a robots.txt asks for.
        """
        if delay is not None:
            self.pace = self.pacing.pace = attrs.evolve(self.pace, delay=delay)
            self.pacing.set_robots_delay(robots_delay)
        if concurrency is not None:
            self.pace = self.pacing.pace = attrs.evolve(self.pace, concurrency=concurrency)
            self.concurrency.cap = concurrency
        self.notify()

    def tighten(self, pace: Pace) -> None:
        """Keep what another owner of these limits asks for as well: the longer delay, fewer requests, all rates.

        Parameters:
            pace: The pace of that owner, with every field set.
        """
        own = self.pace
        if pace == own:
            return
        delay = max(own.delay or 0.0, pace.delay or 0.0)
        concurrency = min(own.concurrency or 1, pace.concurrency or 1)
        added = tuple(rate for rate in pace.rate if rate not in own.rate)
        self.pace = self.pacing.pace = attrs.evolve(own, delay=delay, concurrency=concurrency, rate=own.rate + added)
        self.pacing.set_robots_delay(self.pacing.delay)
        self.pacing.add_rates(added)
        self.concurrency.cap = concurrency
        self.notify()

    def notify(self) -> None:
        """Call the watchers: `ready_at` may have changed."""
        for watcher in self.watchers:
            watcher()

    # ---- starts and their results (called by `Permit`) ---------------------------------------------------------------

    def enter(self) -> None:
        """Count one more request in flight, until `leave`. Owners that share a lane count together."""
        self.busy += 1

    def leave(self) -> None:
        """Count one request less: its response has ended, body included."""
        self.busy -= 1

    def take(self, now: float, *, cost: float = 1.0) -> Grant:
        """Count a start of `cost` units."""
        grant = Grant(now, cost, self._last_start, len(self.flight) + 1)
        if self._last_start == -math.inf:
            self._first_start = now
            if self._learner is not None:  # of an earlier run
                self._learner.since = now
        self._last_start = now
        self.flight.begin(grant)
        self.pacing.take(grant)
        return grant

    def mark_sent(self, grant: Grant, at: float) -> None:
        """Count the delay after a start from `at` (seconds since the epoch), when its bytes went out."""
        self.pacing.mark_sent(grant, at)

    def give_back(self, grant: Grant, *, keep_delay: bool = False) -> None:
        """Undo a start whose request was never sent; one that is settled is left alone.

        Parameters:
            grant: The start.
            keep_delay: Whether the next start keeps its distance to this one all the same.
        """
        if not self.flight.end(grant):
            return
        if self._last_start == grant.at:
            self._last_start = grant.before
        self.pacing.give_back(grant, keep_delay=keep_delay)

    def settle_lost(self, grant: Grant, report: AttemptReport | None = None) -> list[QuotaEvent]:
        """Settle a start that counts as spent, but is neither a success nor a refusal. Return the events.

        Parameters:
            grant: The start; one that is settled is left alone.
            report: A response that concerns another limit; this one learns only the quotas that it declares.
        """
        if not self.flight.end(grant):
            return []
        if report is not None and report.declared.observations:
            return self._learn().record_unrelated(grant.cost, report)
        if self._learner is not None:
            self._learner.record_lost(grant.cost)
        return []

    def settle(
        self, grant: Grant, report: AttemptReport, *, inflight: int, concurrency: Concurrency | None = None
    ) -> list[QuotaEvent]:
        """Settle a start by its result, and learn from it. Return the events.

        `Permit` calls `notify` when all limits of the request have learned.

        Parameters:
            grant: The start; one that is settled teaches no quota.
            report: The result.
            inflight: Requests of the lane in flight, including this one.
            concurrency: What is lowered if there were too many requests at once: that of the lane, if this is a
                budget. `None` means that of this throttle.
        """
        self._hesitates_until = -math.inf
        load = max(grant.load, inflight)
        level = concurrency or self.concurrency
        if report.refused and report.declared.retry_after is None and _blames_concurrency(report, level, inflight):
            level.overloaded(report.received, inflight, refused=True)
            self._count_refusal(report)
            return [*self.settle_lost(grant), QuotaEvent(kind="refused", policy="")]
        isolated = self._is_isolated(report)
        if self._is_random(report, load):
            return self.settle_lost(grant, report)
        if isolated:
            self._hesitates_until = report.received + patience(report.received - report.sent)
            report = replace(report, refused=False, overloaded=False, first_byte=None)
        self._learn_concurrency(report, inflight, load)
        if report.declared is not NOTHING:
            self.concurrency.declare(report.declared.concurrency)
        events = self._learn_quotas(grant, report, inflight)
        if report.declared.observations and not report.refused and self._learner is not None:
            level.welcome(self._learner.quotas.left())
        if report.refused:
            self._refused_inflight = 0 if report.overloaded or load == 1 else inflight
            self._count_refusal(report)
        if events:
            self._learn_reason(events, grant, report, level)
        if report.status and not report.refused:
            self._refused_since = math.nan
            self.refuses_all, self.has_served = False, True
            self.stalled_until = -math.inf
            self._spare = min(MAX_SPARE, self._spare + EARNED)
        return events

    def read(self, headers: Sequence[tuple[str, str]], *, status: int, sent: float, received: float) -> Declared:
        """Return what the header fields of a response declare; see `HeaderReader.read`."""
        if self._reader is None:
            if not limit_fields(headers):
                return NOTHING
            self._reader = _new_reader()
        return self._reader.read(headers, status=status, sent=sent, received=received)

    # ---- learning ----------------------------------------------------------------------------------------------------

    def _is_isolated(self, report: AttemptReport) -> bool:
        """Return whether a failure stands alone. Then it is blamed on its page, and says nothing of limits."""
        if not report.overloaded:
            self._steady += not report.refused
            return False
        steady, self._steady = self._steady >= STEADY, 0
        return steady and report.declared.retry_after is None and not self._expects_refusals()

    def _is_random(self, report: AttemptReport, load: int) -> bool:
        """Return whether a request failed at random. Then no limit learns of it."""
        faults = self._faults
        if not report.overloaded and not report.refused:
            if faults is not None:
                faults.record_served(load)
            return False
        if faults is None:
            faults = self._faults = RandomFaults(self._steady)
        if report.refused:
            return not _states_limit(report) and faults.record_refusal(load, report.received)
        is_random = faults.record_failure(load)
        if load == 1:
            self.concurrency.acquit()
        self._forgive(faults)
        return is_random

    def _learn_reason(
        self, events: list[QuotaEvent], grant: Grant, report: AttemptReport, concurrency: Concurrency
    ) -> None:
        """Learn what the end of a wait shows about the refusals before it."""
        kinds = {event.kind for event in events}
        faults = self._faults
        if faults is not None and "recovered" in kinds:
            if "concurrency" not in kinds or (self._learner is not None and self._learner.is_limit_proven()):
                faults.blame_limit()
            elif faults.acquit_limits(grant.at, max(PROMPT, 2.0 * concurrency.response_time)):
                concurrency.acquit()
            self._forgive(faults)
        if self._refused_inflight and "concurrency" in kinds:
            if faults is None or not faults.are_random():
                concurrency.refused_for_concurrency(report.received, self._refused_inflight)
            self._refused_inflight = 0

    def _forgive(self, faults: RandomFaults) -> None:
        """Undo the lessons of failures after they have proved to come at random."""
        before, self._random = self._random, faults.at_random()
        proven = self._random - before
        if "failures" in proven:
            self.concurrency.forgive()
        if proven and self._learner is not None:
            self._learner.forget_undeclared()

    def _expects_refusals(self) -> bool:
        """Return whether refusals have shown a limit that no response declares."""
        return self._learner is not None and self._learner.quotas.undeclared() is not None

    def _learn_concurrency(self, report: AttemptReport, inflight: int, load: int) -> None:
        if report.refused and self._learner is not None and self._learner.quotas.has_leaky_bucket():
            return  # a bucket is behind all refusals: they do not depend on how many requests go at once
        if report.overloaded:
            if load > 1 and not (self._faults is not None and self._faults.are_random()):
                self.concurrency.overloaded(report.received, inflight, refused=report.refused)
        elif report.first_byte is not None and not report.refused:
            self.concurrency.answered(report.received, report.first_byte, inflight)

    def stated_wait(self, now: float) -> float:
        """Return the seconds to wait after a refusal as the server has stated; see `LimitLearner.stated_wait`."""
        return 0.0 if self._learner is None else self._learner.stated_wait(now)

    def _learn_quotas(self, grant: Grant, report: AttemptReport, inflight: int) -> list[QuotaEvent]:
        if report.status == 0 and not report.refused:
            return self.settle_lost(grant)
        if not self.flight.end(grant):
            return []
        if self._learner is None and not report.refused and report.declared is NOTHING:
            self._served += grant.cost * (report.status not in AMBIGUOUS_STATUSES)
            return []
        learner = self._learn()
        if not report.refused:
            return learner.record_success(grant, report)
        untried = self.concurrency.is_untried(max(grant.load, inflight))
        share = 0.0 if self._faults is None else self._faults.refused_share
        return learner.record_refusal(grant, report, share=share, untried=untried)

    def _learn(self) -> LimitLearner:
        """Return the learner, which is made when it is first needed."""
        if self._learner is None:
            from crawler.limits.learning.learner import LimitLearner  # noqa: PLC0415 - most servers declare nothing

            self._learner = LimitLearner(
                flight=self.flight,
                rng=self.rng,
                since=self._first_start,
                served=self._served,
            )
        return self._learner

    def _count_refusal(self, report: AttemptReport) -> None:
        """Bound the refused requests: a tenth of all, and not for long without a success."""
        now = report.received
        repeated = not math.isnan(self._refused_since)
        self.refuses_all = repeated
        if not repeated:
            self._refused_since = now
        if now - self._refused_since >= (STALL_OF_QUOTA if self.has_served and not report.overloaded else STALL):
            self.stalled_until = now + STALL
            self._refused_since = math.nan
        else:
            self._refused_since += self.stated_wait(now)  # a wait that the server asks for is no stall
        self._spare -= 1.0
        if self._spare < 0:
            self._spare = 0.0
            self.pacing.block(now + SPENT_WAIT)

    # ---- state -------------------------------------------------------------------------------------------------------

    def statistics(self, now: float) -> ThrottleStatistics:
        """Return what this limit allows at `now` (seconds since the epoch)."""
        ready_at = self.ready_at(now)
        return ThrottleStatistics(
            ready_at=ready_at,
            blocked_by=self.blocked_by,
            in_flight=self.busy,
            concurrency=self.concurrency.limit,
            max_concurrency=self.concurrency.most,
            delay=self.pacing.delay,
            rates=self.pace.rate,
            policies=self.policies(),
        )

    def policies(self) -> dict[str, dict[str, Any]]:
        """Return limit, remaining, window and so on of every known policy, by its name, as JSON values."""
        return {} if self._learner is None else {quota.name: quota.report() for quota in self._learner.quotas}

    def resume(self, now: float) -> None:
        """Resume after an interrupted run: one delay passes, and probes find out what is left of each quota."""
        self.pacing.resume(now)
        if self._learner is not None:
            self._learner.resume(now)

    def state(self) -> dict[str, Any]:
        """Return what the next run needs, as JSON values; empty if nothing was learned."""
        gate = self.pacing.gate
        governor: dict[str, Any] = {} if gate == -math.inf else {"gate": gate}
        if self._learner is not None:
            governor |= self._learner.state()
        parts = {
            "governor": governor,
            "concurrency": self.concurrency.state(),
            "dialect": {} if self._reader is None else self._reader.state(),
        }
        return self.pacing.state() | {name: state for name, state in parts.items() if state}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned; unreadable values are ignored."""
        self.pacing.restore(state)
        governor = state.get("governor")
        if isinstance(governor, dict):
            gate = json_number(governor.get("gate"))
            if gate is not None:
                self.pacing.block(gate)
            if governor.keys() & {"refused", "quotas"}:
                self._learn().restore(governor)
        self.concurrency.restore(state.get("concurrency") or {})
        if state.get("dialect"):
            self._reader = _new_reader()
            self._reader.restore(state["dialect"])

    def take_over(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned in another process, in place of what is known here. Nothing is in flight."""
        self._learner = None
        self.restore(state)


def _blames_concurrency(report: AttemptReport, level: Concurrency, inflight: int) -> bool:
    """Return whether a refusal says that there were too many requests at once, or a known level explains it."""
    if report.declared.violated:
        return any(CONCURRENCY in name for name in report.declared.violated)
    return not report.declared.observations and not report.overloaded and level.explains(inflight)


def _states_limit(report: AttemptReport) -> bool:
    """Return whether a refusal itself says what was exceeded, or how long to wait."""
    declared = report.declared
    return declared.retry_after is not None or bool(declared.violated) or bool(declared.observations)


def _new_reader() -> HeaderReader:
    from crawler.limits.headers.reader import HeaderReader  # noqa: PLC0415 - most servers declare nothing

    return HeaderReader()
