"""Pauses, paces and blocks of lanes, also of those that come later."""

from __future__ import annotations

import math

import pytest
from support.frontiers import HOST, fetched, frontier, pending, pop

OTHER = "http://b.test"


def test_nothing_of_a_paused_lane_starts_until_it_is_resumed() -> None:
    made = frontier(2)
    made.controls.pause(HOST)
    assert made.pop(0.0) == (None, math.inf)
    made.controls.resume(HOST)
    assert made.pop(0.0)[0] is not None


def test_a_pause_of_all_lanes_is_about_those_that_come_later_too() -> None:
    made = frontier(1)
    made.controls.pause(None)
    lane = made.lanes.open(OTHER, epoch=1, head=[pending(1, host=OTHER)], more=False)
    assert lane.is_paused
    made.controls.resume(OTHER)
    assert made.pop(0.0)[0] is not None


def test_a_pace_that_is_changed_holds_from_the_next_start_on() -> None:
    made = frontier(3)
    made.controls.set_pace(HOST, delay=5.0)
    fetched(made, pop(made))
    assert made.pop(1.0) == (None, 5.0)
    with pytest.raises(KeyError):
        made.controls.set_pace(OTHER, delay=1.0)


def test_a_lane_that_is_blocked_waits_and_one_that_is_not_known_is_left_alone() -> None:
    made = frontier(1)
    made.controls.block(HOST, 9.0)
    made.controls.block(OTHER, 99.0)
    assert made.pop(0.0) == (None, 9.0)
    assert made.next_wait() == (9.0, HOST, "pause")
