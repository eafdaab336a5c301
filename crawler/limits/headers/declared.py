"""What a server says of its limits: the words that dialects are translated into and the governor understands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

__all__ = ["NOTHING", "AttemptReport", "Declared", "Observation", "TimeRange", "intersect", "merge"]

MAX_OBSERVATIONS: Final = 64
"""Observations kept of one response."""

TimeRange = tuple[float, float]
"""The earliest and the latest time of an event, in seconds since the epoch."""


@attrs.frozen(kw_only=True)
class Observation:
    """What one answer says of one policy; what is not said is `None`."""

    policy: str
    """Names the policy, the same in every answer of one server."""
    limit: float | None = None
    """Units in one window."""
    remaining: float | None = None
    """Units that are left, this answer's own already taken; not negative."""
    reset: TimeRange | None = None
    """Seconds since the epoch by our own clock: not before the first and not after the second of these something is
    restored."""
    window: float | None = None
    """Seconds of one window."""
    rate: float | None = None
    """Units that are restored a second, where the server says so."""
    unit: str = "requests"
    """What is counted: ``requests``, ``tokens``, ``points``, ``content-bytes``, …"""


@attrs.frozen(kw_only=True)
class Declared:
    """What one answer says."""

    observations: tuple[Observation, ...] = ()
    """By policy."""
    retry_after: float | None = None
    """Seconds from the receipt of the answer: the longest wait that it names for being refused."""
    concurrency: int | None = None
    """Requests in flight at once, where the server names a limit of them."""
    violated: tuple[str, ...] = ()
    """Policies that it says were violated."""

    def __bool__(self) -> bool:
        return self is not NOTHING and self != NOTHING


NOTHING = Declared()
"""Not a word."""


@attrs.frozen(kw_only=True)
class AttemptReport:
    """One request and what came of it, as far as limits are concerned."""

    sent: float
    """Seconds since the epoch: when it went out."""
    received: float
    """Seconds since the epoch: when its answer, or its failure, was there."""
    first_byte: float | None = None
    """Seconds between sending and the first byte of the answer; `None`: there was no answer."""
    status: int = 0
    """HTTP status; 0: there was no answer."""
    refused: bool = False
    """Whether the server refused it since it was asked too much: 429, 503, or what a rule calls so."""
    overloaded: bool = False
    """Whether it failed as servers fail that are asked too much: 503, a timeout, a reset."""
    declared: Declared = NOTHING
    """What the answer says of limits."""


def intersect(first: TimeRange, second: TimeRange) -> TimeRange:
    """Return the intersection of two ranges of one event's time, or `first` if they do not overlap."""
    low, high = max(first[0], second[0]), min(first[1], second[1])
    return (low, high) if low <= high else first


def merge(parts: Iterable[Declared]) -> Declared:
    """Merge what the parts of one response declare: one observation per policy, the strictest value of each kind."""
    observations: dict[str, Observation] = {}
    violated: dict[str, None] = {}
    waits: list[float] = []
    limits: list[int] = []
    for part in parts:
        for new in part.observations:
            known = observations.get(new.policy)
            if known is not None:
                observations[new.policy] = _merge_observations(known, new)
            elif len(observations) < MAX_OBSERVATIONS:
                observations[new.policy] = new
        violated.update(dict.fromkeys(part.violated))
        waits += () if part.retry_after is None else (part.retry_after,)
        limits += () if part.concurrency is None else (part.concurrency,)
    return Declared(
        observations=tuple(observations.values()),
        retry_after=max(waits, default=None),
        concurrency=min(limits, default=None),
        violated=tuple(violated),
    )


def _merge_observations(first: Observation, second: Observation) -> Observation:
    """Merge two observations of one policy."""
    remaining = [x for x in (first.remaining, second.remaining) if x is not None]
    resets = [x for x in (first.reset, second.reset) if x is not None]
    return attrs.evolve(
        first,
        limit=second.limit if first.limit is None else first.limit,
        remaining=min(remaining, default=None),
        reset=intersect(resets[0], resets[-1]) if resets else None,
        window=second.window if first.window is None else first.window,
        rate=second.rate if first.rate is None else first.rate,
    )
