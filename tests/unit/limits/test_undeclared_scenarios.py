"""Whole limits against simulated servers that declare nothing, or punish breaches. See `test_scenarios`."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from statistics import median

import attrs
import pytest
from support.examples import sample
from support.scenarios import (
    BURST,
    LANE,
    LEAST,
    QUICK,
    SEEDS,
    N,
    Q,
    W,
    aligned,
    efficiency,
    fixed,
    longest_pause,
    refusals,
    runs,
)
from support.server_limits import Decision, FixedWindow, Limit, SlidingLog, TokenBucket
from support.simulator import Declaration, Server, Simulation, limits_of, simulate_throttle

from crawler.limits.concurrency import Concurrency

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
    for seed in sample(8, range(20)):
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
    for seed in sample(8, range(20)):
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
    for seed in sample(8, range(20)):
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
