"""How long to wait before the same request is tried again."""

from __future__ import annotations

import random

__all__ = ["full_jitter"]


def full_jitter(attempt: int, *, base: float, cap: float, random: random.Random) -> float:
    """Seconds before attempt `attempt` + 1: uniform in 0 … min(`cap`, `base` · 2^(`attempt` - 1)).

    Parameters:
        attempt: attempts made so far, at least 1.
        base: seconds, the upper end after the first attempt.
        cap: seconds, the upper end whatever the attempt.
        random: where chance comes from.
    """
    return random.uniform(0.0, min(cap, base * 2.0 ** min(attempt - 1, 62)))
