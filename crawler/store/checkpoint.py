"""`Checkpoint`: what a job stores of a crawl, in addition to its requests, items, states and cookies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

__all__ = ["EXHAUSTED_NOTE", "STATS_NOTE", "Checkpoint"]

STATS_NOTE: Final = "note:stats"
NETWORKS_NOTE: Final = "note:networks"
ORIGINS_NOTE: Final = "note:origins"
EXHAUSTED_NOTE: Final = "note:exhausted"
CLOCK_NOTE: Final = "note:clock"
BUDGETS_NOTE: Final = "note:budgets"


class Checkpoint(Struct, frozen=True, kw_only=True):
    """Values of the crawl as a whole. `None` leaves the value of an earlier checkpoint unchanged."""

    stats: bytes | None = None
    """The counts so far, as `Stats.to_json` writes them."""
    networks: bytes | None = None
    """The networks that the crawl may connect to, as `AddressGuard.take_unsaved` writes them."""
    origins: bytes | None = None
    """The origins of start pages, as `StartOrigins.take_unsaved` writes them."""
    exhausted: bool = False
    """Whether `start()` is exhausted and all its requests are stored."""
    clock: float | None = None
    """A time that the clock of the crawl has reached, in seconds since the epoch."""
    budgets: dict[str, Any] | None = None
    """The state of each budget, and of each lane without a row in the store, by name."""

    def to_rows(self) -> dict[str, bytes]:
        """Return the rows of the table ``meta`` to write: values by name."""
        rows: dict[str, bytes] = {}
        if self.stats is not None:
            rows[STATS_NOTE] = self.stats
        if self.networks is not None:
            rows[NETWORKS_NOTE] = self.networks
        if self.origins is not None:
            rows[ORIGINS_NOTE] = self.origins
        if self.exhausted:
            rows[EXHAUSTED_NOTE] = b"true"
        if self.clock is not None:
            rows[CLOCK_NOTE] = msgspec.json.encode(self.clock)
        if self.budgets is not None:
            rows[BUDGETS_NOTE] = msgspec.json.encode(self.budgets)
        return rows

    @classmethod
    def from_rows(cls, rows: Mapping[str, Any]) -> Checkpoint:
        """Return the checkpoint of a job."""
        notes = {name: bytes(value) for name, value in rows.items() if name.startswith("note:")}
        clock, budgets = notes.get(CLOCK_NOTE), notes.get(BUDGETS_NOTE)
        return cls(
            stats=notes.get(STATS_NOTE),
            networks=notes.get(NETWORKS_NOTE),
            origins=notes.get(ORIGINS_NOTE),
            exhausted=EXHAUSTED_NOTE in notes,
            clock=None if clock is None else msgspec.json.decode(clock, type=float),
            budgets=None if budgets is None else msgspec.json.decode(budgets, type=dict[str, Any]),
        )
