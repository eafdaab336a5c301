"""Algorithms by which servers limit requests, and what they decide about one. No event loop, no clock, no `crawler`."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import attrs


@attrs.define
class Decision:
    """A limit's decision on one request."""

    allowed: bool
    remaining: int
    reset: float
    """Seconds until units are restored."""
    delay: float = 0.0
    """Seconds for which the request is held back before it is processed."""


@attrs.define(kw_only=True)
class FixedWindow:
    """A window begins with its first request.

    Parameters:
        blocks: whether a breach blocks the client for a whole window.
        doubles: whether each block is twice as long as the last.
    """

    quota: int
    window: float
    blocks: bool = False
    doubles: bool = False
    name: str = "default"
    opened: float = -math.inf
    used: int = 0
    blocked_until: float = -math.inf
    breaches: int = 0

    def decide(self, now: float, *, dry: bool = False) -> Decision:
        if now < self.blocked_until:
            return Decision(False, 0, self.blocked_until - now)
        if now >= self.opened + self.window:
            if dry:  # what another limit refuses does not open it
                return Decision(True, self.quota, self.window)
            self.opened, self.used = now, 0
        reset = self.opened + self.window - now
        if self.used >= self.quota:
            if self.blocks:
                self.blocked_until = now + self.window * (2**self.breaches if self.doubles else 1)
                self.breaches += 1
                reset = self.blocked_until - now
            return Decision(False, 0, reset)
        self.used += not dry
        return Decision(True, self.quota - self.used, reset)


@attrs.define(kw_only=True)
class AlignedWindow:
    """Windows begin at whole multiples of their length, shifted by a phase."""

    quota: int
    window: float
    phase: float = 0.0
    name: str = "default"
    number: int = -1
    used: int = 0

    def decide(self, now: float, *, dry: bool = False) -> Decision:
        number = math.floor((now + self.phase) / self.window)
        if number != self.number:
            self.number, self.used = number, 0
        reset = (number + 1) * self.window - self.phase - now
        if self.used >= self.quota:
            return Decision(False, 0, reset)
        self.used += not dry
        return Decision(True, self.quota - self.used, reset)


@attrs.define(kw_only=True)
class SlidingLog:
    """The requests of the last window count; with `counts_refused` also those that were refused."""

    quota: int
    window: float
    counts_refused: bool = False
    name: str = "default"
    hits: deque[float] = attrs.field(factory=deque)

    def decide(self, now: float, *, dry: bool = False) -> Decision:
        while self.hits and self.hits[0] <= now - self.window:
            self.hits.popleft()
        allowed = len(self.hits) < self.quota
        if (allowed or self.counts_refused) and not dry:
            self.hits.append(now)
        place = max(0, len(self.hits) - self.quota)
        reset = self.hits[place] + self.window - now if self.hits else 0.0
        return Decision(allowed, max(0, self.quota - len(self.hits)), reset)


@attrs.define(kw_only=True)
class SlidingCounter:
    """The previous window counts in proportion to its overlap; the stated reset is the end of the present one."""

    quota: int
    window: float
    phase: float = 0.0
    name: str = "default"
    number: int = -1
    used: int = 0
    before: int = 0

    def decide(self, now: float, *, dry: bool = False) -> Decision:
        place = (now + self.phase) / self.window
        number = math.floor(place)
        if number != self.number:
            self.before = self.used if number == self.number + 1 else 0
            self.number, self.used = number, 0
        weighted = self.before * (1 - (place - number)) + self.used
        allowed = weighted + 1 <= self.quota
        if allowed and not dry:
            self.used += 1
            weighted += 1
        return Decision(allowed, max(0, int(self.quota - weighted)), (number + 1 - place) * self.window)


@attrs.define(kw_only=True)
class TokenBucket:
    """Tokens return continuously. The stated reset is the time to the next token, or to all of them.

    Parameters:
        queues: whether requests wait in a queue until the bucket is as full as if there was no burst.
    """

    quota: int
    window: float
    states_time_to_full: bool = False
    queues: bool = False
    name: str = "default"
    tokens: float = math.nan
    updated_at: float = 0.0

    def decide(self, now: float, *, dry: bool = False) -> Decision:
        if math.isnan(self.tokens):
            self.tokens = self.quota
        else:
            self.tokens = min(self.quota, self.tokens + (now - self.updated_at) * self.quota / self.window)
        self.updated_at = now
        allowed = self.tokens >= 1
        per_token = self.window / self.quota
        delay = (self.quota - self.tokens) * per_token if self.queues else 0.0
        self.tokens -= allowed and not dry
        missing = (self.quota if self.states_time_to_full else 1) - self.tokens
        return Decision(allowed, int(self.tokens), max(0.0, missing * per_token), delay)


