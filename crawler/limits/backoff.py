"""How long to wait before the same request is tried again."""

from __future__ import annotations

import random
from typing import Final, Literal

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

Jitter = Literal["full", "equal", "decorrelated"]
"""How chance spreads the waits of those who failed together."""

BY_FAR: Final = 5.0
"""A request that is out so many times as long as refusals took is not refused but worked on."""
QUICK: Final = 0.02
"""Seconds, at least, until that is said of one."""
STATED: Final = 0.05
"""Share of a stated wait that is added at most."""


def doubled(times: int, *, base: float = 1.0, cap: float) -> float:
    """`base` seconds, doubled so many times, at most `cap`; the rule without chance."""
    return min(cap, base * 2.0 ** min(times, 62))


def backoff(attempt: int, jitter: Jitter, *, base: float, cap: float, random: random.Random) -> float:
    """Seconds before attempt `attempt` + 1, as `jitter` wants it; see the three functions of these names.

    Parameters:
        attempt: attempts made so far, at least 1.
        jitter: which of them.
        base: seconds.
        cap: seconds.
        random: where chance comes from.
    """
    if jitter == "full":
        return full_jitter(attempt, base=base, cap=cap, random=random)
    if jitter == "equal":
        return equal_jitter(attempt, base=base, cap=cap, random=random)
    wait = 0.0
    for _ in range(min(attempt, 64)):  # nobody remembers the waits before: they are drawn as well
        wait = decorrelated_jitter(wait, base=base, cap=cap, random=random)
    return wait


def full_jitter(attempt: int, *, base: float, cap: float, random: random.Random) -> float:
    """Seconds before attempt `attempt` + 1: uniform in 0 … min(`cap`, `base` · 2^(`attempt` - 1)).

    Parameters:
        attempt: attempts made so far, at least 1.
        base: seconds, the upper end after the first attempt.
        cap: seconds, the upper end whatever the attempt.
        random: where chance comes from.
    """
    return random.uniform(0.0, min(cap, base * 2.0 ** min(attempt - 1, 62)))


def equal_jitter(attempt: int, *, base: float, cap: float, random: random.Random) -> float:
    """Seconds before attempt `attempt` + 1: half of what `full_jitter` has for its upper end, and up to as much again.

    Parameters:
        attempt: attempts made so far, at least 1.
        base: seconds, the upper end after the first attempt.
        cap: seconds, the upper end whatever the attempt.
        random: where chance comes from.
    """
    upper = min(cap, base * 2.0 ** min(attempt - 1, 62))
    return random.uniform(upper / 2.0, upper)


def decorrelated_jitter(previous: float, *, base: float, cap: float, random: random.Random) -> float:
    """Seconds before the next attempt: uniform between `base` and three times the wait before, at most `cap`.

    Parameters:
        previous: seconds that were waited before the last attempt; 0: it was the first.
        base: seconds, the shortest wait.
        cap: seconds, the longest wait.
        random: where chance comes from.
    """
    return min(cap, random.uniform(base, max(base, 3.0 * previous)))


def stated_jitter(wait: float, *, random: random.Random) -> float:
    """Seconds to add to a wait that a server states: never less than it says, at most a twentieth or a second more.

    Parameters:
        wait: seconds that the server states.
        random: where chance comes from.
    """
    return random.uniform(0.0, min(1.0, STATED * max(0.0, wait)))


def patience(took: float) -> float:
    """Seconds after which a request that is still out has not been refused.

    Parameters:
        took: seconds that a refusal took.
    """
    return max(QUICK, BY_FAR * took)
