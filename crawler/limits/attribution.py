"""`Attribution`: why the requests of one server fail, and what that shows about its concurrency.

A failure or refusal is due to its page, to chance, to too many requests at once, or to a limit. Only the last two are
passed to the learner of the limits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from msgspec import Struct

from crawler.limits.backoff import patience
from crawler.limits.concurrency import Concurrency
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import AttemptReport
from crawler.limits.headers.refusal_status import AMBIGUOUS_STATUSES
from crawler.limits.in_flight import Grant
from crawler.limits.json_numbers import json_number

if TYPE_CHECKING:
    from crawler.limits.learning.learner import LimitLearner
    from crawler.limits.random_faults import RandomFaults

__all__ = ["Attribution"]

Cause: TypeAlias = Literal["concurrency", "chance", "page", ""]
"""What a result is due to: a limit of concurrency that is known or stated, chance, or its page. Limits learn of all
others."""
STEADY: Final = 10
"""Responses in a row after which a single failure (a 503 that states no wait, a timeout, a reset) is attributed to its
page."""
PROMPT: Final = 0.02
"""Seconds, and at least two response times, after a refusal in which no unit of a quota returns. At 20 a second one
does in 50 ms."""
CONCURRENCY: Final = "concurren"
"""Part of the names by which servers call such limits: Stripe's ``global-concurrency``, ``concurrent-requests``."""