@attrs.define(kw_only=True)
class BatchBucket:
    """A bucket to which tokens are added in batches.

    Parameters:
        units: tokens that are added after each `window` seconds.
    """

    quota: int
    window: float
    units: int
    name: str = "default"
    tokens: float = math.nan
    filled_at: float = 0.0

    def decide(self, now: float, *, dry: bool = False) -> Decision:
        if math.isnan(self.tokens):
            self.tokens, self.filled_at = self.quota, now
        batches = math.floor((now - self.filled_at) / self.window)
        self.tokens = min(self.quota, self.tokens + batches * self.units)
        self.filled_at += batches * self.window
        allowed = self.tokens >= 1
        self.tokens -= allowed and not dry
        return Decision(allowed, int(self.tokens), self.filled_at + self.window - now)


@attrs.define(kw_only=True)
class ChangingWindow(FixedWindow):
    """A fixed window whose quota changes.

    Parameters:
        changes: seconds after the first request, and the quota from then on.
    """

    changes: Sequence[tuple[float, int]]
    first: float = math.nan

    def decide(self, now: float, *, dry: bool = False) -> Decision:
        if math.isnan(self.first):
            self.first = now
        for after, quota in self.changes:
            if now >= self.first + after:
                self.quota = quota
        return FixedWindow.decide(self, now, dry=dry)


@attrs.define(kw_only=True)
class PricedWindow(FixedWindow):
    """A fixed window of which each request takes as many units as it costs."""

    cost: int = 1
    """Units of the next request."""

    def decide(self, now: float, *, dry: bool = False) -> Decision:
        if now >= self.opened + self.window:
            self.opened, self.used = now, 0
        allowed = self.used + self.cost <= self.quota
        if allowed and not dry:
            self.used += self.cost
        return Decision(allowed, self.quota - self.used, self.opened + self.window - now)


@attrs.define(kw_only=True)
class CostlyBucket(TokenBucket):
    """A token bucket from which each request takes another number of tokens. The stated reset is the time to full.

    Parameters:
        costs: the least and the largest number of tokens of a request.
        rng: source of the costs.
    """

    costs: tuple[int, int]
    rng: random.Random
    cost: int = attrs.field(default=attrs.Factory(lambda self: self.rng.randint(*self.costs), takes_self=True))
    """Tokens of the next request."""
    states_time_to_full: bool = True

    def decide(self, now: float, *, dry: bool = False) -> Decision:
        per_token = self.window / self.quota
        self.tokens = (
            self.quota
            if math.isnan(self.tokens)
            else min(self.quota, self.tokens + (now - self.updated_at) / per_token)
        )
        self.updated_at = now
        if self.tokens < self.cost:
            return Decision(False, int(self.tokens), (self.cost - self.tokens) * per_token)
        if not dry:
            self.tokens -= self.cost
            self.cost = self.rng.randint(*self.costs)
        return Decision(True, int(self.tokens), (self.quota - self.tokens) * per_token)


Limit = FixedWindow | AlignedWindow | SlidingLog | SlidingCounter | TokenBucket | BatchBucket


@attrs.frozen(kw_only=True)
class Answer:
    """The decision of a server about one request."""

    limits: Sequence[tuple[Limit, Decision]]
    """The decision of each limit."""
    too_many: bool
    """Whether too many requests were in flight."""
    in_flight: int
    now: float
    """Seconds since the epoch."""

    @property
    def allowed(self) -> bool:
        """Whether the request is served."""
        return not self.too_many and all(decision.allowed for _, decision in self.limits)

    @property
    def refusing(self) -> list[tuple[Limit, Decision]]:
        """The limits that refuse the request."""
        return [(limit, decision) for limit, decision in self.limits if not decision.allowed]

    @property
    def wait(self) -> float:
        """Seconds until the request would be served."""
        return max((decision.reset for _, decision in self.refusing), default=0.0)

    @property
    def delay(self) -> float:
        """Seconds for which a request that is served waits in a queue of the server."""
        return max((decision.delay for _, decision in self.limits), default=0.0)


Fields = Callable[[Answer], Mapping[str, str]]
"""Returns header fields for an answer."""


def until_free(limit: Limit, decision: Decision) -> float:
    """Return the seconds until a unit is free, which not every server states as its reset."""
    match limit:
        case SlidingCounter():
            left = limit.quota - 1 - limit.used
            if limit.before <= 0 or left < 0:
                return decision.reset
            return max(0.0, decision.reset - limit.window * min(1.0, left / limit.before))
        case CostlyBucket():
            return decision.reset
        case TokenBucket(states_time_to_full=True):
            return max(0.0, 1.0 - limit.tokens) * limit.window / limit.quota
    return decision.reset
