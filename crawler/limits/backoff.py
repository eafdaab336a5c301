"""How long to wait before the same request is sent again."""

from __future__ import annotations

import random
from typing import Final, Literal, TypeAlias

__all__ = [
    "Jitter",
    "backoff",
    "decorrelated_jitter",
    "doubled",
    "equal_jitter",
    "full_jitter",
    "patience",
    "stated_jitter",
]

Jitter: TypeAlias = Literal["full", "equal", "decorrelated"]
"""How the waits of requests that failed together are spread at random."""

MAX_DECORRELATED: Final = 64
"""Earlier waits that are drawn for decorrelated jitter; by then it has reached its upper end."""
PATIENCE_FACTOR: Final = 5.0
"""A request that takes this many times as long as refusals took has not been refused."""
MIN_PATIENCE: Final = 0.02
"""Seconds, at least, before a request counts as not refused."""
STATED_SHARE: Final = 0.05
"""Largest share of a stated wait that is added to it."""


def doubled(times: int, *, base: float = 1.0, cap: float) -> float:
    """Return `base` seconds, doubled `times` times, at most `cap`: exponential backoff without jitter."""
    return min(cap, base * 2.0 ** min(times, 62))


def backoff(attempt: int, jitter: Jitter, *, base: float, cap: float, random: random.Random) -> float:
    """Return the seconds to wait after attempt `attempt`, by one of the three functions below."""
    if jitter == "full":
        return full_jitter(attempt, base=base, cap=cap, random=random)
    if jitter == "equal":
        return equal_jitter(attempt, base=base, cap=cap, random=random)
    wait = 0.0
    for _ in range(min(attempt, MAX_DECORRELATED)):  # the earlier waits are not known, so they are drawn too
        wait = decorrelated_jitter(wait, base=base, cap=cap, random=random)
    return wait


def full_jitter(attempt: int, *, base: float, cap: float, random: random.Random) -> float:
    """Return the seconds to wait after attempt `attempt`: uniform in 0 … min(`cap`, `base` · 2^(`attempt` - 1))."""
    return random.uniform(0.0, min(cap, base * 2.0 ** min(attempt - 1, 62)))


def equal_jitter(attempt: int, *, base: float, cap: float, random: random.Random) -> float:
    """Return the seconds to wait after attempt `attempt`: uniform in the upper half of the range of `full_jitter`."""
    upper = min(cap, base * 2.0 ** min(attempt - 1, 62))
    return random.uniform(upper / 2.0, upper)


def decorrelated_jitter(previous: float, *, base: float, cap: float, random: random.Random) -> float:
    """Return the seconds to wait before the next attempt.

    Uniform in `base` … three times the last wait, at most `cap`.
    """
    return min(cap, random.uniform(base, max(base, 3.0 * previous)))


def stated_jitter(wait: float, *, random: random.Random) -> float:
    """Return the seconds to add to a stated wait: 0 or more, at most a twentieth of it and at most a second."""
    return random.uniform(0.0, min(1.0, STATED_SHARE * max(0.0, wait)))


def patience(took: float) -> float:
    """Return the seconds after which a request in flight has not been refused."""
    return max(MIN_PATIENCE, PATIENCE_FACTOR * took)
