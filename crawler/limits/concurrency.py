"""`Concurrency`: how many requests one server gets at once, learned from its response times and refusals.

It starts slowly, until the server queues or refuses requests. From then on the time to the first byte is compared with
its long average (the gradient of Netflix's Gradient2 limit, whose queue is √level). A refusal marks the level at which
the server broke, which is tried again ever more rarely.
"""

from __future__ import annotations

import math
from typing import Any, Final

from msgspec import Struct

from crawler.limits.json_numbers import json_number

__all__ = ["Concurrency"]

QUEUE_TOLERANCE: Final = 1.5
"""A first byte that takes more than this many times the long average means that the server queues requests."""
SMOOTHING: Final = 0.2
"""Weight of one response."""
AVERAGED: Final = 600
"""Responses in the long average."""
RESTORED: Final = 60
"""Responses that a long average of an earlier run counts as."""
MIN_QUEUED: Final = 0.05
"""Seconds. Differences below that are the jitter of two machines, not a queue."""
CUT: Final = 0.7
"""Share of the level that is left after a failure."""
SURVIVING: Final = 0.25
"""Share of the level that is left at least after the refusals of one round trip. If all is refused, the reason is
another limit."""
TRIED: Final = 5
"""Requests that are served while so many are in flight before that level counts as tried."""
PLENTY: Final = 4.0
"""Requests left, for each that may be in flight, of a declared quota that needs no slow start."""
CALM: Final = 1.0
"""Seconds, and at least three round trips, before one more request is tried, below a level that broke."""
APART: Final = 0.75
"""Response times since the last start after which a second request tries a level of two that broke."""
PAIR: Final = 2.0
"""The level that a rate without a burst breaks: it serves one of two requests that are sent together."""
MIN_RETRY: Final = 5.0
"""Seconds before a level that broke is tried again; they double with each failure."""
MAX_RETRY: Final = 120.0
"""Seconds; the longest of these waits."""


