"""Quotas that a server names by an id, which several lanes share."""

from __future__ import annotations

import pytest

from crawler.limits.headers.declared import Observation
from crawler.limits.in_flight import Flight, Grant
from crawler.limits.quotas import shared_quotas
from crawler.limits.quotas.declared_quota import DeclaredQuota
from crawler.limits.quotas.shared_quotas import Flights, find_shared

NOW = 1_800_000_000.0


def stated(left: float, end: float = 5.0) -> Observation:
    return Observation(policy="b1a2c3d4", limit=5.0, remaining=left, reset=(NOW + end - 0.1, NOW + end), has_id=True)


class Lanes:
    """Two lanes, each with what it takes for its quota."""

    def __init__(self) -> None:
        self.known: dict[str, DeclaredQuota] = {}
        self.flights = [Flight(), Flight(), Flight()]
        self.quotas = [DeclaredQuota(name="b1a2c3d4") for _ in self.flights]

    def response(self, lane: int, left: float, *, at: float, end: float = 5.0) -> None:
        observation = stated(left, end)
        self.quotas[lane] = find_shared(self.known, self.quotas[lane], observation, self.flights[lane])
        self.quotas[lane].observe(observation, sent=NOW + at, received=NOW + at + 0.1)

    @property
    def joined(self) -> bool:
        return self.quotas[0] is self.quotas[1]


def test_a_lane_joins_the_quota_of_another_one_whose_units_its_requests_use():
    lanes = Lanes()
    lanes.response(0, 4, at=0.0)
    lanes.response(1, 3, at=0.2)
    assert not lanes.joined
    lanes.response(0, 2, at=0.4)
    lanes.response(1, 1, at=0.6)
    assert lanes.joined
    assert lanes.quotas[1].remaining == 1


@pytest.mark.parametrize(("left", "end"), [((4, 3), 5.0), ((3, 1), 9.0)], ids=["other units", "another window"])
def test_the_same_name_alone_joins_no_lanes(left, end):
    """Each channel of Discord has a bucket of that name."""
    lanes = Lanes()
    lanes.response(0, 4, at=0.0)
    lanes.response(1, left[0], at=0.2, end=end)
    lanes.response(0, 3, at=0.4)
    lanes.response(1, left[1], at=0.6, end=end)
    assert not lanes.joined


def test_requests_in_flight_of_every_lane_count():
    lanes = Lanes()
    lanes.response(0, 4, at=0.0)
    lanes.flights[0].begin(Grant(NOW + 0.1, 1.0))
    lanes.response(1, 2, at=0.2)
    lanes.response(1, 1, at=0.4)
    assert not lanes.joined
    lanes.quotas[0].observe(stated(0), sent=NOW + 0.1, received=NOW + 0.6)
    flights = Flights(lanes.flights[:2])
    lanes.flights[1].begin(Grant(NOW + 0.7, 2.0))
    assert (len(flights), flights.units, flights.last) == (2, 3.0, NOW + 0.7)
    assert flights.has_since(NOW + 0.7)
    assert not flights.has_since(NOW + 0.8)


def test_a_lane_that_has_long_been_idle_is_dropped_and_comes_back_with_its_next_response():
    old, new = Flight(), Flight()
    for flight, at in (old, 0.0), (new, shared_quotas.MAX_IDLE + 1.0):
        grant = Grant(NOW + at, 1.0)
        flight.begin(grant)
        flight.end(grant)
    flights = Flights([old])
    flights.add(new)
    assert flights.parts == [new]
    flights.add(old)
    flights.add(old)
    assert flights.parts == [new, old]


def test_a_bounded_number_of_names_is_remembered(monkeypatch):
    monkeypatch.setattr(shared_quotas, "MAX_QUOTAS", 2)
    known: dict[str, DeclaredQuota] = {}
    for name in "abc":
        find_shared(known, DeclaredQuota(name=name), stated(4), Flight())
    assert list(known) == ["b", "c"]
