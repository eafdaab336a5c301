"""`SharedStore`: the part of the `Store` protocol that is about earlier runs, in a store that several owners share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from crawler.messages import Row

__all__ = ["SharedStore"]


class SharedStore:
    """The base class of stores that several owners share. Each owner has a log of its own, which begins with it."""

    shared: Final = True
    folder: Final = None

    async def checkpoint(self) -> None:
        """Do nothing: the store decides when it writes to its disk."""

    def sync_with(self, sync: Callable[[], None]) -> None:
        """Do nothing: there are no checkpoints."""

    def follows(self, sink: str) -> bool:
        """Return `False`: the log of this owner has no earlier sinks."""
        return False

    def sinks(self) -> dict[str, Any]:
        """Return nothing: the log of this owner has no earlier sinks."""
        return {}

    async def rename_sinks(self, names: Mapping[str, str]) -> None:
        """Do nothing: the log of this owner has no earlier sinks."""

    def written_behind(self, sink: str) -> Iterator[Row]:
        """Return nothing: the log of this owner has no earlier sinks."""
        return iter(())
