"""A name that requests wait for is asked for once."""

from __future__ import annotations

import math

from crawler.frontier.holdings import Holdings


def test_the_only_worker_holds_everything_for_good() -> None:
    made = Holdings(lambda: None)
    assert (made.are_shared, made.until, made.wanted) == (False, math.inf, {})


def test_a_name_that_is_wanted_wakes_once() -> None:
    woken: list[str] = []
    made = Holdings(lambda: woken.append("woken"))
    for name in ("a", "b", "a"):
        made.want(name)
    assert list(made.wanted) == ["a", "b"]
    assert len(woken) == 2
