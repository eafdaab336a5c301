"""`RecentKeys`: the most recently committed keys, kept in memory to save look-ups in the database."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

__all__ = ["RecentKeys"]


class RecentKeys:
    """A container of the last `size` keys that were added.

    Parameters:
        size: Maximum number of keys.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys: set[str] = set()
        self._order: deque[str] = deque()

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._order)

    def add(self, keys: Iterable[str]) -> None:
        """Add committed keys; beyond `size` the oldest are dropped."""
        for key in keys:
            if key not in self._keys:
                self._keys.add(key)
                self._order.append(key)
        while len(self._order) > self._size:
            self._keys.discard(self._order.popleft())
