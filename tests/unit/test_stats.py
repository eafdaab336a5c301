"""The counters of a crawl: by lane, by reason with a few samples, and after being stored."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import stats
from crawler.stats import LaneStats, Stats


def test_a_lane_is_counted_by_its_name():
    counts = Stats()
    counts.lane("a").requests += 1
    counts.lane("a").requests += 1
    assert counts.lanes == {"a": LaneStats(requests=2)}


def test_lanes_beyond_the_limit_are_counted_together(monkeypatch):
    monkeypatch.setattr(stats, "MAX_LANES", 2)
    counts = Stats()
    for name in ("a", "b", "c", "d", "a"):
        counts.lane(name).requests += 1
    assert {name: lane.requests for name, lane in counts.lanes.items()} == {"a": 2, "b": 1, "(others)": 2}


def test_a_few_urls_are_kept_per_reason():
    counts = Stats()
    for number in range(9):
        counts.filter("scope", f"/{number}")
    counts.sample("other", "/x", most=1)
    counts.sample("other", "/y", most=1)
    assert counts.filtered == Counter(scope=9)
    assert counts.samples == {"scope": [f"/{number}" for number in range(5)], "other": ["/x"]}


NUMBERS = st.integers(0, 2**40)
COUNTERS = st.dictionaries(st.text(max_size=5), NUMBERS, max_size=3).map(Counter)


@given(COUNTERS, st.dictionaries(st.integers(100, 999), NUMBERS).map(Counter), NUMBERS, st.booleans())
def test_stored_counts_are_restored(counter, statuses, number, lanes):
    counts = Stats(pages=number, bytes=number, filtered=counter, counters=counter, statuses=statuses)
    counts.lane("a").quotas["default"] = {"limit": number}
    counts.lane("a").waited["pace"] = 1.5
    counts.sample("scope", "/x")
    restored = Stats()
    restored.restore(counts.to_json(lanes=lanes))
    expected = msgspec.structs.replace(
        counts, lanes={"a": LaneStats(quotas={"default": {"limit": number}})} if lanes else {}
    )
    assert restored == expected
    assert {type(restored.statuses), type(restored.filtered), type(restored.counters)} == {Counter}


@pytest.mark.parametrize("data", [b"{}", b'{"pages": 3}'])
def test_counts_that_were_not_stored_are_kept(data):
    counts = Stats(items=2)
    counts.restore(data)
    assert counts.items == 2
