"""Repeatable runs in virtual time: without randomness, and with a wall clock that starts at `EPOCH`."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from unittest.mock import patch

import trio
from trio.testing import MockClock

__all__ = ["EPOCH", "Half", "run_repeatably"]

T = TypeVar("T")
EPOCH = 1_800_000_000.0
"""Seconds since the epoch at which virtual time begins."""


class Half(random.Random):
    """Randomness replaced by its mean: each jitter is half of its maximum."""

    def random(self) -> float:
        return 0.5


def run_repeatably(function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run an async function in virtual time; each `random.Random` that it creates is a `Half`."""
    with patch.object(random, "Random", Half), patch.object(time, "time", _wall_clock):
        return trio.run(function, *args, clock=MockClock(autojump_threshold=0))


def _wall_clock() -> float:
    """Return seconds since the epoch, in step with virtual time."""
    try:
        return EPOCH + trio.current_time()
    except RuntimeError:  # outside `trio.run`
        return EPOCH
