"""`Flight`: what one scope has in flight, each request by its `Grant`."""

from __future__ import annotations

import math

import attrs

__all__ = ["Flight", "Grant"]


@attrs.define(eq=False)
class Grant:
    """One start: given back if nothing was sent, settled by what came of it otherwise."""

    at: float
    """Seconds since the epoch."""
    cost: float
    """Units that it takes."""
    before: float = -math.inf
    """Seconds since the epoch: the start before it."""


@attrs.define(eq=False)
class Flight:
    """The grants of a scope that are neither given back nor settled."""

    grants: set[Grant] = attrs.field(factory=set, init=False)
    units: float = attrs.field(default=0.0, init=False)
    """Units that they take together."""

    def __len__(self) -> int:
        return len(self.grants)

    def begin(self, grant: Grant) -> None:
        """One more."""
        self.grants.add(grant)
        self.units += grant.cost

    def end(self, grant: Grant) -> bool:
        """One less; whether it was there."""
        grants = self.grants
        if grant not in grants:
            return False
        grants.remove(grant)
        self.units = self.units - grant.cost if grants else 0.0
        return True

    def has_since(self, at: float) -> bool:
        """Whether one began then (seconds since the epoch) or later."""
        return any(grant.at >= at for grant in self.grants)

    def has_before(self, at: float) -> bool:
        """Whether one began before that."""
        return any(grant.at < at for grant in self.grants)

    def first_since(self, at: float) -> float:
        """Seconds since the epoch: when the first of those began; infinite: there is none."""
        return min((grant.at for grant in self.grants if grant.at >= at), default=math.inf)

    def last_until(self, at: float) -> float:
        """Seconds since the epoch: when the last one began that did so until then; minus infinite: there is none."""
        return max((grant.at for grant in self.grants if grant.at <= at), default=-math.inf)