class Concurrency(Struct, eq=False):
    """The concurrency level of one lane."""

    cap: int
    start: int = 1
    serves_apart: float = 0.0
    """Seconds between requests of which two at once were served, and before refused together: a rate does that."""
    _declared: int | None = None
    _level: float = 1.0
    _starting: bool = True
    _average: float = 0.0
    """Seconds to the first byte, on long average."""
    _responses: int = 0
    _broken: float = math.inf
    """The level at which the server refused or failed; infinite: none is known."""
    _cut_at: float = -math.inf
    _raised_at: float = -math.inf
    _retry: float = MIN_RETRY
    _trial: bool = False
    """Whether the level is one that broke before, and is tried again."""
    _before: float = 1.0
    """The level before the first failure."""
    _proven: bool = False
    """Whether a request alone was served right after others had been refused: the level is a limit of the server."""
    _peak: int = 0
    """The most requests in flight of which one was served."""
    _at_peak: int = 0
    """Requests served while so many were in flight."""
    _least: float = 1.0
    """The level that is left at least after the refusals of this round trip."""

    def __post_init__(self) -> None:
        self._level = float(self.start)

    @property
    def limit(self) -> int:
        """Requests that may be in flight now, at least 1."""
        level, most = self._level, self.cap
        if self._declared is not None and self._declared < most:
            most = self._declared
        return 1 if level < 1 or most < 1 else int(level) if level < most else int(most)

    @property
    def most(self) -> int:
        """Requests that may be in flight if the server keeps up: what the user allows, or the server if less."""
        return int(self._max())

    @property
    def response_time(self) -> float:
        """Seconds to the first byte, on long average; 0 before the first response."""
        return self._average

    @property
    def has_answered(self) -> bool:
        """Whether the server has answered a request, in this run or an earlier one of the job."""
        return self._responses > 0

    def declare(self, most: int | None) -> None:
        """Keep to a number of requests that the server declares. `None` means that it declares none."""
        if most is not None and most >= 1:
            self._declared = most
            self._broken = max(self._broken, most + 1.0)

    def skip_slow_start(self, units: float) -> None:
        """End the slow start if a server declares that it will serve so many more that all may go at once."""
        if self._starting and units >= PLENTY * self._max():
            self._level = self._max()

    def explains(self, inflight: int) -> bool:
        """Return whether a request may have been refused because so many were in flight: as many were before."""
        return (self._proven or self._trial) and inflight >= self._broken

    def apart(self, inflight: int) -> float:
        """Return the seconds since the last start after which the next request may try a level of two that broke.

        A rate would refuse it as well if it were sent together with the other one. 0: the request does not try it.
        """
        return APART * self._average if self._trial and inflight and self._broken == PAIR else 0.0

    def is_untried(self, inflight: int) -> bool:
        """Return whether hardly any request was served while so many were in flight."""
        return inflight > self._peak or (inflight == self._peak and self._at_peak < TRIED)

    # ---- learning ----------------------------------------------------------------------------------------------------

    def answered(self, now: float, first_byte: float, inflight: int) -> None:
        """Learn from a response."""
        self._responses = responses = self._responses + 1
        if inflight > self._peak:
            self._peak, self._at_peak = inflight, 0
        self._at_peak += inflight == self._peak
        average = self._average
        average += (first_byte - average) / (min(AVERAGED, responses))
        if average > 2.0 * first_byte:
            average *= 0.95  # the server has recovered, so earlier times count less
        self._average = average
        if inflight < self._level / 2.0:
            return  # the level is not what limits the requests, so the response says nothing about it
        queued = first_byte > MIN_QUEUED and first_byte > QUEUE_TOLERANCE * average
        if self._broken < math.inf:
            self._climb(now, queued=queued)
        elif self._starting and not queued:
            self._level = min(self._max(), self._level + 1.0)  # one for each response, so a round trip doubles it
        else:
            self._starting = False
            gradient = max(0.5, min(1.0, QUEUE_TOLERANCE * self._average / first_byte)) if queued else 1.0
            goal = self._level * gradient + math.sqrt(self._level)
            level = self._level + SMOOTHING * (goal - self._level)
            self._level = min(self._max(), max(1.0, level))

    def overloaded(self, now: float, inflight: int, *, load: int = 0, refused: bool = False) -> None:
        """Learn from a failure of an overloaded server. Failures within one round trip count once."""
        self._starting = False
        if self._broken == math.inf:
            self._before = self._level
        if now < self._cut_at + max(self._average, MIN_QUEUED):
            if refused and inflight - 1.0 < self._level:
                self._level = max(self._least, inflight - 1.0)
                self._broken = max(2.0, min(self._broken, max(math.floor(self._level) + 1.0, float(load))))
            return
        most, level = self._level, min(self._level, float(max(1, inflight)))
        self._least = max(1.0, SURVIVING * level)
        self._proven |= refused and self._trial
        if self._trial:  # one request more than the server takes
            self._level = max(1.0, math.floor(self._level) - 1.0)
            self._retry = min(MAX_RETRY, 2.0 * self._retry)
        else:
            self._level = max(1.0, inflight - 1.0 if refused else CUT * level)
        self._broken = max(2.0, math.floor(min(most, float(max(inflight, load)))))
        self._trial = False
        self._cut_at = self._raised_at = now

    def refused_for_concurrency(self, now: float, inflight: int, *, load: int = 0) -> None:
        """Learn that some of the requests in flight were refused since they were too many, while most were served."""
        self._proven = True
        self.overloaded(now, inflight, load=load, refused=True)

    def restore_level(self) -> None:
        """Return to the level before the first failure, because a lower one proved to be of no use."""
        self._level = max(self._level, self._before)
        self.forget_broken_level()

    def forget_broken_level(self) -> None:
        """Forget the level that broke, because requests fail below it as well."""
        self._starting, self._trial, self._broken, self._retry = True, False, math.inf, MIN_RETRY
        self._proven = False

    # ---- state -------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return what the next run needs, as JSON values; empty if nothing was learned."""
        if self._broken == math.inf and not self._responses:
            return {}
        state: dict[str, Any] = {"level": round(self._level, 2), "first_byte": round(self._average, 4)}
        if self._broken < math.inf:
            state |= {"broke": self._broken, "retry": self._retry}
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned; unreadable values are ignored."""
        if not isinstance(state, dict):
            return
        level, broken = json_number(state.get("level"), 1.0, 1e6), json_number(state.get("broke"), 2.0, 1e6)
        first_byte = json_number(state.get("first_byte"), 1e-6, 3600.0)
        retry = json_number(state.get("retry"), MIN_RETRY, MAX_RETRY)
        if first_byte is not None:
            self._average, self._responses = first_byte, RESTORED
        if broken is not None:
            self._broken, self._retry = broken, retry or MIN_RETRY
        if level is not None and broken is not None:
            self._level, self._starting = min(level, broken - 1.0), False

    # ---- internals ---------------------------------------------------------------------------------------------------

    def _max(self) -> float:
        return float(self.cap if self._declared is None else min(self.cap, self._declared))

    def _climb(self, now: float, *, queued: bool) -> None:
        """Below a level that broke: add one request after a calm while, and try that level after a long one."""
        if queued:
            self._raised_at = max(self._raised_at, now - CALM / 2)
            return
        calm = max(CALM, 3.0 * self._average)
        passed = now - self._raised_at
        if self._trial and passed > calm:
            self.serves_apart = APART * self._average if self._proven and self._broken == PAIR else 0.0
            self._trial, self._broken, self._retry = False, math.inf, MIN_RETRY  # the server takes it now
            return
        level = math.floor(self._level) + 1.0
        if level > self._max() or self._trial:
            return
        soon = level < self._broken or (self._peak <= PAIR and self._retry == MIN_RETRY)
        if passed > (calm if soon else max(self._retry, 20.0 * self._average)):
            self._trial = level >= self._broken
            self._level, self._raised_at = level, now
