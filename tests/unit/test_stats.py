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
    counts.sample("other", "/x", limit=1)
    counts.sample("other", "/y", limit=1)
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


COUNTS = st.builds(Stats, pages=NUMBERS, items=NUMBERS, filtered=COUNTERS, counters=COUNTERS)


@given(COUNTS, COUNTS)
def test_counts_of_workers_add_up_and_are_subtracted_again(one, other):
    total = Stats()
    total.add(one)
    total.add(other)
    assert (total.pages, total.items) == (one.pages + other.pages, one.items + other.items)
    assert +total.counters == one.counters + other.counters
    total.subtract(other)
    assert (total.pages, +total.filtered, +total.counters) == (one.pages, +one.filtered, +one.counters)


def test_samples_and_lanes_of_workers_are_put_together():
    one, other = Stats(), Stats()
    for counts, quota in ((one, "a"), (other, "b")):
        counts.sample("scope", f"/{quota}")
        counts.lane("x").requests = 2
        counts.lane("x").refusals = 1
        counts.lane("x").waited = {"pace": 1.5}
        counts.lane("x").quotas = {quota: {"limit": 1}}
    one.add(other)
    assert one.samples == {"scope": ["/a", "/b"]}
    quotas = {"a": {"limit": 1}, "b": {"limit": 1}}
    assert one.lanes == {"x": LaneStats(requests=4, refusals=2, waited={"pace": 3.0}, quotas=quotas)}


def test_the_target_of_many_redirects_stays_among_those_that_are_counted():
    stats = Stats()
    for n in range(200):
        stats.redirect(f"https://site.test/old/{n}", f"https://site.test/new/{n}")
        stats.redirect(f"https://site.test/order/{n}", f"https://site.test/login?next=/order/{n}")
    assert stats.redirected["https://site.test/login"] == 200
    assert (len(stats.redirected), stats.redirects) == (50, 400)
    assert stats.redirected_from.keys() == stats.redirected.keys()
    kept = Stats()
    kept.restore(stats.to_json(lanes=True))
    assert (kept.redirected, kept.redirected_from) == (stats.redirected, stats.redirected_from)
