"""`OwnLog`: the part of the `Store` protocol that is about earlier runs, in a store whose log begins with its owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from crawler.messages import Row

__all__ = ["OwnLog"]


class OwnLog:
    """The base class of stores without a folder: no sink of an earlier run has written anything of their logs."""

    folder: Final = None
    crashed: Final = False

    async def checkpoint(self) -> None:
        """Do nothing: if the store survives the process, it decides when it writes to its disk."""

    def sync_with(self, sync: Callable[[], None]) -> None:
        """Do nothing: there are no checkpoints."""

    def follows(self, sink: str) -> bool:
        """Return `False`: the log has no earlier sinks."""
        return False

    def sinks(self) -> dict[str, Any]:
        """Return nothing: the log has no earlier sinks."""
        return {}

    async def rename_sinks(self, names: Mapping[str, str]) -> None:
        """Do nothing: the log has no earlier sinks."""

    def written_behind(self, sink: str) -> Iterator[Row]:
        """Return nothing: the log has no earlier sinks."""
        return iter(())

    written_before = written_behind
