"""`join`: what the parts of one answer say together, one observation of each policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from crawler.limits.headers.declared import Declared, Observation

__all__ = ["join", "met"]

MOST: Final = 64
"""Observations of one answer: more are left out."""

Bracket = tuple[float, float]


def met(one: Bracket, other: Bracket) -> Bracket:
    """What two brackets of one time leave of it; if they contradict each other, the first."""
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else one


def _both(first: Observation, other: Observation) -> Observation:
    """What two observations of one policy say together."""
    rests = [x for x in (first.remaining, other.remaining) if x is not None]
    resets = [x for x in (first.reset, other.reset) if x is not None]
    return attrs.evolve(
        first,
        limit=other.limit if first.limit is None else first.limit,
        remaining=min(rests, default=None),
        reset=met(resets[0], resets[-1]) if resets else None,
        window=other.window if first.window is None else first.window,
        rate=other.rate if first.rate is None else first.rate,
    )


def join(parts: Iterable[Declared]) -> Declared:
    """What the parts of an answer say together: one observation of each policy."""
    observations: dict[str, Observation] = {}
    violated: dict[str, None] = {}
    waits: list[float] = []
    limits: list[int] = []
    for part in parts:
        for new in part.observations:
            known = observations.get(new.policy)
            if known is not None:
                observations[new.policy] = _both(known, new)
            elif len(observations) < MOST:
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
