"""Saving a quota for the next run, and loading it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.limits.headers.declared import Observation
from crawler.limits.learning.leaky_bucket import LeakyBucketQuota
from crawler.limits.learning.persistence import load_quota, save_quota
from crawler.limits.learning.undeclared import UndeclaredQuota
from crawler.limits.quotas.declared_quota import DeclaredQuota
from crawler.limits.quotas.window import Window

NOW = 1_800_000_000.0


def declared(**values: Any) -> DeclaredQuota:
    quota = DeclaredQuota(name="p", unit=values.get("unit", "requests"))
    stated = Observation(policy="p", limit=60.0, remaining=12.0, reset=(NOW + 59, NOW + 60), window=60.0, **values)
    quota.observe(stated, sent=NOW, received=NOW + 0.1)
    return quota


def round_trip(quota: DeclaredQuota) -> DeclaredQuota:
    loaded = load_quota(quota.name, json.loads(json.dumps(save_quota(quota), allow_nan=False)))
    assert loaded is not None
    return loaded


@pytest.mark.parametrize("quota", [declared(), declared(unit="tokens"), declared(rate=2.0), DeclaredQuota(name="p")])
def test_a_restored_quota_equals_the_saved_one(quota):
    loaded = round_trip(quota)
    assert type(loaded) is DeclaredQuota
    assert loaded.report() == quota.report()
    assert save_quota(loaded) == save_quota(quota)


def test_a_learned_quota_continues_in_its_window():
    quota = UndeclaredQuota(name="undeclared", limit=3.0, window=Window(60.0))
    for second in range(2):
        quota.record_unreported(sent=NOW + second, received=NOW + second)
    loaded = round_trip(quota)
    assert isinstance(loaded, UndeclaredQuota)
    assert (loaded.used, loaded.opened_at, loaded.remaining) == (2.0, NOW, 1.0)
    assert not loaded.is_confirmed()


def test_a_confirmed_quota_stays_confirmed():
    quota = UndeclaredQuota(name="undeclared", limit=3.0, window=Window(60.0), total=100.0)
    quota.record_unreported(sent=NOW, received=NOW)
    assert round_trip(quota).is_confirmed()


def test_requests_of_the_earlier_run_are_not_in_the_log():
    loaded = round_trip(declared())
    assert not loaded.log.is_complete(NOW + 30, 60.0)
    assert loaded.log.is_complete(NOW + 61, 60.0)


@pytest.mark.parametrize(
    "saved",
    [
        None,
        [],
        "x",
        {"lo": 5.0, "hi": 4.0},
        {"learned": []},
        {"learned": [1.0, 2.0, 0, 0, True, True]},  # without limit and window
        {"learned": [1.0, 2.0, 0, 0, "yes", True], "limit": 5.0, "window": 60.0},
    ],
)
def test_unreadable_values_restore_no_quota(saved):
    assert load_quota("p", saved) is None


def test_a_rate_makes_a_learned_quota_a_leaky_bucket():
    saved = {"learned": [1.0, NOW, 2, 0, True, True], "limit": 5.0, "window": 10.0, "rate": 0.5}
    assert isinstance(load_quota("p", saved), LeakyBucketQuota)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.floats())
KEYS = ["unit", "limit", "window", "rate", "left", "lo", "hi", "heard", "pad", "others", "price", "fixed",
        "continuous", "flows", "declared", "learned"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_no_values_break_it(saved):
    quota = load_quota("p", saved)
    if quota is not None:
        at = quota.ready_at(NOW, cost=1.0, inflight=0.0, in_flight_since=lambda since: False)
        assert not math.isnan(at)
        json.dumps([quota.report(), save_quota(quota)], allow_nan=False)
