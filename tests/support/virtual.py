"""Runs in virtual time, whose wall clock starts where the test says."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from unittest.mock import patch

import trio
from trio.testing import MockClock

__all__ = ["EPOCH", "Half", "run_repeatably", "run_virtually", "seeded"]

T = TypeVar("T")
EPOCH = 1_800_000_000.0
"""Seconds since the epoch at which virtual time begins."""


class Half(random.Random):
    """Randomness replaced by its mean: each jitter is half of its maximum."""

    def random(self) -> float:
        return 0.5


def seeded(seed: int) -> type[random.Random]:
    """Return a class whose objects have this seed, unless they get another one."""

    class Seeded(random.Random):
        def __init__(self, x: Any = seed) -> None:
            super().__init__(x)

    return Seeded


def run_virtually(
    function: Callable[..., Awaitable[T]],
    *args: Any,
    begin: float = EPOCH,
    randomness: type[random.Random] = random.Random,
) -> T:
    """Run an async function in virtual time, which begins at `begin` (seconds since the epoch).

    Parameters:
        function: The function.
        args: Its arguments.
        begin: When virtual time begins, in seconds since the epoch.
        randomness: Takes the place of `random.Random`.
    """

    def wall_clock() -> float:
        try:
            return begin + trio.current_time()
        except RuntimeError:  # outside `trio.run`
            return begin

    with (
        patch.object(random, "Random", randomness),
        patch.object(trio._core._run, "_r", randomness()),  # type: ignore[attr-defined]  # it shuffles the tasks
        patch.object(time, "time", wall_clock),
    ):
        return trio.run(function, *args, clock=MockClock(autojump_threshold=0))


def run_repeatably(function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run an async function in virtual time; each `random.Random` that it creates is a `Half`."""
    return run_virtually(function, *args, randomness=Half)
