from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from crawler.store import sqlite_lanes
from crawler.store.sqlite_lanes import SqliteLanes


@pytest.fixture
def lanes() -> Iterator[SqliteLanes]:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE lane (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
        database.execute("CREATE TABLE pending (lane INTEGER)")
        yield SqliteLanes(database, 3)


def test_a_lane_keeps_its_number_when_it_has_left_memory(lanes: SqliteLanes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_lanes, "MAX_LANES", 2)
    numbers = [lanes.number(name) for name in "abcde"]
    assert len(set(numbers)) == 5
    assert [lanes.number(name) for name in "abcde"] == numbers


def test_a_lane_is_held_under_its_last_lease_only(lanes: SqliteLanes) -> None:
    number = lanes.number("a")
    first = lanes.lease(number, "a")
    assert lanes.held("a", first) == number
    lanes.release(number)
    assert lanes.held("a", first) is None
    assert lanes.lease(number, "a") > first
    assert lanes.held("a", first) is None
    assert lanes.held("unknown", first) is None


def test_lanes_with_requests_are_found_in_their_order_unless_they_are_leased(lanes: SqliteLanes) -> None:
    one, two, three = (lanes.number(name) for name in "abc")
    lanes.lease(two, "b")
    assert [lanes.note_requests(number) for number in (three, two, one)] == [False, True, False]
    assert lanes.find_unleased(1) == [three]
    assert lanes.find_unleased(9) == [one]
    assert not lanes.has_unleased
