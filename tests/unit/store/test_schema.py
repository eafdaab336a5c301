"""Requests in the rows of a job."""

from __future__ import annotations

import sqlite3
import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.stores import A

from crawler.frontier import lane_name
from crawler.messages import Request
from crawler.store.schema import fingerprint, pack, unpack

NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=5)
VALUES = st.dictionaries(NAMES, st.none() | st.integers(-9, 9) | st.text(max_size=5) | st.lists(st.booleans()))
NUMBERS = st.none() | st.integers(1, 10**9)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "callback": NAMES,
        "errback": NAMES,
        "method": st.sampled_from(["GET", "POST", "PUT"]),
        "headers": st.dictionaries(NAMES, st.text(string.ascii_letters, max_size=5)),
        "body": st.binary(max_size=20),
        "cookies": st.dictionaries(NAMES, NAMES),
        "session": NAMES,
        "auth": st.tuples(NAMES, NAMES),
        "proxy": st.just("http://proxy.test:8080/"),
        "meta": VALUES,
        "priority": st.integers(-(2**63) + 1, 2**63 - 1),
        "dont_filter": st.booleans(),
        "ignore_robots": st.booleans(),
        "lane": NAMES,
        "quotas": st.dictionaries(NAMES, st.floats(0.5, 10)),
        "accept_status": st.lists(st.integers(100, 599), unique=True),
        "timeout": st.floats(0.5, 1000),
        "attempts": NUMBERS,
        "max_body": NUMBERS,
        "plugins": VALUES,
    },
)
HOSTS = st.sampled_from([A, "https://a.test:8443", "http://[::1]:9", "http://a.test.example"])
PATHS = st.text(string.ascii_letters + string.digits + "/?=&%.:", max_size=30)


@given(
    host=HOSTS, path=PATHS, fields=FIELDS, depth=st.integers(0, 99), redirects=st.lists(st.just(A + "/"), max_size=2)
)
def test_a_request_survives_the_round_trip_through_a_row(
    host: str, path: str, fields: dict[str, Any], depth: int, redirects: list[str]
) -> None:
    try:
        request = Request(f"{host}/{path}", **fields).replace(depth=depth, redirects=tuple(redirects))
    except ValueError:
        return  # no URL
    lane = lane_name(request)
    database = sqlite3.connect(":memory:")
    place = (-request.priority, 7)
    row = database.execute("SELECT ?, ?, ?, ?, ?, ?, NULL, NULL", (*place, *pack(request, lane))).fetchone()
    database.close()
    pending = unpack(lane, row)
    assert pending.request == request
    assert (pending.order, pending.group, pending.attempts) == (place, lane, 0)


def test_a_plain_request_takes_no_more_space_than_its_path() -> None:
    assert pack(Request(f"{A}/shelf/1?page=2"), A) == ("/shelf/1?page=2", 0, None, None)


def test_fingerprints_use_the_full_range_of_sqlite_integers() -> None:
    prints = [fingerprint(str(n)) for n in range(1000)]
    assert len(set(prints)) == 1000
    assert min(prints) < -(2**62)
    assert max(prints) > 2**62
    assert all(-(2**63) <= number < 2**63 for number in prints)
