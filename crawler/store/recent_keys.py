"""`RecentKeys`: the most recently committed keys, kept in memory to save look-ups in the database."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

__all__ = ["RecentKeys"]


class RecentKeys(set[str]):
    """A set of the last `size` keys that were added. Add keys with `update` only."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._order: deque[str] = deque()

    def clear(self) -> None:
        """Forget all keys."""
        super().clear()
        self._order.clear()

    def update(self, *groups: Iterable[str]) -> None:
        """Add committed keys; beyond `size` the oldest are dropped."""
        order = self._order
        for keys in groups:
            for key in keys:
                if key not in self:
                    self.add(key)
                    order.append(key)
        while len(order) > self._size:
            self.discard(order.popleft())
