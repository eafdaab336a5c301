"""`Flight`: the starts of one lane or budget that are not settled, each a `Grant`."""

from __future__ import annotations

import math

from msgspec import Struct

__all__ = ["Flight", "Grant"]


class Grant(Struct, eq=False):
    """One start, which is refunded if nothing was sent, and settled by its result otherwise."""

    at: float
    """When it was counted, in seconds since the epoch."""
    cost: float
    """Units that it takes."""
    before: float = -math.inf
    """When the start before it was counted, in seconds since the epoch."""
    load: int = 1
    """Starts that were not settled when it was counted, with itself."""
    is_out: bool = True
    """Whether its bytes went out, it ended without, or nobody reports when they do."""


class Flight(Struct, eq=False):
    """The grants that are neither refunded nor settled."""

    grants: set[Grant] = set()
    units: float = 0.0
    """Units that they take together."""
    last: float = -math.inf
    """When the latest one was counted, in seconds since the epoch; one that was refunded, too."""

    def __len__(self) -> int:
        return len(self.grants)

    def begin(self, grant: Grant) -> None:
        """Add a grant."""
        self.grants.add(grant)
        self.last = grant.at
        self.units += grant.cost

    def end(self, grant: Grant) -> bool:
        """Remove a grant. Return whether it was there."""
        grants = self.grants
        if grant not in grants:
            return False
        grant.is_out = True
        grants.remove(grant)
        self.units = self.units - grant.cost if grants else 0.0
        return True

    def has_since(self, at: float) -> bool:
        """Return whether one was counted at `at` (seconds since the epoch) or later."""
        return any(grant.at >= at for grant in self.grants)

    def has_before(self, at: float) -> bool:
        """Return whether one was counted before `at` (seconds since the epoch)."""
        return any(grant.at < at for grant in self.grants)

    def last_until(self, at: float) -> float:
        """Return when the last one up to `at` was counted, in seconds since the epoch; minus infinite: none was."""
        return max((grant.at for grant in self.grants if grant.at <= at), default=-math.inf)
