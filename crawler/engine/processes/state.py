"""The state of the spider in several processes: changes have versions.

Rule: a callback that has read an older value than the present one runs again. So ``state["n"] += 1`` loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from crawler.engine.processes import wire
from crawler.engine.processes.remote_crawl import page_number
from crawler.hooks.page_effects import MISSING
from crawler.hooks.state import State

__all__ = ["ReadState", "StateVersions"]


class ReadState(State):
    """The state in a process for callbacks, which notes what each page has read of it, and when."""

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


class StateVersions:
    """The changes of the state of the first process, as the others have to know them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._version = 0
        self._changed_at: dict[str, int] = {}

    def whole(self) -> wire.StateChange:
        """Return the message with all values."""
        return wire.StateChange(
            self._version, {key: msgspec.json.encode(value) for key, value in self._state.values_now.items()}
        )

    def change(self, changed: dict[str, Any]) -> wire.StateChange:
        """Note changes that have taken effect, and return the message about them."""
        self._version += 1
        self._changed_at |= dict.fromkeys(changed, self._version)
        return wire.StateChange(
            self._version, {key: None if data is MISSING else data for key, data in changed.items()}
        )

    def is_outdated(self, reads: dict[str, int]) -> bool:
        """Return whether a callback with these `wire.Effects.reads` has read a value that has changed meanwhile."""
        for key, version in reads.items():
            if version < (self._version if key == wire.ALL_KEYS else self._changed_at.get(key, 0)):
                return True
        return False

    def effects(self, packed: dict[str, bytes | None]) -> dict[str, tuple[Any, Any]]:
        """Return changes of a callback as `PageEffects.state` has those of one owner."""
        return {key: (MISSING if data is None else msgspec.json.decode(data), MISSING) for key, data in packed.items()}
