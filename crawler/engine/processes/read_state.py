"""`ReadState`: the state of the spider in a process for callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crawler.engine.processes import wire
from crawler.engine.processes.remote_crawl import page_number
from crawler.hooks.state import State

__all__ = ["ReadState"]


class ReadState(State):
    """The state of the spider, which notes what each page has read of it, and when."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.version = 0
        """Number of changes that have arrived."""
        self.reads: dict[int, dict[str, int]] = {}
        """By page: the keys that its callback has read, with the version at that time."""

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[str]:
        self._note(wire.ALL_KEYS)
        return super().__iter__()

    def _note(self, key: str) -> None:
        self.reads.setdefault(page_number.get(), {}).setdefault(key, self.version)
