"""Settings of a governed transport: `RetryRules` for waits and retries, `PaceRules` for lanes and budgets."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from crawler.decision.retry_policy import RetryPolicy
from crawler.errors import ConfigError
from crawler.limits.backoff import Jitter
from crawler.limits.events import QuotaEvent
from crawler.limits.pace import Pace, first_match

if TYPE_CHECKING:
    from crawler.errors import BadStatus, FetchError
    from crawler.messages import Request

__all__ = ["CONCURRENCY", "DAY", "ClientRetries", "Deadlines", "PaceRules", "RetryRules"]

CONCURRENCY: Final = 8
"""Default of the maximum number of requests in flight on one lane."""
DAY: Final = 86_400.0
"""Seconds."""
Deadlines: TypeAlias = Literal["fail", "wait"]


@attrs.frozen(kw_only=True)
class RetryRules:
    """How requests wait and are sent again."""

    attempts: int = 3
    """Attempts for one request, including the first. Refusals because of too many requests use up none."""
    longest: float = DAY
    """Seconds. A response that asks for a longer wait is returned instead."""
    patience: float | None = None
    """Seconds that one request may wait to start, over all its attempts. `None` means no limit."""
    outage_patience: float | None = 0.0
    """Seconds for which a request waits if its host has answered before and cannot be reached. `None` means no
    limit; 0 that each failed connection is an attempt."""
    on_deadline: Deadlines = "fail"
    """How a request fails that cannot start before the deadline of its cancel scopes: ``fail`` raises at once, ``wait``
    waits until the deadline."""
    on_event: Callable[[QuotaEvent], object] | None = None
    """Called with every event of a quota."""
    chance: random.Random = attrs.field(factory=random.Random)
    """Source of jitter."""
    backoff_base: float = 0.5
    """Seconds; the longest wait before the second attempt, doubled for each further one. As of `Settings`."""
    backoff_max: float = 30.0
    """Seconds; the longest wait between two attempts. As of `Settings`."""
    backoff_jitter: Jitter = "full"
    """Range of these waits."""
    given: frozenset[str] = frozenset({"attempts"})
    """A client keeps to its number of attempts, however many requests fail."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.attempts, int) or isinstance(self.attempts, bool) or self.attempts < 1:
            raise ConfigError(f"attempts must be a whole number, at least 1, not {self.attempts!r}")
        for name in ("longest", "patience", "outage_patience"):
            value = getattr(self, name)
            if value is not None and (not _is_number(value) or value < 0):
                raise ConfigError(f"{name} must be seconds, 0 or more, not {value!r}")
        if self.longest is None:
            raise ConfigError("longest must be seconds, 0 or more, not None")
        if self.on_deadline not in ("fail", "wait"):
            raise ConfigError(f"on_deadline must be 'fail' or 'wait', not {self.on_deadline!r}")
        if self.on_event is not None and not callable(self.on_event):
            raise ConfigError(f"on_event must be a function, not {self.on_event!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


class ClientRetries(RetryPolicy):
    """The policy of `decide` by `RetryRules`: a wait that is too long is not waited for, and the response returned."""

    def __init__(self, rules: RetryRules) -> None:
        super().__init__(rules, rules.chance)
        self.longest = rules.longest

    def goes_back(self, request: Request, error: BadStatus | FetchError, refusals: int) -> bool:
        """See `RetryPolicy.goes_back`."""
        is_too_long = error.retry_after is not None and error.retry_after > self.longest
        return not is_too_long and super().goes_back(request, error, refusals)


class PaceRules:
    """The pace of each lane and budget."""

    def __init__(
        self,
        rate: str | Sequence[str] | None,
        concurrency: int | None,
        delay: float | None,
        pacing: Mapping[str, Pace] | None,
    ) -> None:
        most = CONCURRENCY if concurrency is None else concurrency
        try:
            self._usual = Pace(
                rate=() if rate is None else rate, concurrency=most, delay=0.0 if delay is None else delay, jitter=0.0
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self._budget = Pace(concurrency=most, delay=0.0, jitter=0.0)
        if pacing is not None and not isinstance(pacing, Mapping):
            raise ConfigError(f"pacing must map globs to Pace, not {pacing!r}")
        self._pacing = dict(pacing or {})
        for glob, pace in self._pacing.items():
            if not isinstance(glob, str) or not isinstance(pace, Pace):
                raise ConfigError(f"pacing must map globs to Pace, not {glob!r} to {pace!r}")

    def of_lane(self, name: str) -> Pace:
        """Return the pace of a lane, with every field set."""
        own = first_match(self._pacing, name)
        return self._usual if own is None else own.over(self._usual)

    def of_budget(self, name: str) -> Pace:
        """Return the pace of a budget, with every field set. It has a rate only if `pacing` sets one."""
        own = first_match(self._pacing, name)
        return self._budget if own is None else own.over(self._budget)