class Attribution(Struct, eq=False):
    """Why requests failed."""

    concurrency: Concurrency
    undecided_until: float = -math.inf
    """Until then the requests in flight may show that the last failure was not that of a page, or the first response of
    all may declare a limit; in seconds since the epoch."""
    _refused_inflight: int = 0
    """Requests in flight at the last burst of refusals, less the later ones of them; 0 when the level has been lowered
    for it."""
    _refused_load: int = 0
    """The most that were, while the refused request was."""
    _faults: RandomFaults | None = None
    """`None` until a request fails or is refused."""
    _random: frozenset[str] = frozenset()
    """What comes at random, as of `RandomFaults.at_random`."""
    _failed_before: float = 0.0
    """`failed_share` when chance was last rejected, or at the end of the last run of the job."""
    _steady: int = 0
    """Responses since the server last failed as an overloaded server does."""

    @property
    def failed_share(self) -> float:
        """Share of the latest requests that failed or were refused; 0 if few are known, or nearly all did."""
        known = 0.0 if self._faults is None else self._faults.failed_share
        return known or self._failed_before

    @property
    def refused_share(self) -> float:
        """Share of the requests that the server refuses without a limit, as far as is known."""
        return 0.0 if self._faults is None else self._faults.refused_share

    def find_cause(
        self, grant: Grant, report: AttemptReport, *, level: Concurrency, inflight: int, learner: LimitLearner | None
    ) -> Cause:
        """Return what a result is due to."""
        load = max(grant.load, inflight)
        if not (report.overloaded or report.refused):
            self.record_served(load)
            return ""
        self.undecided_until = -math.inf
        if report.refused and _is_due_to_concurrency(report, level, inflight):
            return "concurrency"
        isolated = self._is_isolated(report, learner)
        if self._is_random(report, load, learner):
            if report.refused and learner is not None and learner.explains_chance(grant, report):
                self.reject_chance()
            return "chance"
        plain = report.refused and report.status not in AMBIGUOUS_STATUSES
        if plain and learner is not None and learner.proves_chance(grant, report):
            self._attribute_to_chance()
            return "chance"
        if isolated:
            self.undecided_until = report.received + patience(report.received - report.sent)  # others may fail as well
            return "page"
        return ""

    def record_served(self, load: int) -> None:
        """Note a response that neither failed nor was refused."""
        self.undecided_until = -math.inf
        self._steady += 1
        if self._faults is not None:
            self._faults.record_served(load)

    def reject_chance(self) -> None:
        """Forget what was put down to chance: a rate explains it better. A page gets as many attempts as before."""
        self._failed_before = self.failed_share
        self._faults, self._random = None, frozenset()

    def state(self) -> dict[str, Any]:
        """Return what the next run needs, as JSON values; empty if no requests have failed, or few are known."""
        share = round(self.failed_share, 3)
        return {"share": share} if share else {}

    def restore(self, state: Any) -> None:
        """Restore what `state` returned; unreadable values are ignored."""
        share = json_number(state.get("share"), 0.0, 1.0) if isinstance(state, dict) else None
        self._failed_before = share or 0.0

    def learn_concurrency(self, report: AttemptReport, inflight: int, load: int, learner: LimitLearner | None) -> None:
        """Learn how many requests at once the server takes."""
        if report.refused and learner is not None and learner.quotas.has_leaky_bucket():
            return  # a bucket is behind all refusals: they do not depend on how many requests go at once
        if report.overloaded:
            if load > 1 and not (self._faults is not None and self._faults.are_random()):
                most = load if report.declared.retry_after is None else 0  # each refusal would cost the stated wait
                self.concurrency.overloaded(report.received, inflight, load=most, refused=report.refused)
        elif report.first_byte is not None and not report.refused:
            self.concurrency.answered(report.received, report.first_byte, inflight)
            apart, self.concurrency.serves_apart = self.concurrency.serves_apart, 0.0
            if apart and learner is not None:
                self.reject_chance()
                learner.assume_interval(apart, report)

    def record_refusal(self, report: AttemptReport, inflight: int, load: int, *, first: bool) -> None:
        """Note how many requests were in flight at a refusal that may be due to them.

        Nothing starts meanwhile. So beside a later one of the same burst there were at least those that were served.
        """
        beside = inflight if first else max(inflight, self._refused_inflight - 1)
        self._refused_inflight = 0 if report.overloaded or load == 1 else beside
        self._refused_load = load if report.declared.retry_after is None else 0

    def learn_reason(
        self,
        events: list[QuotaEvent],
        grant: Grant,
        report: AttemptReport,
        *,
        level: Concurrency,
        learner: LimitLearner | None,
    ) -> None:
        """Learn what the end of a wait shows about the refusals before it."""
        kinds = {event.kind for event in events}
        faults = self._faults
        if faults is not None and "recovered" in kinds:
            if "concurrency" not in kinds or (learner is not None and learner.is_limit_proven()):
                faults.attribute_to_limit()
            else:
                if faults.reject_limits(grant.at, max(PROMPT, 2.0 * level.response_time)):
                    level.forget_broken_level()
                self._discard_lessons(faults, learner)
        beside = 0 if learner is None or "recovered" not in kinds else learner.served_beside()
        if self._refused_inflight and beside:
            level.overloaded(report.received, max(self._refused_inflight, beside + 1), refused=True)
        if self._refused_inflight and "concurrency" in kinds:
            if faults is None or not faults.are_random():
                level.refused_for_concurrency(report.received, self._refused_inflight, load=self._refused_load)
            self._refused_inflight = 0

    def _is_isolated(self, report: AttemptReport, learner: LimitLearner | None) -> bool:
        """Return whether a failure stands alone. Then it is attributed to its page, and says nothing about limits."""
        if not report.overloaded:
            return False
        steady, self._steady = self._steady >= STEADY, 0
        expected = learner is not None and learner.quotas.undeclared() is not None
        return steady and report.declared.retry_after is None and not expected

    def _is_random(self, report: AttemptReport, load: int, learner: LimitLearner | None) -> bool:
        """Return whether a request failed at random. Then no limit learns of it."""
        faults = self._faults
        if faults is None:
            from crawler.limits.random_faults import RandomFaults  # noqa: PLC0415 - most servers refuse nothing

            faults = self._faults = RandomFaults(self._steady)
        if report.refused:
            return not _states_limit(report) and faults.record_refusal(load, report.received)
        is_random = faults.record_failure(load)
        if load == 1:
            self.concurrency.forget_broken_level()
        self._discard_lessons(faults, learner)
        return is_random

    def _attribute_to_chance(self) -> None:
        """Note that chance explains the latest refusals best. No level of concurrency had a part in them."""
        self.concurrency.restore_level()
        if self._faults is not None:
            self._faults.attribute_to_chance()
            self._random = self._faults.at_random()

    def _discard_lessons(self, faults: RandomFaults, learner: LimitLearner | None) -> None:
        """Undo the lessons of failures after they have proved to come at random."""
        before, self._random = self._random, faults.at_random()
        proven = self._random - before
        if "failures" in proven:
            self.concurrency.restore_level()
        if proven and learner is not None:
            learner.forget_undeclared()


def _is_due_to_concurrency(report: AttemptReport, level: Concurrency, inflight: int) -> bool:
    """Return whether a refusal says that there were too many requests at once, or a known level explains it."""
    if report.declared.violated:
        named = any(CONCURRENCY in name for name in report.declared.violated)
        return named and report.declared.retry_after is None
    return not report.declared.observations and not report.overloaded and level.explains(inflight)


def _states_limit(report: AttemptReport) -> bool:
    """Return whether a refusal itself says what was exceeded, or how long to wait."""
    declared = report.declared
    return declared.retry_after is not None or bool(declared.violated) or bool(declared.observations)
