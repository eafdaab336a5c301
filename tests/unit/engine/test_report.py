"""`Report` and `Timer`: counts, JSON and exit codes."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import ConfigError, Report
from crawler.engine.report import Timer, tolerated
from crawler.stats import Stats


def report(**fields: Any) -> Report:
    stats = Stats(pages=fields.pop("pages", 10), failed=fields.pop("failed", 0), statuses=Counter({404: 1, 200: 9}))
    stats.lane("https://site.test").requests = 10
    return Timer(100.0).report(stats, now=102.5, finished="finished", spider="shop", **fields)


@each(
    ("fields", "tolerate", "code"),
    [
        ({}, "0", 0),
        ({"failed": 1}, "0", 4),
        ({"failed": 1}, "1", 0),
        ({"failed": 2}, "1", 4),
        ({"pages": 95, "failed": 5}, "5%", 0),
        ({"pages": 94, "failed": 6}, "5%", 4),
        ({"failed": 9, "stopped_by_limit": True}, "0", 3),
        ({"failed": 9, "stopped_by_limit": True, "interrupted": True}, "0", 130),
        ({"problems": ["too few"]}, "0", 1),
        ({"problems": ["too few"], "failed": 9, "stopped_by_limit": True}, "0", 1),
        ({"problems": ["too few"], "interrupted": True}, "0", 130),
    ],
)
def test_the_exit_code(fields: dict[str, Any], tolerate: str, code: int) -> None:
    assert report(**fields).exit_code(tolerate) == code


@pytest.mark.parametrize("text", ["", "x", "-1", "5%%", "101%", "nan", "inf", "-5%"])
def test_the_tolerance_is_a_number_or_a_share(text: str) -> None:
    with pytest.raises(ConfigError, match="not a number of failures, nor a share of them"):
        report().exit_code(text)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_number_is_tolerated_as_it_is(number: int, requests: int) -> None:
    assert tolerated(f" {number} ", requests) == number


@given(st.integers(0, 100), st.integers(0, 10**6))
def test_a_share_is_one_of_the_requests(percent: int, requests: int) -> None:
    assert tolerated(f"{percent}%", requests) == pytest.approx(requests * percent / 100)


def test_the_json_of_a_report() -> None:
    found = json.loads(report(interrupted=True).to_json())
    assert found == json.loads(json.dumps(report().to_dict())) | {
        "cpu_seconds": found["cpu_seconds"], "peak_rss": found["peak_rss"],
    }  # fmt: skip
    assert list(found["statuses"].items()) == [("200", 9), ("404", 1)]
    assert found["lanes"]["https://site.test"]["requests"] == 10
    assert (found["seconds"], found["finished"]) == (2.5, "finished")
    assert found["peak_rss"] > 1_000_000
    assert not {"interrupted", "stopped_by_limit"} & found.keys()  # the exit code says so


def test_counts_of_earlier_runs_are_named() -> None:
    stats = Stats(pages=3, requests=4)
    timer = Timer(0.0, stats)
    stats.pages += 2
    found = timer.report(stats, now=1.0, finished="finished", spider="shop")
    assert (found.pages, found.earlier) == (5, {"pages": 3, "requests": 4})
    assert Timer(0.0).report(stats, now=1.0, finished="finished", spider="shop").earlier == {}
