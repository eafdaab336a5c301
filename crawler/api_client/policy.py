"""`RetryRules`: how a governed transport waits and tries again, as the user wants it; and his pace for each scope."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import attrs

from crawler.errors import ConfigError
from crawler.limits.events import QuotaEvent
from crawler.limits.pace import Pace, first_match

__all__ = ["CONCURRENCY", "DAY", "Deadlines", "PaceRules", "RetryRules"]

CONCURRENCY: Final = 8
"""Requests in flight on one lane, at most, if nothing else is said."""
DAY: Final = 86_400.0
"""Seconds."""
Deadlines = Literal["fail", "wait"]


@attrs.frozen(kw_only=True)
class RetryRules:
    """How requests wait and are tried again.

    Raises:
        ConfigError: one of them is no such rule.
    """

    attempts: int = 3
    """Attempts for one request, the first included; refusals for too many requests use up none."""
    longest: float = DAY
    """Seconds: a longer wait that a server asks for is not waited for."""
    patience: float | None = None
    """Seconds that one request may wait for its turns, all together."""
    on_deadline: Deadlines = "fail"
    """What a wait does that does not fit into the deadline of its cancel scopes: ``fail`` at once, or ``wait``."""
    on_event: Callable[[QuotaEvent], object] | None = None
    """Is told what there is to know of quotas."""
    chance: random.Random = attrs.field(factory=random.Random)
    """Where jitter comes from."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.attempts, int) or isinstance(self.attempts, bool) or self.attempts < 1:
            raise ConfigError(f"attempts must be a number, at least 1, not {self.attempts!r}")
        for name in ("longest", "patience"):
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


class PaceRules:
    """The pace of each lane and budget.

    Parameters:
        rate: requests per time of each lane, such as ``"60/min"``; several at once are all kept.
        concurrency: requests in flight on one lane, at most; `None`: 8.
        delay: seconds between two starts on one lane.
        pacing: glob of lanes (``"https://api.example"``), hosts or budgets to `Pace`; the first that matches counts,
            and what it does not say of a lane comes from the others.

    Raises:
        ConfigError: one of them is not what it should be.
    """

    def __init__(
        self,
        rate: str | Sequence[str] | None,
        concurrency: int | None,
        delay: float | None,
        pacing: Mapping[str, Pace] | None,
    ) -> None:
        most = CONCURRENCY if concurrency is None else concurrency
        try:
            self._usual = Pace(rate=rate or (), concurrency=most, delay=0.0 if delay is None else delay, jitter=0.0)
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
        """The pace of a lane, every field filled in."""
        own = first_match(self._pacing, name)
        return self._usual if own is None else own.over(self._usual)

    def of_budget(self, name: str) -> Pace:
        """The pace of a budget, every field filled in: it has a rate only if `pacing` says so."""
        own = first_match(self._pacing, name)
        return self._budget if own is None else own.over(self._budget)
