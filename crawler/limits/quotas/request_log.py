"""`RequestLog`: the times of our own recent requests, which show for certain when there is room for the next one."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import attrs

from crawler.limits.headers.declared import TimeRange

__all__ = ["MAX_UNITS", "RequestLog"]

MAX_UNITS: Final = 500
"""Units of the largest quota for which a log is kept."""
MARGIN: Final = 0.01
"""Seconds, or a thousandth of the window if that is more, to allow for clocks that run at different speeds."""
TIMED: Final = 20
"""Round trips, at least, that show how long any takes at least."""
ERRORS: Final = 3.0
"""Standard errors that are left from the shortest round trip so far to the shortest one that is possible."""


@attrs.define(eq=False, repr=False)
class RequestLog:
    """The requests of the last window, valid as long as no other client seems to use the quota.

    If request n + `limit` starts one window after the response to request n, no window of that length contains more
    than `limit` requests. It may start earlier by the shortest round trip: request n was counted that much before its
    response, or request n + `limit` will be counted later, or a part of both. No common algorithm that allows `limit`
    requests per window refuses such a client:

    * A sliding log counts exactly this.
    * A fixed window, wherever it begins, is one of these windows.
    * A token bucket of size `limit`, refilled at `limit` / window and full at the beginning, holds after a time t
      limit + t · limit / window tokens less the requests in t. If t is k windows and a remainder, those are at most
      (k + 1) · limit, so at least the remainder's share is left. A leaky bucket is the same with the sign reversed.

    A sliding counter, which estimates the window from two fixed ones, may refuse. The remainder that it states is
    smaller than the log explains, as if other clients used the quota, and the log is then not used.
    """

    counts_trips: bool = True
    """Whether units return earlier by the shortest round trip. Not if a request was refused that relied on it."""
    complete_since: float = -math.inf
    """Requests before this time (seconds since the epoch) are not known completely."""
    _requests: deque[TimeRange] = attrs.field(factory=deque)
    _dropped_at: float = -math.inf
    """When `counts_trips` became false, in seconds since the epoch."""
    _has_gap: bool = False
    _timed: int = 0
    """Round trips so far."""
    _total: float = 0.0
    """Seconds that they took together."""
    _shortest: float = math.inf
    """Seconds of the shortest one."""

    @property
    def round_trip(self) -> float:
        """Seconds that any round trip takes, at least; 0 while too few are known.

        The shortest of n round trips exceeds it by an n-th of the mean excess, on average and in its standard error.
        """
        if self._timed < TIMED:
            return 0.0
        error = (self._total / self._timed - self._shortest) / self._timed
        return max(0.0, self._shortest - ERRORS * error)

    @property
    def earlier(self) -> float:
        """Seconds by which a request may start before a window has passed since a response: it takes time itself."""
        return self.round_trip if self.counts_trips else 0.0

    def add(self, sent: float, received: float, limit: float | None, *, refused: bool = False) -> None:
        """Add a request that the server counted at some time between `sent` and `received`."""
        if self._has_gap:
            self._has_gap, self.complete_since = False, max(self.complete_since, received)
        self._timed, self._total = self._timed + 1, self._total + received - sent
        self._shortest = min(self._shortest, received - sent)
        self._append(-math.inf if refused else sent, received, limit)

    def assume(self, at: float, limit: float | None) -> None:
        """Add a request that the server counted at about a known time. How long it took is not known."""
        self._append(at, at, limit)

    def _append(self, sent: float, received: float, limit: float | None) -> None:
        if limit is None or limit > MAX_UNITS:
            self.complete_since = max(self.complete_since, received)
            return
        self._requests.append((sent, received))
        if len(self._requests) > limit + 1:
            self._requests.popleft()

    def mark_gap(self) -> None:
        """Record that requests were counted at unknown times."""
        self._has_gap = True

    def distrust_until(self, time: float) -> None:
        """Record that not all units counted until `time` (seconds since the epoch) were used by us."""
        self.complete_since = max(self.complete_since, time)

    def explain_refusal(self, sent: float, received: float, window: float) -> bool:
        """Return whether a refused request relied on the shortest round trip, which no later one does."""
        if self.earlier > max(MARGIN, window / 1000.0):
            self._dropped_at = received
        self.counts_trips = False
        return sent <= self._dropped_at

    def is_complete(self, now: float, window: float) -> bool:
        """Return whether the log contains every request of the last `window` seconds."""
        return not self._has_gap and now >= self.complete_since + window

    def ready_at(self, units: float, window: float) -> float:
        """Return when at most `units` requests of the log still count, in seconds since the epoch."""
        if self._has_gap or units < 0:
            return math.inf
        at = self.complete_since + window + max(MARGIN, window / 1000.0)
        if len(self._requests) > units:
            at = max(at, self.returned_at(self._requests[len(self._requests) - 1 - int(units)][1], window))
        return at

    def returned_at(self, received: float, window: float) -> float:
        """Return when the unit of a request has certainly returned, in seconds since the epoch."""
        return received + window + max(MARGIN, window / 1000.0) - self.earlier

    def latest(self, number: float) -> TimeRange | None:
        """Return when the first one of so many latest requests was sent and answered; `None` if it is not known."""
        return self._requests[-int(number)] if 1 <= number <= len(self._requests) else None

    def count(self, sent: float, received: float, window: float) -> tuple[int, int]:
        """Count the requests of the last window, for a server that counts at some time between `sent` and `received`.

        Returns the number of requests that certainly count, and the number that may count.
        """
        certain = sum(received < request[0] + window for request in self._requests)
        return certain, sum(sent < request[1] + window for request in self._requests)

    def __len__(self) -> int:
        return len(self._requests)
