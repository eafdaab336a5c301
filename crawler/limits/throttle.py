"""`Throttle`: everything that holds back the requests of one lane, or of one budget that lanes share.

Its parts: the pace that the user asks for (`Pacing`), what the server allows, as it declares and as refusals show
(`LimitLearner`), how many requests at once do well (`Concurrency`), why requests fail (`Attribution`), and how many
refused ones there may be (`RefusalBudget`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import attrs
from msgspec.structs import replace

from crawler.headers import Fields, names_of, pairs_of
from crawler.limits.attribution import Attribution
from crawler.limits.concurrency import Concurrency
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import NOTHING, AttemptReport, Declared
from crawler.limits.headers.field_names import has_limits
from crawler.limits.headers.refusal_status import AMBIGUOUS_STATUSES, FORBIDDEN
from crawler.limits.in_flight import Flight, Grant
from crawler.limits.json_numbers import json_number
from crawler.limits.pace import Pace
from crawler.limits.pacing import Pacing
from crawler.limits.refusal_budget import Refusal, RefusalBudget

if TYPE_CHECKING:
    from crawler.limits.headers.reader import HeaderReader
    from crawler.limits.learning.learner import LimitLearner
    from crawler.limits.load_share import RetriedPages
    from crawler.limits.throttle_statistics import ThrottleStatistics

__all__ = ["Throttle"]

MAX_FIRST: Final = 0.5
"""Seconds, at most, for which the first request of all is alone."""


@attrs.define(init=False, eq=False, repr=False)
class Throttle:
    """The limits of one lane or budget. It has no clock: `now` is seconds since the epoch, and never decreases."""

    name: str
    pacing: Pacing
    """What the user asks for, and the gate."""
    concurrency: Concurrency
    """How many requests in flight do well; not used for a budget."""
    rng: random.Random
    named: dict[str, Any] | None
    flight: Flight = attrs.field(factory=Flight, init=False)
    """Starts that are not settled."""
    blocked_by: str = attrs.field(default="", init=False)
    """What the last `ready_at` had to wait for: ``refusal``, ``quota``, ``pace``, ``delay`` or nothing."""
    refusal_budget: RefusalBudget = attrs.field(factory=RefusalBudget, init=False)
    """How many refused requests the server gets."""
    busy: int = attrs.field(default=0, init=False)
    """Requests whose responses have not ended, body included. Permits count them, those of all owners together."""
    watchers: tuple[Callable[[], None], ...] = attrs.field(default=(), init=False)
    """Called when `ready_at` may have changed, where several owners share these limits."""
    retried: RetriedPages | None = attrs.field(default=None, init=False)
    """How often pages failed that were served later; `None`: none was."""
    _learner: LimitLearner | None = attrs.field(default=None, init=False)
    """`None` until the server declares or refuses something; most servers do neither."""
    _reader: HeaderReader | None = attrs.field(default=None, init=False)
    _first_start: float = attrs.field(default=math.nan, init=False)
    _last_start: float = attrs.field(default=-math.inf, init=False)
    _served: float = attrs.field(default=0.0, init=False)
    """Units served since the first start, until there is a learner that counts them."""
    _attribution: Attribution = attrs.field(
        default=attrs.Factory(lambda self: Attribution(self.concurrency), takes_self=True), init=False
    )
    """Why requests failed."""

    def __init__(self, name: str, pace: Pace, rng: random.Random, named: dict[str, Any] | None = None) -> None:
        most = pace.concurrency or 1
        concurrency = Concurrency(most, start=1 if pace.slow_start in (None, True) else most)
        self.__attrs_init__(name, Pacing(pace, rng, concurrency), concurrency, rng, named)

    @property
    def inflight(self) -> int:
        """Starts that are not settled."""
        return len(self.flight)

    @property
    def failed_share(self) -> float:
        """Share of the latest requests that failed or were refused; 0 if few are known, or nearly all did.

        A status of 500 or 502 is one only if its page was served later: it may be that of its page, each time.
        """
        share = self._attribution.failed_share
        return share if self.retried is None else max(share, self.retried.failed_share)

    # ---- when the next request may start -----------------------------------------------------------------------------

    def ready_at(self, now: float, *, cost: float = 1.0, backlog: float = math.inf) -> float:
        """Return when the next request may start if nothing else happens before, in seconds since the epoch.

        A time up to `now` means at once. Infinite means after a request in flight has ended.
        """
        at, reason = self.pacing.ready_at()
        learner = self._learner
        if learner is not None:
            gate = learner.gate_at(now)
            if gate > at:
                at, reason = gate, "refusal"
            mode = self.pacing.pace.mode or "auto"
            allowed_at, why = learner.quota_at(now, self._last_start, cost=cost, backlog=backlog, mode=mode)
            if allowed_at > at:
                at, reason = allowed_at, why
            apart = self.concurrency.apart(self.busy)
            if apart and self._last_start + apart > at:
                at, reason = self._last_start + apart, "concurrency"
        undecided_until = self._attribution.undecided_until
        if undecided_until > at and undecided_until > now and self.flight:
            at, reason = undecided_until, "refusal" if self.concurrency.has_answered else "concurrency"
        self.blocked_by = reason if at > now else ""
        return at

    def is_free(self, now: float) -> bool:
        """Return whether nothing but their number holds back requests at `now` (seconds since the epoch)."""
        return (
            self._learner is None
            and self._attribution.undecided_until <= now
            and self.pacing.is_free(now)
            and self.refusal_budget.stalled_until <= now
        )

    def is_full(self) -> bool:
        """Return whether as many requests are in flight as do well, or all wait until a suspicion is cleared up."""
        return self.busy >= self.concurrency.limit or self.refusal_budget.is_rechecking

    def is_stalled(self, now: float) -> bool:
        """Return whether all requests were refused for so long that none is worth a try for now."""
        return now < self.refusal_budget.stalled_until

    def judge_refusal(self, now: float, last: float, *, has_others: bool, is_left: bool = False) -> Refusal:
        """Return what it means that a request is refused which was refused at `last` before, or never (`math.inf`).

        Others were served meanwhile if it is left: those that still wait were refused, too. If it is given up and was
        the last of its lane, the next one that is found is tried.
        """
        if last == math.inf:
            self.refusal_budget.note_first_refusal()
        budget, at, is_held = self.refusal_budget, self.ready_at(now), self.blocked_by in ("refusal", "quota", "pace")
        refusal = Refusal(
            serves_others=last < budget.served_start if last < math.inf else not budget.refuses_all,
            lane_waits=at - now if is_held else 0.0,
            has_others=has_others,
            has_served=budget.has_served,
            is_stalled=self.is_stalled(now) or (is_left and budget.is_due_to_page(now)),
        )
        if budget.status == FORBIDDEN and last < math.inf and refusal.serves_others:
            budget.explain_forbidden(is_certain=False)
        if not has_others:
            budget.stalled_until = -math.inf
        return refusal

    def block(self, until: float, reason: str = "refusal") -> None:
        """Start nothing before `until` (seconds since the epoch), for a reason as of `Pacing.block`."""
        self.pacing.block(until, reason)
        self.notify()

    def set_pace(self, *, delay: float | None, concurrency: int | None, robots_delay: float) -> None:
        """Change what the user asks for; parameters as of `Pacing.set_pace`."""
        self.pacing.set_pace(delay=delay, concurrency=concurrency, robots_delay=robots_delay)
        self.notify()

    def tighten(self, pace: Pace) -> None:
        """Keep what another owner of these limits asks for as well; see `Pacing.tighten`."""
        if self.pacing.tighten(pace):
            self.notify()

    def notify(self) -> None:
        """Call the watchers: `ready_at` may have changed."""
        for watcher in self.watchers:
            watcher()

    # ---- starts and their results (called by `Permit`) ---------------------------------------------------------------

    def take(self, now: float, *, cost: float = 1.0, reports: bool = False) -> Grant:
        """Count a start."""
        grant = Grant(now, cost, self._last_start, len(self.flight.grants) + 1, not reports)
        if self._last_start == -math.inf:
            self._first_start = now
            if self.pacing.pace.slow_start == "first" and not self.concurrency.has_answered:
                self._attribution.undecided_until = now + MAX_FIRST
            if self._learner is not None:  # of an earlier run
                self._learner.detector.begin_run(now)
        self._last_start = now
        self.flight.begin(grant)
        self.pacing.take(grant)
        return grant

    def refund(self, grant: Grant, *, keep_delay: bool = False) -> None:
        """Undo a start whose request was never sent; one that is settled is left alone."""
        if not self.flight.end(grant):
            return
        if self._last_start == grant.at:
            self._last_start = grant.before
        self.pacing.refund(grant, keep_delay=keep_delay)

    def settle_lost(self, grant: Grant, report: AttemptReport | None = None) -> list[QuotaEvent]:
        """Settle a start that counts as spent, but is neither a success nor a refusal. Return the events."""
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
        """
        load, reasons, learner = max(grant.load, inflight), self._attribution, self._learner
        level = concurrency or self.concurrency
        cause = reasons.find_cause(grant, report, level=level, inflight=inflight, learner=learner)
        if cause == "concurrency":
            level.overloaded(report.received, inflight, refused=True)
            self._count_refusal(report)
            return [*self.settle_lost(grant), QuotaEvent(kind="refused", policy="")]
        if cause == "chance":
            return self.settle_lost(grant, report)
        if cause == "page":
            report = replace(report, refused=False, overloaded=False, first_byte=None)
        reasons.learn_concurrency(report, inflight, load, learner)
        if report.declared is not NOTHING:
            self.concurrency.declare(report.declared.concurrency)
        had_interval = learner is not None and learner.has_interval()
        events = self._learn_quotas(grant, report, inflight)
        learner = self._learner
        if learner is not None and learner.has_interval() and not had_interval:
            reasons.reject_chance()
        if report.declared.observations and not report.refused and learner is not None:
            level.skip_slow_start(learner.quotas.left())
        if report.refused:
            first = any(event.kind == "refused" for event in events)
            reasons.record_refusal(report, inflight, load, first=first)
            self._count_refusal(report)
        if events:
            reasons.learn_reason(events, grant, report, level=level, learner=learner)
        if report.status not in (0, FORBIDDEN) and not report.refused:
            self.refusal_budget.record_served(grant.at)
        return events

    def settle_served(self, grant: Grant, received: float, first_byte: float | None, inflight: int) -> bool:
        """Settle a start whose response says nothing of limits, as `settle` does. Return whether that could be done."""
        if self._learner is not None:
            return False
        self._attribution.record_served(max(grant.load, inflight))
        if first_byte is not None:
            self.concurrency.answered(received, first_byte, inflight)
        if self.flight.end(grant):
            self._served += grant.cost
        self.refusal_budget.record_served(grant.at)
        return True

    def record_page(self, failures: int) -> None:
        """Count a page that was served after so many attempts that failed."""
        if self.retried is None:
            from crawler.limits.load_share import RetriedPages  # noqa: PLC0415 - most servers fail at no page

            self.retried = RetriedPages(self._served)
        self.retried.record(failures)

    def read(self, headers: Fields, *, status: int, sent: float, received: float) -> Declared:
        """Return what the header fields of a response declare; see `HeaderReader.read`."""
        if not has_limits(names_of(headers)):
            return NOTHING
        if self._reader is None:
            self._reader = _new_reader()
        return self._reader.read(pairs_of(headers), status=status, sent=sent, received=received)

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
        return learner.record_refusal(grant, report, share=self._attribution.refused_share, untried=untried)

    def _learn(self) -> LimitLearner:
        """Return the learner, which is made when it is first needed."""
        if self._learner is None:
            from crawler.limits.learning.learner import LimitLearner  # noqa: PLC0415 - most servers declare nothing

            self._learner = LimitLearner(
                flight=self.flight,
                rng=self.rng,
                since=self._first_start,
                served=self._served,
                named=self.named,
            )
        return self._learner

    def _count_refusal(self, report: AttemptReport) -> None:
        until = self.refusal_budget.record_refusal(
            report.received,
            overloaded=report.overloaded,
            stated_wait=self.stated_wait(report.received),
            status=report.status,
        )
        self.pacing.block(until)
        if self._learner is not None:
            self._learner.hold_back(report.received, until)
            if self.is_stalled(report.received):
                self._learner.give_up()
            else:
                self._learner.probe_by(self.refusal_budget.last_probe_at(overloaded=report.overloaded))

    # ---- state -------------------------------------------------------------------------------------------------------

    def statistics(self, now: float) -> ThrottleStatistics:
        """Return what this limit allows at `now` (seconds since the epoch)."""
        from crawler.limits.throttle_statistics import ThrottleStatistics  # noqa: PLC0415 - few crawls are asked

        return ThrottleStatistics.of(self, now)

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
            "failures": self._attribution.state(),
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
        self.refusal_budget.has_served |= self.concurrency.has_answered
        self._attribution.restore(state.get("failures"))
        if state.get("dialect"):
            self._reader = _new_reader()
            self._reader.restore(state["dialect"])

    def take_over(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned in another process, in place of what is known here. Nothing is in flight."""
        self._learner = None
        self.restore(state)


def _new_reader() -> HeaderReader:
    from crawler.limits.headers.reader import HeaderReader  # noqa: PLC0415 - most servers declare nothing

    return HeaderReader()
