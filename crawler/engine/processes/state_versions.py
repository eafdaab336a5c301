"""`StateVersions`: the committed changes of the spider's state, and which callbacks ran without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from crawler.engine.processes import wire
from crawler.hooks.page_effects import MISSING

if TYPE_CHECKING:
    from crawler.hooks.state import State

__all__ = ["StateVersions"]


class StateVersions:
    """The state of the spider, as the processes for callbacks have to know it. Each change has a version.

    Parameters:
        state: That of the first process.
    """

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
        """Return whether a callback has read a value that another page has changed meanwhile.

        Parameters:
            reads: See `wire.Handled.reads`.
        """
        for key, version in reads.items():
            if version < (self._version if key == wire.ALL_KEYS else self._changed_at.get(key, 0)):
                return True
        return False

    def effects(self, packed: dict[str, bytes | None]) -> dict[str, tuple[Any, Any]]:
        """Return changes of a callback as `PageEffects.state` has those of one owner."""
        return {key: (MISSING if data is None else msgspec.json.decode(data), MISSING) for key, data in packed.items()}
