"""How the CPU time of a call grows with the size of its input, measured so that a busy machine does not matter."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from support.adversarial import repeated

__all__ = ["Parser", "Unit", "excess", "fill", "growing"]

Unit = str | tuple[str, ...]
"""A string to repeat, ``{n}`` in it being a number that is never the same; several strings share the size."""

Parser = tuple[Callable[[str], Any], tuple[Unit, ...], tuple[tuple[str, str], ...]]
"""A function, the units to repeat in its input, and what stands before and behind them."""

FACTOR: Final = 8
"""The ratio of two sizes that are compared."""
MOST: Final = 3.0 * FACTOR
"""The ratio of their times from which growth counts as more than proportional. A quadratic one has 64."""
SIGNIFICANT: Final = 1e-3
"""CPU seconds from which a time is compared; a cheaper case is measured with a larger input."""
REPEATS: Final = 4
"""Measurements of which the fastest counts, if the first one shows too much growth."""


def fill(unit: Unit, size: int) -> str:
    """Return a unit repeated to about `size` characters."""
    if isinstance(unit, tuple):
        return "".join(fill(part, size // len(unit)) for part in unit)
    if "{n}" not in unit:
        return repeated(unit, size)
    return "".join(unit.replace("{n}", f"{n:x}") for n in range(max(1, size // (len(unit) + 1))))


def growing(parser: Parser) -> dict[str, str]:
    """Return the inputs of a parser, shortened, whose time grows more than in proportion, and how it does."""
    call, units, frames = parser
    found = {}
    for before, after in frames:
        for unit in units:
            grown = excess(call, lambda size, b=before, u=unit, a=after: b + fill(u, size) + a)  # type: ignore[misc]
            if grown:
                found[f"{before!r} {unit!r} {after!r}"] = grown
    return found


def excess(call: Callable[[str], Any], make: Callable[[int], str], *, first: int = 1000, last: int = 100_000) -> str:
    """Return how the time of a call grows, if that is more than in proportion to its input; else an empty string.

    Parameters:
        call: The function to measure.
        make: Returns its input of a given size.
        first: Characters of the smallest input.
        last: Characters that are not exceeded, even if the time is too short to be compared.
    """
    sizes = [size for size in (first * FACTOR**step for step in range(5)) if size <= last]
    small = make(sizes[0])
    before = _seconds(call, small)
    for size in sizes[1:]:
        large = make(size)
        now = _seconds(call, large)
        if now >= SIGNIFICANT:
            break
        small, before = large, now
    else:
        return ""
    if now <= before * _bearable(small, large):
        return ""
    before = max(before, *(_seconds(call, small) for _ in range(REPEATS)))
    now = min(_seconds(call, large) for _ in range(REPEATS))
    if now <= max(before * _bearable(small, large), SIGNIFICANT):
        return ""
    larger = make(size * FACTOR)  # beyond a bound from which a parser works in another way, growth is linear again
    later = _seconds(call, larger)
    if later <= now * _bearable(large, larger):
        return ""
    return f"{len(large) / len(small):.0f} times the input takes {now / before:.0f} times as long ({now:.3f} seconds)"


def _bearable(small: str, large: str) -> float:
    """Return the ratio of times up to which growth counts as linear."""
    return MOST / FACTOR * len(large) / len(small)


def _seconds(call: Callable[[str], Any], text: str) -> float:
    with _without_collector():
        started = time.thread_time()
        call(text)
        return time.thread_time() - started


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector, which runs at arbitrary times, out of a measurement."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
