"""`Budget`: a limit that lanes share, such as what one API key may ask on several hosts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from crawler.limits.throttle import Throttle

if TYPE_CHECKING:
    from crawler.frontier.lane import Lane

__all__ = ["Budget"]


@attrs.define(eq=False)
class Budget:
    """A throttle, and the lanes that wait for it: they are woken one by one, never polled."""

    throttle: Throttle
    """Its limits."""
    parked: dict[Lane, None] = attrs.field(factory=dict)
    """Lanes that may start as soon as this budget allows, first come first."""
    listed: float = math.inf
    """The time under which it stands in the frontier's heap; infinite: it does not."""

    def park(self, lane: Lane) -> None:
        """Lets a lane wait; one that waits already keeps its place."""
        lane.parked = self
        self.parked[lane] = None

    def unpark(self, lane: Lane) -> None:
        """Lets it go."""
        lane.parked = None
        del self.parked[lane]

    def cost(self) -> float | None:
        """What the next start takes; `None`: nobody waits."""
        for lane in self.parked:
            head = lane.head()
            return head.request.quotas.get(self.throttle.name, 1.0) if head is not None else 1.0
        return None
