"""The state of a throttle in job format 1 and in a client's state file, spelled out: later versions must restore it."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from crawler.limits.pace import Pace
from crawler.limits.registry import Limits
from crawler.limits.throttle import Throttle
from crawler.settings import Settings

NOW = 1_700_000_000.0

STATE: dict[str, Any] = {
    "next_start": 1700000002.5,
    "interval": 2.0,
    "rates": [1700000001.5],
    "governor": {
        "gate": 1700000001.0,
        "refused": [1700000003.0, 1.0],
        "quotas": {
            "daily": {
                "limit": 100.0,
                "window": 86400.0,
                "left": 40.0,
                "lo": 1700000500.0,
                "hi": 1700000501.0,
                "heard": 1699999990.0,
                "pad": 1.0,
                "others": 0.02,
                "fixed": 2,
                "declared": [True, True, True],
            },
            "tokens": {
                "unit": "tokens",
                "limit": 90000.0,
                "window": 60.0,
                "rate": 1500.0,
                "left": 50000.0,
                "lo": 1700000010.0,
                "hi": 1700000011.0,
                "heard": 1699999990.0,
                "price": 1200.0,
                "continuous": 3,
                "flows": False,
                "declared": [True, False, True],
            },
            "hidden": {
                "limit": 7.0,
                "window": 60.0,
                "left": 4.0,
                "lo": 1700000040.0,
                "hi": 1700000041.0,
                "heard": 1699999980.0,
                "learned": [3.0, 1699999980.0, 1, 5, True, True],
            },
        },
    },
    "concurrency": {"level": 4.0, "first_byte": 0.25, "broke": 6.0, "retry": 20.0},
    "failures": {"share": 0.2},
    "dialect": {"verdicts": {"x-ratelimit-reset": "milliseconds"}, "skew": [-0.5, 0.75]},
}


@pytest.fixture
def throttle() -> Throttle:
    pace = Pace(delay=2.0, rate="60/min").over(Settings().pace("a.test"))
    return Throttle("https://a.test", pace, random.Random(1))


def test_a_saved_state_is_restored_and_saved_with_the_same_keys(throttle: Throttle) -> None:
    throttle.restore(copy.deepcopy(STATE))
    assert throttle.state() == STATE


def test_that_units_return_before_the_reset_is_saved_by_earlier_versions_and_assumed_now(throttle: Throttle) -> None:
    state = copy.deepcopy(STATE)
    state["governor"]["quotas"]["tokens"]["flows"] = True
    throttle.restore(state)
    del state["governor"]["quotas"]["tokens"]["flows"]
    assert throttle.state() == state


def test_a_restored_state_is_obeyed(throttle: Throttle) -> None:
    throttle.restore(copy.deepcopy(STATE))
    assert throttle.ready_at(NOW, backlog=1) == 1700000003.0
    assert throttle.blocked_by == "refusal"
    assert throttle.concurrency.limit == 4
    throttle.take(1700000003.0)
    assert throttle.ready_at(1700000006.0) == float("inf")  # one probe goes first


def test_the_policies_of_a_restored_state_are_reported_with_the_same_keys(throttle: Throttle) -> None:
    throttle.restore(copy.deepcopy(STATE))
    assert throttle.policies() == {
        "daily": {
            "limit": 100.0,
            "remaining": 40.0,
            "window": 86400.0,
            "reset_at": 1700000501.0,
            "kind": "fixed",
            "others": 0.02,
            "pad": 1.0,
        },
        "tokens": {
            "unit": "tokens",
            "limit": 90000.0,
            "remaining": 50000.0,
            "window": 60.0,
            "rate": 1500.0,
            "reset_at": 1700000011.0,
            "kind": "continuous",
        },
        "hidden": {
            "limit": 7.0,
            "remaining": 4.0,
            "window": 60.0,
            "reset_at": 1700000041.0,
            "kind": "unknown",
        },
    }


def test_restored_verdicts_and_clock_skew_apply_to_the_next_response(throttle: Throttle) -> None:
    throttle.restore(copy.deepcopy(STATE))
    headers = [("X-RateLimit-Limit", "60"), ("X-RateLimit-Remaining", "5"), ("X-RateLimit-Reset", "30000")]
    [stated] = throttle.read(headers, status=200, sent=NOW, received=NOW + 0.1).observations
    assert stated.reset == pytest.approx((NOW + 29.999, NOW + 30.1), abs=0.001)


def test_a_learned_leaky_bucket_keeps_its_rate(throttle: Throttle) -> None:
    bucket = {"limit": 38.0, "window": 10.0, "rate": 3.8, "heard": 1699999990.0,
              "learned": [12.0, 1699999980.0, 2, 0, True, True]}  # fmt: skip
    throttle.restore({"governor": {"quotas": {"undeclared": bucket}}})
    assert throttle.policies()["undeclared"]["rate"] == 3.8
    saved = throttle.state()["governor"]["quotas"]["undeclared"]
    assert saved == bucket | {"learned": [12.0, None, 2, 0, True, True]}


def test_the_state_of_limits_is_a_dictionary_of_these_states_by_name() -> None:
    limits = Limits()
    limits.restore({"https://a.test": copy.deepcopy(STATE)})
    assert limits.throttle("https://a.test", Settings(delay=2.0).pace).policies()["daily"]["remaining"] == 40.0
