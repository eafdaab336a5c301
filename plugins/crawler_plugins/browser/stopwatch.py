"""`Stopwatch`: deadlines that do not count the time in which limits hold a page back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import trio

__all__ = ["Stopwatch"]


class Stopwatch:
    """Measures the time of a page. It stands still while at least one `pause` is open."""

    def __init__(self) -> None:
        self._pauses = 0
        self._left: dict[trio.CancelScope, float] = {}  # seconds, while it stands still

    @contextmanager
    def limit(self, seconds: float) -> Iterator[trio.CancelScope]:
        """Cancel the block after some seconds of this watch.

        Parameters:
            seconds: The seconds.
        """
        with trio.CancelScope() as scope:
            self._left[scope] = seconds
            if not self._pauses:
                scope.deadline = trio.current_time() + seconds
            try:
                yield scope
            finally:
                del self._left[scope]

    def pause(self) -> None:
        """Stand still. Each call needs one of `resume`."""
        self._pauses += 1
        if self._pauses == 1:
            now = trio.current_time()
            for scope in self._left:
                self._left[scope] = scope.deadline - now
                scope.deadline = math.inf

    def resume(self) -> None:
        """End a `pause`."""
        self._pauses -= 1
        if not self._pauses:
            now = trio.current_time()
            for scope, left in self._left.items():
                scope.deadline = now + left
