"""`RepeatedEvent`: an event that happens again and again. Setting it costs nothing while nobody waits."""

from __future__ import annotations

import trio

__all__ = ["RepeatedEvent"]


class RepeatedEvent:
    """Wakes the tasks that wait when it is set. It does not stay set: a task waits for the next time."""

    def __init__(self) -> None:
        self._next: trio.Event | None = None

    def set(self) -> None:
        """Wake all tasks that wait now."""
        if self._next is not None:
            self._next.set()
            self._next = None

    async def wait(self) -> None:
        """Wait until the next `set`."""
        if self._next is None:
            self._next = trio.Event()
        await self._next.wait()
