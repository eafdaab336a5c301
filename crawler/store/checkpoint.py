"""`Checkpoint`: what a job keeps of the crawl as a whole, beside its requests, items, states and cookies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

__all__ = ["STATS_NOTE", "Checkpoint"]

STATS_NOTE: Final = "note:stats"
NETWORKS_NOTE: Final = "note:networks"
EXHAUSTED_NOTE: Final = "note:exhausted"
CLOCK_NOTE: Final = "note:clock"
BUDGETS_NOTE: Final = "note:budgets"


@attrs.frozen(kw_only=True)
class Checkpoint:
    """Values of the whole crawl. `None` means that an earlier checkpoint still holds."""

    stats: bytes | None = None
    """The counts so far, as `Stats.to_json` writes them."""
    networks: bytes | None = None
    """The networks that may be connected to, as `AddressGuard.take_unsaved` writes them."""
    exhausted: bool = False
    """Whether `start()` has no more requests, and all that it gave are stored."""
    clock: float | None = None
    """What time it was at least, in seconds since the epoch."""
    budgets: dict[str, Any] | None = None
    """The state of each budget, and of each lane that the store does not know, by name."""

    def to_rows(self) -> dict[str, bytes]:
        """Return the names and values of the table ``meta`` that change."""
        rows: dict[str, bytes] = {}
        if self.stats is not None:
            rows[STATS_NOTE] = self.stats
        if self.networks is not None:
            rows[NETWORKS_NOTE] = self.networks
        if self.exhausted:
            rows[EXHAUSTED_NOTE] = b"true"
        if self.clock is not None:
            rows[CLOCK_NOTE] = msgspec.json.encode(self.clock)
        if self.budgets is not None:
            rows[BUDGETS_NOTE] = msgspec.json.encode(self.budgets)
        return rows

    @classmethod
    def from_rows(cls, rows: Mapping[str, Any]) -> Checkpoint:
        """Return what the table ``meta`` of a job says; names of other rows are ignored.

        Parameters:
            rows: its names and values.

        Raises:
            msgspec.DecodeError: a value is damaged.
        """
        notes = {name: bytes(value) for name, value in rows.items() if name.startswith("note:")}
        clock, budgets = notes.get(CLOCK_NOTE), notes.get(BUDGETS_NOTE)
        return cls(
            stats=notes.get(STATS_NOTE),
            networks=notes.get(NETWORKS_NOTE),
            exhausted=EXHAUSTED_NOTE in notes,
            clock=None if clock is None else msgspec.json.decode(clock, type=float),
            budgets=None if budgets is None else msgspec.json.decode(budgets, type=dict[str, Any]),
        )
