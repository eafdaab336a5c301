"""`Concurrency`: how many requests one server is given at once, learned from how it answers.

Slow start until it queues or refuses. Then two teachers: the time to the first byte, by the gradient of a short against
a long average (the second gradient of Netflix' concurrency limits, its queue √L), and refusals, after which the level
that broke is remembered and tried again ever more rarely.
"""

from __future__ import annotations

import math
from typing import Any, Final

import attrs

from crawler.limits.json_numbers import json_number

__all__ = ["Concurrency"]

TOLERANCE: Final = 1.5
"""A first byte may take so many times the long average before it means a queue."""
SMOOTHING: Final = 0.2
"""Weight of one answer."""
LONG: Final = 600
"""Answers in the long average."""
QUICK: Final = 0.05
"""Seconds: quicker answers show the jitter of two machines, not a queue."""
CUT: Final = 0.7
"""What is left of the level after a refusal."""
SURVIVES: Final = 0.25
"""What refusals within one round trip leave of it at least: where all is refused, another limit is the reason."""
CALM: Final = 1.0
"""Seconds, and at least three round trips: how long a level is kept before the next one, below one that broke."""
RETRY: Final = 5.0
"""Seconds before a level that broke is tried again; twice as long after each failure."""
RAREST: Final = 120.0
"""Seconds: the longest of these waits."""


@attrs.define(eq=False)
class Concurrency:
    """The level of one lane.

    Parameters:
        cap: requests in flight that the user allows.
        start: requests in flight before the first answer.
    """

    cap: int
    start: int = attrs.field(default=1, kw_only=True)
    pace: float | None = attrs.field(default=None, kw_only=True)
    """Requests a second that are started anyway, where a pace is known: queues do not lower the level under what that
    keeps in flight (Little's law), or the pace would starve."""
    _declared: int | None = attrs.field(default=None, init=False)
    _level: float = attrs.field(default=attrs.Factory(lambda self: float(self.start), takes_self=True), init=False)
    _starting: bool = attrs.field(default=True, init=False)
    _long: float = attrs.field(default=0.0, init=False)
    _answers: int = attrs.field(default=0, init=False)
    _broke: float = attrs.field(default=math.inf, init=False)
    _cut_at: float = attrs.field(default=-math.inf, init=False)
    _raised_at: float = attrs.field(default=-math.inf, init=False)
    _retry: float = attrs.field(default=RETRY, init=False)
    _trying: bool = attrs.field(default=False, init=False)
    _least: float = attrs.field(default=1.0, init=False)
    """What the refusals of one round trip leave of the level."""

    @property
    def limit(self) -> int:
        """Requests that may be in flight now, at least 1."""
        return max(1, int(min(self._level, self._most())))

    @property
    def most(self) -> int:
        """Requests that may be in flight if the server keeps up: what the user allows, or the server if less."""
        return int(self._most())

    def declare(self, most: int | None) -> None:
        """The server says how many it takes at once; `None`: it does not say."""
        if most is not None and most >= 1:
            self._declared = most
            self._broke = max(self._broke, most + 1.0)

    def answered(self, now: float, first_byte: float, inflight: int) -> None:
        """An answer came.

        Parameters:
            now: seconds since the epoch.
            first_byte: seconds between sending and the first byte.
            inflight: requests in flight before it came, itself included.
        """
        self._answers += 1
        self._long += (first_byte - self._long) / min(self._answers, LONG)
        if self._long > 2.0 * first_byte:
            self._long *= 0.95  # the server recovered: what it was like then counts less
        if inflight < self._level / 2.0:
            return  # not we are what limits us: nothing follows for the level
        queued = first_byte > QUICK and first_byte > TOLERANCE * self._long
        if self._broke < math.inf:
            self._climb(now, queued=queued)
        elif self._starting and not queued:
            self._level = min(self._most(), self._level + 1.0)  # each answer adds one: a round doubles
        else:
            self._starting = False
            gradient = max(0.5, min(1.0, TOLERANCE * self._long / first_byte)) if queued else 1.0
            goal = self._level * gradient + math.sqrt(self._level)
            self._set(self._level + SMOOTHING * (goal - self._level))

    def overloaded(self, now: float, inflight: int, *, refused: bool = False) -> None:
        """The server failed as one that is asked too much; what fails within one round trip counts once.

        Parameters:
            now: seconds since the epoch.
            inflight: requests in flight before it failed, itself included.
            refused: whether it refused, so that the others that stay in flight are likely to be what it takes at once.
        """
        self._starting = False
        if now < self._cut_at + max(self._long, QUICK):
            if refused and inflight - 1.0 < self._level:
                self._level = max(self._least, inflight - 1.0)
                self._broke = max(2.0, min(self._broke, math.floor(self._level) + 1.0))
            return
        level = min(self._level, float(max(1, inflight)))
        self._least = max(1.0, SURVIVES * level)
        if self._trying:  # one more than what went well was too many
            self._level = max(1.0, math.floor(self._level) - 1.0)
            self._retry = min(RAREST, 2.0 * self._retry)
        else:
            self._level = max(1.0, inflight - 1.0 if refused else CUT * level)
        self._broke = max(2.0, math.floor(level))
        self._trying = False
        self._cut_at = self._raised_at = now

    def refused_for_concurrency(self, now: float, inflight: int) -> None:
        """Most of what was in flight was served and some was refused: there were too many of them."""
        self.overloaded(now, inflight, refused=True)

    def state(self) -> dict[str, Any]:
        """What outlives this object, as JSON values; empty: nothing was learned."""
        if self._broke == math.inf and not self._answers:
            return {}
        state: dict[str, Any] = {"level": round(self._level, 2), "first_byte": round(self._long, 4)}
        if self._broke < math.inf:
            state |= {"broke": self._broke, "retry": self._retry}
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up where `state` left off; what cannot be read is ignored."""
        if not isinstance(state, dict):
            return
        level, broke = json_number(state.get("level"), 1.0, 1e6), json_number(state.get("broke"), 2.0, 1e6)
        first_byte, retry = (
            json_number(state.get("first_byte"), 1e-6, 3600.0),
            json_number(state.get("retry"), RETRY, RAREST),
        )
        if first_byte is not None:
            self._long, self._answers = first_byte, LONG // 10
        if broke is not None:
            self._broke, self._retry = broke, retry or RETRY
        if level is not None and broke is not None:
            self._level, self._starting = min(level, broke - 1.0), False

    def _most(self) -> float:
        return float(self.cap if self._declared is None else min(self.cap, self._declared))

    def _set(self, level: float) -> None:
        floor = 1.0 if self.pace is None else math.ceil(self.pace * self._long) + 1.0
        self._level = min(self._most(), max(floor, level))

    def _climb(self, now: float, *, queued: bool) -> None:
        """Under a level that broke: one more after a calm while, and that level itself after a long one."""
        if queued:
            self._raised_at = max(self._raised_at, now - CALM / 2)
            return
        calm = max(CALM, 3.0 * self._long)
        passed = now - self._raised_at
        if self._trying and passed > calm:
            self._trying, self._broke, self._retry = False, math.inf, RETRY  # it holds now
            return
        level = math.floor(self._level) + 1.0
        if level > self._most() or self._trying:
            return
        if passed > (calm if level < self._broke else max(self._retry, 20.0 * self._long)):
            self._trying = level >= self._broke
            self._level, self._raised_at = level, now
