"""`RecentKeys`: the keys that were committed last, in memory, to spare look-ups."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

__all__ = ["RecentKeys"]


class RecentKeys:
    """A container of the last `most` keys that were added.

    Parameters:
        most: keys.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: set[str] = set()
        self._order: deque[str] = deque()

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._order)

    def add(self, keys: Iterable[str]) -> None:
        """Keeps keys that are committed; the oldest go."""
        for key in keys:
            if key not in self._keys:
                self._keys.add(key)
                self._order.append(key)
        while len(self._order) > self._most:
            self._keys.discard(self._order.popleft())
