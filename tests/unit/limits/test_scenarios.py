"""Whole limits against simulated servers: how many requests are refused, and how long a crawl takes.

The efficiency of a run is the shortest possible time for a client that knows the server, divided by the time taken.
Unless stated otherwise, 300 requests go to a server that allows 60 per minute and responds in 50 to 150 ms, with ten in
flight at once. Every test runs with five seeds, and with twenty in the hypothesis profile ``thorough``.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import os
import random
from collections.abc import Callable
from statistics import mean, median
from typing import Any

import attrs
import pytest
from support.simulator import (
    START,
    AlignedWindow,
    Decision,
    Declaration,
    FixedWindow,
    Limit,
    Server,
    Simulation,
    SlidingCounter,
    SlidingLog,
    TokenBucket,
    limits_of,
    simulate_throttle,
)

from crawler.limits.concurrency import Concurrency
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import AttemptReport, Declared
from crawler.limits.in_flight import Grant
from crawler.limits.throttle import Throttle

SEEDS = range(20 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 5)
Q, W, N, LANE = 60, 60.0, 300, 10
BURST = 0.6  # seconds of the last window: 60 requests, ten at a time, 100 ms each
LEAST = (N / Q - 1) * W + BURST


def fixed(rng: random.Random) -> list[Limit]:
    return [FixedWindow(quota=Q, window=W)]


def aligned(rng: random.Random) -> list[Limit]:
    return [AlignedWindow(quota=Q, window=W, phase=rng.random() * W)]


def runs(
    limits: Callable[[random.Random], list[Limit]],
    *,
    declaration: Callable[[], Declaration] = Declaration,
    server: dict[str, Any] | None = None,
    mode: Any = "auto",
    **run: Any,
) -> list[Simulation]:
    """Return one run per seed."""
    made = []
    for seed in SEEDS:
        rng = random.Random(seed)
        peer = Server(limits=limits(rng), declaration=declaration(), **(server or {}))
        made.append(Simulation(server=peer, throttle=limits_of(rng, mode=mode), rng=rng, **run).run())
    return made


def refusals(made: list[Simulation]) -> int:
    """Return the largest number of refusals in one run."""
    return max(len(run.server.refused) for run in made)


def efficiency(made: list[Simulation], least: float = LEAST) -> float:
    return median(least / run.took for run in made)


def rate(run: Simulation, begin: float, end: float) -> float:
    """Return the requests served per second between two times."""
    return sum(begin < at <= end for at in run.server.served) / (end - begin)


def longest_pause(run: Simulation) -> float:
    served = [0.0, *run.server.served]
    return max(after - before for before, after in itertools.pairwise(served))


# ---- 1: a known fixed window -----------------------------------------------------------------------------------------

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


# ---- 2: epoch seconds, and clocks that differ ------------------------------------------------------------------------


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


# ---- 3: sliding windows ----------------------------------------------------------------------------------------------


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


QUICK = {"latency": lambda rng, now, inflight: rng.uniform(0.002, 0.006)}


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


# ---- 4: token buckets ------------------------------------------------------------------------------------------------


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


# ---- 5: several policies ---------------------------------------------------------------------------------------------

TWO = 4 * 50.0 + 10.0 + 0.2  # the last sixty take three windows of five seconds


def several(rng: random.Random) -> list[Limit]:
    return [
        FixedWindow(quota=20, window=5.0, name="burst"),
        FixedWindow(quota=60, window=50.0, name="minute"),
        FixedWindow(quota=500, window=86400.0, name="day"),
    ]


@pytest.mark.parametrize("count", [2, 3])
def test_5_several_policies(count):
    made = runs(lambda rng: several(rng)[:count])
    assert refusals(made) == 0
    assert efficiency(made, TWO) >= 0.95


def test_5_a_hidden_policy():
    made = runs(several, declaration=lambda: Declaration(hidden=frozenset(["minute", "day"])))
    assert refusals(made) <= LANE + 3
    assert efficiency(made, TWO) >= 0.95


def test_5_a_hidden_policy_without_retry_after():
    """A window of 50 s is taken for a minute, the common length; nothing stated tells them apart.

    So five sixths are the best possible efficiency, and one more window passes if the last burst meets the true end.
    """
    declaration = Declaration(hidden=frozenset(["minute", "day"]), retry_after=False)
    made = runs(several, declaration=lambda: declaration)
    assert refusals(made) <= LANE + 3
    assert efficiency(made, TWO) >= 0.6


# ---- 6: breaches are punished ----------------------------------------------------------------------------------------

PUNISHING = {
    "blocks-a-window": lambda rng: [FixedWindow(quota=Q, window=W, blocks=True)],
    "blocks-ever-longer": lambda rng: [FixedWindow(quota=Q, window=W, blocks=True, doubles=True)],
    "counts-refusals": lambda rng: [SlidingLog(quota=Q, window=W, counts_refused=True)],
}


@pytest.mark.parametrize("limits", PUNISHING.values(), ids=PUNISHING)
def test_6_a_declared_quota_is_never_breached(limits):
    made = runs(limits)
    assert refusals(made) == 0
    assert max(longest_pause(run) for run in made) <= 2 * W


@pytest.mark.parametrize("limits", PUNISHING.values(), ids=PUNISHING)
def test_6_a_learned_quota_is_breached_once(limits):
    """Everything in flight at the first breach is refused, and at most one request later.

    Three at most if refused requests count: those in flight make the wait longer than the first refusal of a burst
    states, and a sliding window has no quiet moment at which our count could begin.
    """
    made = runs(limits, declaration=lambda: Declaration(headers=False))
    most = 3 if limits is PUNISHING["counts-refusals"] else 1
    for run in made:
        first = [at for at in run.server.refused if at <= run.server.refused[0] + 1.0]
        assert len(first) <= LANE
        assert len(run.server.refused) - len(first) <= most
        assert longest_pause(run) <= 2 * W + 1.0


# ---- 7: nothing is declared ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounding", ["ceil", "floor"])
@pytest.mark.parametrize("limits", [fixed, aligned])
def test_7_only_refusals_state_a_wait(limits, rounding):
    """After the first breach one refusal per five windows, and one more from a server that rounds its wait down.

    A server with clock-aligned windows refuses twice more: our first window was only a part of one, and the windows
    that we count begin later than its own by the time of one request each, until a burst falls into two of ours but one
    of its.
    """
    made = runs(limits, declaration=lambda: Declaration(headers=False, rounding=rounding), count=900)
    for run in made:
        first = [at for at in run.server.refused if at <= run.server.refused[0] + 1.0]
        assert len(first) <= LANE
        later = len(run.server.refused) - len(first)
        assert later <= 900 / Q / 5 + (rounding == "floor") + 2 * (limits is aligned)
    if limits is fixed:
        assert efficiency(made, (900 / Q - 1) * W + BURST) >= 0.93


@pytest.mark.parametrize("status", [429, 403, 503])
def test_7_nothing_is_declared(status):
    """After the first breach single probes at the common lengths search for that of the window.

    Three of them are refused before that of a minute is served, after 1, 10 and 30 seconds. One more request may follow
    the burst at once, to tell a rate limit from a concurrency limit, and a 503 from one broken page.
    """
    made = runs(fixed, declaration=lambda: Declaration(headers=False, retry_after=False), server={"status": status})
    for run in made:
        first = [at for at in run.server.refused if at <= run.server.refused[0] + 0.5]
        assert len(first) <= LANE + (status == 503)
        search = [at for at in run.server.refused[len(first) :] if at < W]
        assert len(search) <= 3
        assert len(run.server.refused) - len(first) - len(search) <= 1
    assert efficiency(made) >= 0.85


def test_7_nothing_is_declared_by_a_leaky_bucket():
    """The requests in flight at the first refusal, three or four to learn the rate, and one because it was too high."""
    for seed in SEEDS:
        rng = random.Random(seed)
        declaration = Declaration(headers=False, retry_after=False)
        server = Server(limits=[TokenBucket(quota=20, window=5.0)], declaration=declaration, status=503, **QUICK)
        throttle, lane = limits_of(rng), Concurrency(8)
        run = Simulation(server=server, throttle=throttle, rng=rng, count=100, max_in_flight=8, concurrency=lane).run()
        assert len(server.refused) <= 8 + 5
        assert run.took <= 1.15 * (100 - 20) * 5.0 / 20


def quick(rng: random.Random, now: float, inflight: int) -> float:
    return rng.uniform(0.002, 0.006)


def brisk(rng: random.Random, now: float, inflight: int) -> float:
    return rng.uniform(0.02, 0.05)


def busy(rng: random.Random, now: float, inflight: int) -> float:
    """One response in ten is late, usually by more than the time in which the bucket leaks."""
    late = rng.expovariate(1 / 0.2) if rng.random() < 0.1 else 0.0
    return rng.uniform(0.002, 0.03) + late


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("latency", "beyond", "slack"), [(quick, 5, 1.1), (busy, 7, 1.6)])
def test_7_nothing_is_declared_by_a_leaky_bucket_on_a_busy_machine(status, latency, beyond, slack):
    """The rate is found whatever the order of responses, and no time is lost.

    If responses are prompt, it costs the requests in flight at the first refusal and five more.
    """
    took = []
    for seed in range(20):
        declaration = Declaration(headers=False, retry_after=False)
        server = Server(
            limits=[TokenBucket(quota=20, window=5.0)], declaration=declaration, status=status, latency=latency
        )
        run = simulate_throttle(server, rng=random.Random(seed), count=100)
        assert len(server.refused) <= 8 + beyond
        took.append(run.took / ((100 - 20) * 5.0 / 20))
    assert median(took) <= 1.1
    assert max(took) <= slack


@pytest.mark.parametrize("status", [429, 503])
def test_7_nothing_is_declared_by_a_leaky_bucket_without_a_burst(status):
    """A unit has leaked soon after a refusal, so that a request served then does not disprove the limit."""
    refused, took = [], []
    for seed in range(20):
        declaration = Declaration(headers=False, retry_after=False)
        server = Server(limits=[TokenBucket(quota=1, window=0.2)], declaration=declaration, status=status)
        run = simulate_throttle(server, rng=random.Random(seed), count=100)
        refused.append(len(server.refused))
        took.append(run.took / (99 * 0.2))
    assert median(refused) <= 10
    assert max(refused) <= 18
    assert median(took) <= 1.6


@pytest.mark.parametrize(("rate", "quota", "most"), [(40, 20, 20), (70, 20, 24), (75, 10, 22)])
def test_7_nothing_is_declared_by_a_fast_leaky_bucket(rate, quota, most):
    """The number of requests at once adapts to the rate; a bucket that refuses with 503 is not tried for more at once.

    The refusals are the median of twenty crawls of a thousand pages.
    """
    refused = []
    for seed in range(20):
        declaration = Declaration(headers=False, retry_after=False)
        limit = TokenBucket(quota=quota, window=quota / rate)
        server = Server(limits=[limit], declaration=declaration, status=503, latency=brisk)
        simulate_throttle(server, rng=random.Random(seed), count=1000)
        refused.append(len(server.refused))
    assert median(refused) <= most


BRIEF: dict[str, Callable[[int, float], Limit]] = {
    "fixed": lambda q, w: FixedWindow(quota=q, window=w),
    "log": lambda q, w: SlidingLog(quota=q, window=w),
}


@pytest.mark.parametrize("free", [0, 1], ids=["all-counted", "robots-txt-is-free"])
@pytest.mark.parametrize("retry_after", [True, False], ids=["retry-after", "nothing"])
@pytest.mark.parametrize(("q", "w"), [(20, 5.0), (10, 5.0), (4, 1.0)])
@pytest.mark.parametrize("limit", BRIEF.values(), ids=BRIEF)
def test_7_a_short_window_that_is_not_declared(limit, q, w, retry_after, free):
    """It costs the requests in flight at the first refusal and four more, whether the window slides or not.

    Where no wait is stated, the first window is believed to be twice as long as it is. If the server does not count the
    request for robots.txt, our first count is one too high, and one refusal shows it.
    """
    for seed in SEEDS:
        declaration = Declaration(headers=False, retry_after=retry_after)
        server = Server(limits=[limit(q, w)], declaration=declaration, uncounted=free, **QUICK)
        run = simulate_throttle(server, rng=random.Random(seed), count=100 + free)
        assert len(server.refused) <= 8 + 4
        assert run.took <= 1.1 * (100 / q - 1) * w + (0.0 if retry_after else 5.0)


def test_7_nothing_is_declared_about_windows_aligned_to_the_clock():
    """The phase of the windows stays unknown.

    A part of a window is mistaken for a short one until it proves too short, and the last burst may fall into two
    windows of ours but one of the server's. The shortest time, which assumes a known phase, is out of reach. But
    nothing is lost, and the refusals are those of two searches and one burst.
    """
    made = runs(aligned, declaration=lambda: Declaration(headers=False, retry_after=False))
    assert refusals(made) <= 2 * LANE + 2 * 6
    assert efficiency(made) >= 0.75
    assert all(len(run.server.served) >= N for run in made)


@pytest.mark.parametrize("retry_after", [True, False], ids=["retry-after", "nothing"])
def test_7_a_second_run_knows(retry_after):
    for seed in SEEDS:
        rng = random.Random(seed)
        server = Server(limits=fixed(rng), declaration=Declaration(headers=False, retry_after=retry_after))
        first = Simulation(server=server, throttle=limits_of(rng), rng=rng).run()
        state = json.dumps(first.throttle.state())
        assert len(state) < 400
        throttle = limits_of(rng)
        throttle.restore(json.loads(state))
        before = len(server.refused)
        second = Simulation(server=server, throttle=throttle, rng=rng, begin=first.now + rng.uniform(0, 100)).run()
        assert len(server.refused) == before
        assert second.took <= LEAST / 0.85 + W


# ---- 9: others share the quota ---------------------------------------------------------------------------------------


class Greedy(Throttle):
    """Sends as fast as possible until it is refused, and waits as stated."""

    __slots__ = ()

    def ready_at(self, now: float, *, cost: float = 1.0, backlog: float = math.inf) -> float:
        return self.pacing.gate

    def settle(self, grant: Grant, report: AttemptReport, **_: Any) -> list[QuotaEvent]:
        self.flight.end(grant)
        if report.refused:
            self.block(report.received + (report.declared.retry_after or 0.0))
        return []


@pytest.mark.parametrize("share", [0.2, 0.4, 0.8])
def test_9_others_share_the_quota(share):
    """Other clients send requests at random times and use this share of the quota on average.

    The refusals that we cause them are those with us minus those without us.
    """
    windows = 5

    def shared(client: type[Throttle] | None, seed: int) -> Simulation:
        rng = random.Random(seed)
        server = Server(limits=fixed(rng))
        count = math.inf if client else 0.5  # half a request never starts: the other clients are alone
        run = Simulation(
            server=server,
            throttle=(client or Throttle)("lane", limits_of(rng).pace, rng),
            rng=rng,
            count=count,
            horizon=windows * W,
            others_rate=share * Q / W,
            max_in_flight=LANE if client else 0,
        )
        return run.run()

    alone = sum(shared(None, seed).server.others_refused for seed in SEEDS)
    greedy = sum(shared(Greedy, seed).server.others_refused for seed in SEEDS)
    ours = [shared(Throttle, seed) for seed in SEEDS]
    assert mean(len(run.server.refused) for run in ours) <= windows
    assert max(len(run.server.refused) for run in ours) <= 2 * windows
    assert sum(run.server.others_refused for run in ours) - alone <= 0.1 * (greedy - alone)
    assert mean(len(run.server.served) + run.server.others_served for run in ours) >= 0.95 * Q * windows


# ---- 10: the limit changes -------------------------------------------------------------------------------------------


def change(**values: Any) -> Callable[[Server], None]:
    def apply(server: Server) -> None:
        for name, value in values.items():
            setattr(server.limits[0], name, value)

    return apply


def fall_silent(server: Server) -> None:
    server.declaration.headers = False


@pytest.mark.parametrize("limits", [fixed, aligned])
def test_10_a_limit_drops_and_rises(limits):
    changes = [(150.0, change(quota=15)), (330.0, change(quota=120))]
    for run in runs(limits, count=math.inf, horizon=600.0, changes=changes):
        assert len([at for at in run.server.refused if 150 <= at < 330]) <= LANE
        assert [at for at in run.server.refused if not 150 <= at < 330] == []
        assert rate(run, 150 + W + 5, 150 + 3 * W - 5) <= 1.2 * 15 / W
        assert rate(run, 330 + W + 5, 600) >= 0.95 * 120 / W


def test_10_after_a_drop_the_lower_limit_is_used_up():
    for run in runs(fixed, count=math.inf, horizon=150 + 6 * W, changes=[(150.0, change(quota=15))]):
        assert rate(run, 150 + W, 150 + 5 * W) >= 0.95 * 15 / W


@pytest.mark.parametrize("limits", [fixed, aligned])
@pytest.mark.parametrize(
    "changes",
    [
        [(100.0, change(name="other"))],
        [(100.0, change(name="other", quota=120))],
        [(120.0, fall_silent)],
        [(95.0, fall_silent)],
    ],
    ids=["renamed", "renamed-and-raised", "silent", "silent-within-a-window"],
)
def test_10_a_policy_changes_its_name_or_falls_silent(limits, changes):
    made = runs(limits, count=math.inf, horizon=480.0, changes=changes)
    assert refusals(made) == 0
    assert min(rate(run, 3 * W, 8 * W) / (run.server.limits[0].quota / W) for run in made) >= 0.95


# ---- 11: concurrency, and a server that slows down --------------------------------------------------------------


@pytest.mark.parametrize("cap", [10, 50])
def test_11_a_server_that_works_on_five_at_once(cap):
    for seed in SEEDS:
        rng = random.Random(seed)
        server = Server(
            limits=[],
            declaration=Declaration(headers=False, retry_after=False),
            workers=5,
            latency=lambda rng, now, inflight: rng.uniform(0.08, 0.12),
        )
        run = Simulation(
            server=server,
            throttle=limits_of(rng),
            rng=rng,
            count=math.inf,
            horizon=30.0,
            max_in_flight=cap,
            concurrency=Concurrency(cap),
        ).run()
        served, refused = (len([at for at in times if at > 3]) for times in (server.served, server.refused))
        assert refused <= 0.05 * (served + refused)
        assert all(4 <= level <= 6 for at, level in run.levels if at > 3)
        assert served / 27 >= 0.9 * 5 / 0.1


@pytest.mark.parametrize(("workers", "most"), [(2, 6), (3, 4), (5, 4)])
def test_11_a_server_that_takes_few_requests_at_once_refuses_few(workers, most):
    """A number of requests that was refused once is tried again rarely. The median of twenty crawls."""
    refused = []
    for seed in range(20):
        server = Server(limits=[], declaration=Declaration(headers=False, retry_after=False), workers=workers)
        simulate_throttle(server, rng=random.Random(seed), count=1000)
        refused.append(len(server.refused))
    assert median(refused) <= most


def test_11_a_server_that_is_ten_times_slower_for_a_minute():
    for seed in SEEDS:
        rng = random.Random(seed)
        server = Server(
            limits=[],
            declaration=Declaration(headers=False, retry_after=False),
            latency=lambda rng, now, inflight: rng.uniform(0.08, 0.12) * (10 if 20 <= now - START < 80 else 1),
        )
        run = Simulation(
            server=server,
            throttle=limits_of(rng),
            rng=rng,
            count=math.inf,
            horizon=100.0,
            concurrency=Concurrency(LANE),
        ).run()
        assert rate(run, 90, 100) >= 0.9 * rate(run, 10, 20)


# ---- 12: many hosts, one of which refuses ----------------------------------------------------------------------------


def test_12_a_blocked_host_does_not_delay_the_others():
    """Fifty hosts share twenty workers, and one of them refuses for an hour. A host that waits holds no worker."""

    def crawl(*, blocked: bool, seed: int) -> float:
        rng = random.Random(seed)
        throttles = [limits_of(rng) for _ in range(50)]
        left = [20] * 50
        answers: list[tuple[float, int, int, Grant]] = []
        now, last, number = START, START, 0
        while any(left[1:]) or answers:
            for host, throttle in enumerate(throttles):
                while left[host] and len(answers) < 20 and throttle.inflight < 2 and throttle.ready_at(now) <= now:
                    left[host] -= 1
                    number += 1
                    heapq.heappush(answers, (now + rng.uniform(0.05, 0.15), number, host, throttle.take(now)))
            now, _, host, grant = heapq.heappop(answers)
            refused = blocked and host == 0
            declared = Declared(retry_after=3600.0 if refused else None)
            status = 429 if refused else 200
            exchange = AttemptReport(sent=grant.at, received=now, status=status, refused=refused, declared=declared)
            throttles[host].settle(grant, exchange, inflight=1)
            if refused:
                assert throttles[0].ready_at(now) >= grant.at + 3600
                assert throttles[0].blocked_by == "refusal"
            elif host:
                last = now
        return last - START

    for seed in SEEDS:
        assert crawl(blocked=True, seed=seed) <= 1.02 * crawl(blocked=False, seed=seed)


# ---- 13: refusals that no limit explains -----------------------------------------------------------------------------


@attrs.define(kw_only=True)
class RandomRefusals:
    """Refuses a share of the requests at random, like a load balancer that sheds load."""

    share: float
    rng: random.Random
    quota: int = 1
    window: float = 1.0
    name: str = "default"
    _allowed: bool = True

    def decide(self, now: float, *, dry: bool = False) -> Decision:
        if dry:
            self._allowed = self.rng.random() >= self.share
        return Decision(self._allowed, 0, 1.0)


@pytest.mark.parametrize("retry_after", [True, False], ids=["retry-after", "nothing"])
@pytest.mark.parametrize("status", [429, 503])
def test_13_random_refusals_are_not_taken_for_a_limit(status, retry_after):
    """One request in twenty is refused; no limit is learned that would delay the others for minutes."""
    for seed in SEEDS:
        rng = random.Random(seed)
        declaration = Declaration(headers=False, retry_after=retry_after)
        server = Server(limits=[RandomRefusals(share=0.05, rng=rng)], declaration=declaration, status=status)  # type: ignore[list-item]
        run = simulate_throttle(server, rng=rng, count=1000)
        assert len(run.server.served) == 1000
        assert len(server.refused) < 100
        assert run.took < 600
        assert longest_pause(run) < 65
