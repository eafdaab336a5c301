"""`find_shared`: quotas that a server identifies by an id, which apply to several lanes together.

Discord names the quota of a response in ``X-RateLimit-Bucket``. Two lanes with the same bucket use one quota, unless
their requests concern different channels, of which each has such a quota of its own. So a lane joins the quota of
another one if its responses fit: the same window, of which is left what the requests of the other lane have left.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from crawler.limits.headers.declared import Observation
from crawler.limits.in_flight import Flight
from crawler.limits.quotas.declared_quota import DeclaredQuota

__all__ = ["Flights", "find_shared"]

MAX_QUOTAS: Final = 1000
"""Quotas that are remembered by id; a further one replaces the oldest."""
MAX_IDLE: Final = 3600.0
"""Seconds after which a lane without requests is dropped; its next response adds it again."""
MIN_FITTING: Final = 2
"""Consecutive responses that match the quota of another lane before it is joined, at least."""


class Flights(Struct, eq=False):
    """The requests in flight of all lanes that share a quota."""

    parts: list[Flight]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def units(self) -> float:
        """Units that they take together."""
        return sum(part.units for part in self.parts)

    @property
    def last(self) -> float:
        """When the latest one was counted, in seconds since the epoch."""
        return max(part.last for part in self.parts)

    def add(self, flight: Flight) -> None:
        """Add the requests of a lane, unless present, and drop those of lanes that have long been idle."""
        if not any(part is flight for part in self.parts):
            since = flight.last - MAX_IDLE
            self.parts = [*(part for part in self.parts if part or part.last >= since), flight]

    def has_since(self, at: float) -> bool:
        """Return whether one was counted at `at` (seconds since the epoch) or later."""
        return any(part.has_since(at) for part in self.parts)


def find_shared(
    known: dict[str, DeclaredQuota], own: DeclaredQuota, observation: Observation, flight: Flight
) -> DeclaredQuota:
    """Return the quota that a response of a lane states: that of other lanes if it fits, else the lane's own."""
    shared = known.get(own.name)
    if shared is None:
        if len(known) >= MAX_QUOTAS:
            del known[next(iter(known))]
        known[own.name], own.flights = own, Flights([flight])
        return own
    if shared.flights is None:
        return own
    if shared is own:
        shared.flights.add(flight)
        return own
    own.fitting = own.fitting + 1 if _fits(shared, observation, flight) else 0
    if own.fitting < MIN_FITTING:
        return own
    shared.flights.add(flight)
    return shared


def _fits(shared: DeclaredQuota, observation: Observation, flight: Flight) -> bool:
    """Return whether a response of another lane may state a quota, by its window and what is left of it."""
    reset, left = observation.reset, observation.remaining
    if shared.remaining is None or shared.flights is None or reset is None or left is None:
        return False
    same_window = reset[0] <= shared.reset.latest and shared.reset.earliest <= reset[1]
    most = shared.remaining - 1.0
    return same_window and most - shared.flights.units - flight.units <= left <= most
