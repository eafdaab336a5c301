"""Whole limits against simulated servers that declare their quotas: windows and buckets. See `test_scenarios`."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
from support.scenarios import (
    BURST,
    LEAST,
    QUICK,
    SEEDS,
    N,
    Q,
    W,
    aligned,
    efficiency,
    fixed,
    rate,
    refusals,
    runs,
)
from support.server_limits import FixedWindow, Limit, SlidingCounter, SlidingLog, TokenBucket
from support.simulator import START, Declaration, Server, Simulation, limits_of, simulate_throttle

ROUNDINGS = ["ceil", "floor", "exact"]


@pytest.mark.parametrize("window", [True, False], ids=["window-stated", "window-not-stated"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_1_a_fixed_window(rounding, window):
    """A server that states no window and rounds down refuses once.

    Its resets, a second early, look like those of a window aligned to the clock.
    """
    made = runs(fixed, declaration=lambda: Declaration(rounding=rounding, window=window))
    assert refusals(made) <= (rounding == "floor" and not window)
    assert efficiency(made) >= 0.98


@pytest.mark.parametrize("mode", ["burst", "smooth"])
def test_1_a_fixed_window_in_the_other_modes(mode):
    """In smooth mode the last window is spread as well, so the shortest time is five windows."""
    made = runs(fixed, mode=mode)
    assert refusals(made) == 0
    assert efficiency(made, LEAST if mode == "burst" else 5 * W) >= 0.98


def test_1_a_window_aligned_to_the_clock():
    """The first window is only a part of one, whose length depends on the seed."""
    made = runs(aligned)
    assert refusals(made) == 0
    least = [W - (START + run.server.limits[0].phase) % W + 3 * W + BURST for run in made]
    assert median(time / run.took for time, run in zip(least, made, strict=True)) >= 0.98


def test_1_an_endless_backlog_uses_the_quota_up():
    made = runs(fixed, count=math.inf, horizon=5 * W)
    assert refusals(made) == 0
    assert min(len(run.server.served) for run in made) >= 0.97 * 5 * Q


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "no-reset"])
def test_1_a_server_that_states_no_reset(reset):
    """Without a reset the phase is unknown: requests are spread at the average rate, over at least five windows."""
    made = runs(fixed, declaration=lambda: Declaration(reset=reset))
    assert refusals(made) == 0
    assert efficiency(made, LEAST if reset else 5 * W) >= 0.98


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_1_a_short_window(rounding):
    """Twenty per five seconds.

    A server that rounds down refuses once: in so short a window a second of caution would cost more.
    """
    made = runs(
        lambda rng: [FixedWindow(quota=20, window=5.0)],
        declaration=lambda: Declaration(rounding=rounding),
        count=100,
        server={"latency": lambda rng, now, inflight: rng.uniform(0.002, 0.006)},
    )
    assert refusals(made) <= (rounding == "floor")
    assert efficiency(made, 20.0) >= 0.97


@pytest.mark.parametrize("window", [True, False], ids=["window-stated", "window-not-stated"])
@pytest.mark.parametrize("rounding", ["ceil", "floor"])
@pytest.mark.parametrize("limits", [fixed, aligned])
def test_2_epoch_seconds_of_a_clock_that_differs(limits, rounding, window):
    """Our clock is up to 90 s off, and a third of the responses has no ``Date``.

    A server with clock-aligned windows that rounds down refuses once: each end that it states is up to a second early,
    and our first request does not show that. A client that always waited a second longer would lose it at every other
    server.
    """
    made = []
    for seed in SEEDS:
        rng = random.Random(seed)
        declaration = Declaration(epoch=True, rounding=rounding, window=window, date=lambda number: number % 3 != 0)
        server = Server(limits=limits(rng), declaration=declaration)
        run = Simulation(server=server, throttle=limits_of(rng), rng=rng, skew=rng.uniform(-90, 90))
        made.append(run.run())
    assert refusals(made) <= (limits is aligned and rounding == "floor")
    least = [LEAST if limits is fixed else W - (START + run.server.limits[0].phase) % W + 3 * W + BURST for run in made]
    assert median(time / run.took for time, run in zip(least, made, strict=True)) >= 0.97


@pytest.mark.parametrize("rounding", ["ceil", "floor"])
@pytest.mark.parametrize("q", [2, 4])
def test_2_windows_of_a_second_whose_ends_are_whole_seconds_of_a_clock(q, rounding):
    """The end of one window may be that of a window of two seconds; the ends of several together are not.

    The exception is a window that begins almost exactly at a second of the clock: both lengths fit all its ends.
    """
    took = []
    for seed in SEEDS:
        rng = random.Random(seed)
        declaration = Declaration(epoch=True, window=False, rounding=rounding)
        server = Server(limits=[FixedWindow(quota=q, window=1.0)], declaration=declaration, **QUICK)
        run = simulate_throttle(server, rng=rng, count=100, begin=START + rng.uniform(0, 10))
        assert len(server.refused) <= (rounding == "floor")
        took.append(run.took / (100 / q - 1))
    assert sorted(took)[-2] <= 1.1
    assert max(took) <= 2.1


@pytest.mark.parametrize("mode", ["auto", "burst"])
@pytest.mark.parametrize(
    "limits",
    [
        lambda rng: [SlidingLog(quota=Q, window=W)],
        lambda rng: [SlidingCounter(quota=Q, window=W, phase=rng.random() * W)],
    ],
    ids=["log", "counter"],
)
def test_3_sliding_windows(limits, mode):
    """In steady state, from the third window on, 95 % of the quota is used."""
    made = runs(limits, mode=mode, count=math.inf, horizon=10 * W)
    assert refusals(made) <= 2
    assert min(rate(run, 2 * W, 10 * W) for run in made) >= 0.95 * Q / W


def brief(limits: Callable[[], Limit], **declaration: Any) -> list[Simulation]:
    """Run a hundred requests to a quick server that allows twenty per five seconds and states epoch seconds."""
    made = []
    for seed in SEEDS:
        rng = random.Random(seed)
        server = Server(limits=[limits()], declaration=Declaration(epoch=True, window=False, **declaration), **QUICK)
        begin = START + rng.uniform(0, 10)
        run = Simulation(server=server, throttle=limits_of(rng), rng=rng, count=100, begin=begin)
        made.append(run.run())
    return made


def test_3_a_short_sliding_log_that_states_whole_seconds():
    """The last batch can start four windows after the first at the earliest; a second lost to rounding would show."""
    made = brief(lambda: SlidingLog(quota=20, window=5.0))
    assert refusals(made) == 0
    assert max(run.took for run in made) <= 1.1 * 4 * 5.0


@pytest.mark.parametrize(("quota", "window"), [(14, 20.0), (12, 24.5)])
def test_3_a_sliding_log_whose_length_is_not_known_is_tried_once_before_the_stated_end(quota, window):
    """Units return in bunches, as they were used: at an even rate most requests would come before their units."""
    made = brief(lambda: SlidingLog(quota=quota, window=window), rounding="exact")
    assert refusals(made) <= 1


def test_3_a_short_fixed_window_whose_reset_is_stated_a_second_late():
    """The first window costs that second; then its common length is known."""
    made = brief(lambda: FixedWindow(quota=20, window=5.0), rounding="exact", late=1.0)
    assert refusals(made) == 0
    assert max(run.took for run in made) <= 1.1 * 4 * 5.0


def test_3_a_short_fixed_window_that_is_a_second_longer_than_a_common_one():
    """It looks like a reset that is stated late; one refusal shows that it is not."""
    made = brief(lambda: FixedWindow(quota=20, window=6.0), rounding="exact")
    assert refusals(made) <= 1
    assert max(run.took for run in made) <= 1.05 * 4 * 6.0


@pytest.mark.parametrize("full", [False, True], ids=["time-to-next", "time-to-full"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_4_token_buckets(rounding, full):
    """The stated reset is the time to the next token, or the time to full."""
    made = runs(
        lambda rng: [TokenBucket(quota=Q, window=W, states_time_to_full=full)],
        declaration=lambda: Declaration(rounding=rounding),
    )
    assert refusals(made) == 0
    assert efficiency(made, (N - Q) * W / Q) >= 0.97
