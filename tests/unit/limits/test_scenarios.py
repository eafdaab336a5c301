"""What the governor takes and what it is refused, counted by the log of simulated servers, over twenty seeds each.

R: refusals. E: the least time that anyone could need, who knew the server, over the time that it took. U: share of the
quota that was used. Unless stated otherwise 300 requests go to a server that allows 60 a minute and answers in 50 to
150 ms, with ten in flight at once.
"""

from __future__ import annotations

import heapq
import itertools
import json
import math
import random
from collections.abc import Callable
from statistics import mean, median
from typing import Any

import attrs
import pytest
from support.simulator import START, Aligned, Bucket, Counter, Fixed, Limit, Log, Run, Server, Verdict, Words, throttled

from crawler.limits.concurrency import Concurrency
from crawler.limits.events import QuotaEvent
from crawler.limits.headers.declared import AttemptReport, Declared
from crawler.limits.in_flight import Grant
from crawler.limits.pacing import Governor

SEEDS = range(20)
Q, W, N, LANE = 60, 60.0, 300, 10
BURST = 0.6  # seconds that the last window takes: 60 requests, ten at a time, 100 ms each
LEAST = (N / Q - 1) * W + BURST


def fixed(chance: random.Random) -> list[Limit]:
    return [Fixed(q=Q, w=W)]


def aligned(chance: random.Random) -> list[Limit]:
    return [Aligned(q=Q, w=W, phase=chance.random() * W)]


def runs(
    limits: Callable[[random.Random], list[Limit]],
    *,
    words: Callable[[], Words] = Words,
    server: dict[str, Any] | None = None,
    mode: Any = "auto",
    **run: Any,
) -> list[Run]:
    """One run for each seed."""
    made = []
    for seed in SEEDS:
        chance = random.Random(seed)
        peer = Server(limits=limits(chance), words=words(), **(server or {}))
        made.append(Run(server=peer, governor=Governor(mode=mode, chance=chance), chance=chance, **run).run())
    return made


def refusals(made: list[Run]) -> int:
    """The most that one run was refused."""
    return max(len(run.server.refused) for run in made)


def efficiency(made: list[Run], least: float = LEAST) -> float:
    return median(least / run.took for run in made)


def rate(run: Run, begin: float, end: float) -> float:
    """Requests a second that were served between two times."""
    return sum(begin < at <= end for at in run.server.served) / (end - begin)


def longest_pause(run: Run) -> float:
    served = [0.0, *run.server.served]
    return max(after - before for before, after in itertools.pairwise(served))


# ---- 1: a known fixed window -----------------------------------------------------------------------------------------

ROUNDINGS = ["ceil", "floor", "exact"]


@pytest.mark.parametrize("window", [True, False], ids=["window-stated", "window-not-stated"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_1_a_fixed_window(rounding, window):
    """One refusal, once, by a server that states no window and rounds down.

    That its word comes a second early cannot be told from a window that began by the clock.
    """
    made = runs(fixed, words=lambda: Words(rounding=rounding, window=window))
    assert refusals(made) <= (rounding == "floor" and not window)
    assert efficiency(made) >= 0.98


@pytest.mark.parametrize("mode", ["burst", "smooth"])
def test_1_a_fixed_window_in_the_other_modes(mode):
    """Smooth: the last window is spread as well, so that the least time is five windows."""
    made = runs(fixed, mode=mode)
    assert refusals(made) == 0
    assert efficiency(made, LEAST if mode == "burst" else 5 * W) >= 0.98


def test_1_a_window_by_the_clock():
    """The first window is a part of one: its length is the chance of the seed."""
    made = runs(aligned)
    assert refusals(made) == 0
    least = [W - (START + run.server.limits[0].phase) % W + 3 * W + BURST for run in made]
    assert median(time / run.took for time, run in zip(least, made, strict=True)) >= 0.98


def test_1_an_endless_backlog_uses_the_quota_up():
    made = runs(fixed, count=math.inf, horizon=5 * W)
    assert refusals(made) == 0
    assert min(len(run.server.served) for run in made) >= 0.97 * 5 * Q


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "no-reset"])
def test_1_a_server_that_keeps_its_reset_to_itself(reset):
    """Without a reset no phase is known: requests are spread at the average rate, and five windows are the least."""
    made = runs(fixed, words=lambda: Words(reset=reset))
    assert refusals(made) == 0
    assert efficiency(made, LEAST if reset else 5 * W) >= 0.98


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_1_a_short_window(rounding):
    """Twenty in five seconds.

    A server that rounds down is found out by one refusal: in so short a window a second of caution would cost more.
    """
    made = runs(
        lambda chance: [Fixed(q=20, w=5.0)],
        words=lambda: Words(rounding=rounding),
        count=100,
        server={"latency": lambda chance, now, inflight: chance.uniform(0.002, 0.006)},
    )
    assert refusals(made) <= (rounding == "floor")
    assert efficiency(made, 20.0) >= 0.97


# ---- 2: epoch seconds, and clocks that differ ------------------------------------------------------------------------


@pytest.mark.parametrize("window", [True, False], ids=["window-stated", "window-not-stated"])
@pytest.mark.parametrize("rounding", ["ceil", "floor"])
@pytest.mark.parametrize("limits", [fixed, aligned])
def test_2_epoch_seconds_of_a_clock_that_differs(limits, rounding, window):
    """Our clock is up to 90 s off, and a third of the answers has no ``Date``.

    One refusal, once, of a server whose windows begin by the clock and whose word is rounded down: each end that it
    states is up to a second early, and no begin of ours tells so. Who asks at the stated end is refused for certain in
    some seeds; who always waits a second more pays for it at all other servers.
    """
    made = []
    for seed in SEEDS:
        chance = random.Random(seed)
        words = Words(epoch=True, rounding=rounding, window=window, date=lambda number: number % 3 != 0)
        server = Server(limits=limits(chance), words=words)
        run = Run(server=server, governor=Governor(chance=chance), chance=chance, skew=chance.uniform(-90, 90))
        made.append(run.run())
    assert refusals(made) <= (limits is aligned and rounding == "floor")
    least = [LEAST if limits is fixed else W - (START + run.server.limits[0].phase) % W + 3 * W + BURST for run in made]
    assert median(time / run.took for time, run in zip(least, made, strict=True)) >= 0.97


@pytest.mark.parametrize("rounding", ["ceil", "floor"])
@pytest.mark.parametrize("q", [2, 4])
def test_2_windows_of_a_second_whose_ends_are_whole_seconds_of_a_clock(q, rounding):
    """The end of one may be that of a window of two seconds; those of several together are not.

    But for one that begins with a second of the clock, all but exactly: both fit each of its ends.
    """
    took = []
    for seed in SEEDS:
        chance = random.Random(seed)
        words = Words(epoch=True, window=False, rounding=rounding)
        server = Server(limits=[Fixed(q=q, w=1.0)], words=words, **QUICK)
        run = throttled(server, chance=chance, count=100, begin=START + chance.uniform(0, 10))
        assert len(server.refused) <= (rounding == "floor")
        took.append(run.took / (100 / q - 1))
    assert sorted(took)[-2] <= 1.1
    assert max(took) <= 2.1


# ---- 3: sliding windows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "burst"])
@pytest.mark.parametrize(
    "limits",
    [lambda chance: [Log(q=Q, w=W)], lambda chance: [Counter(q=Q, w=W, phase=chance.random() * W)]],
    ids=["log", "counter"],
)
def test_3_sliding_windows(limits, mode):
    """In steady state, from the third window on."""
    made = runs(limits, mode=mode, count=math.inf, horizon=10 * W)
    assert refusals(made) <= 2
    assert min(rate(run, 2 * W, 10 * W) for run in made) >= 0.95 * Q / W


QUICK = {"latency": lambda chance, now, inflight: chance.uniform(0.002, 0.006)}


def brief(limits: Callable[[], Limit], **words: Any) -> list[Run]:
    """A hundred requests to a quick server that allows twenty in five seconds and states whole epoch seconds or so."""
    made = []
    for seed in SEEDS:
        chance = random.Random(seed)
        server = Server(limits=[limits()], words=Words(epoch=True, window=False, **words), **QUICK)
        begin = START + chance.uniform(0, 10)
        run = Run(server=server, governor=Governor(chance=chance), chance=chance, count=100, begin=begin)
        made.append(run.run())
    return made


def test_3_a_short_sliding_log_that_states_whole_seconds():
    """The last batch cannot go sooner than four windows after the first; each second lost to rounding would show."""
    made = brief(lambda: Log(q=20, w=5.0))
    assert refusals(made) == 0
    assert max(run.took for run in made) <= 1.1 * 4 * 5.0


def test_3_a_short_fixed_window_of_which_the_end_is_stated_a_second_late():
    """The first window costs that second; then its usual length is known."""
    made = brief(lambda: Fixed(q=20, w=5.0), rounding="exact", late=1.0)
    assert refusals(made) == 0
    assert max(run.took for run in made) <= 1.1 * 4 * 5.0


def test_3_a_short_fixed_window_that_is_a_second_longer_than_a_usual_one():
    """What looks like an end that is stated late is none: one refusal tells."""
    made = brief(lambda: Fixed(q=20, w=6.0), rounding="exact")
    assert refusals(made) <= 1
    assert max(run.took for run in made) <= 1.05 * 4 * 6.0


# ---- 4: token buckets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True], ids=["time-to-next", "time-to-full"])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_4_token_buckets(rounding, full):
    """The reset is 0 while there is quota left, or the time until all of it is back."""
    made = runs(lambda chance: [Bucket(q=Q, w=W, full=full)], words=lambda: Words(rounding=rounding))
    assert refusals(made) == 0
    assert efficiency(made, (N - Q) * W / Q) >= 0.97


# ---- 5: several policies ---------------------------------------------------------------------------------------------

TWO = 4 * 50.0 + 10.0 + 0.2  # the last sixty need three windows of five seconds


def several(chance: random.Random) -> list[Limit]:
    return [Fixed(q=20, w=5.0, name="burst"), Fixed(q=60, w=50.0, name="minute"), Fixed(q=500, w=86400.0, name="day")]


@pytest.mark.parametrize("count", [2, 3])
def test_5_several_policies(count):
    made = runs(lambda chance: several(chance)[:count])
    assert refusals(made) == 0
    assert efficiency(made, TWO) >= 0.95


def test_5_a_hidden_policy():
    made = runs(several, words=lambda: Words(hidden=frozenset(["minute", "day"])))
    assert refusals(made) <= LANE + 3
    assert efficiency(made, TWO) >= 0.95


def test_5_a_hidden_policy_of_which_refusals_say_nothing_either():
    """A window of 50 s is taken for a minute: nothing that is said tells them apart, and people choose minutes.

    So five sixths are the best that can be had; one window more goes by where the last burst meets the true one.
    """
    words = Words(hidden=frozenset(["minute", "day"]), retry_after=False)
    made = runs(several, words=lambda: words)
    assert refusals(made) <= LANE + 3
    assert efficiency(made, TWO) >= 0.6


# ---- 6: breaches are punished ----------------------------------------------------------------------------------------

PUNISHING = {
    "blocks-a-window": lambda chance: [Fixed(q=Q, w=W, block=True)],
    "blocks-ever-longer": lambda chance: [Fixed(q=Q, w=W, block=True, double=True)],
    "counts-refusals": lambda chance: [Log(q=Q, w=W, harsh=True)],
}


@pytest.mark.parametrize("limits", PUNISHING.values(), ids=PUNISHING)
def test_6_a_declared_quota_is_never_breached(limits):
    made = runs(limits)
    assert refusals(made) == 0
    assert max(longest_pause(run) for run in made) <= 2 * W


@pytest.mark.parametrize("limits", PUNISHING.values(), ids=PUNISHING)
def test_6_a_learned_quota_is_breached_once(limits):
    """All that was in flight at the first breach is refused; after that, one at most.

    Three at most where refusals are counted: the wait that the first refusal of a burst names is made longer by the
    others, which were on their way, and a sliding window leaves no quiet moment in which a count of ours could begin.
    """
    made = runs(limits, words=lambda: Words(headers=False))
    most = 3 if limits is PUNISHING["counts-refusals"] else 1
    for run in made:
        first = [at for at in run.server.refused if at <= run.server.refused[0] + 1.0]
        assert len(first) <= LANE
        assert len(run.server.refused) - len(first) <= most
        assert longest_pause(run) <= 2 * W + 1.0


# ---- 7: nothing is declared ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounding", ["ceil", "floor"])
@pytest.mark.parametrize("limits", [fixed, aligned])
def test_7_only_refusals_say_how_long_to_wait(limits, rounding):
    """After the first breach one refusal in five windows. A server that rounds its wait down costs one more, once.

    One whose windows begin by the clock costs two more: the first window of ours was only a part of one of its, and
    those that we count begin ever later than its own, by the time of a request each, until a burst falls into two of
    ours but one of its.
    """
    made = runs(limits, words=lambda: Words(headers=False, rounding=rounding), count=900)
    for run in made:
        first = [at for at in run.server.refused if at <= run.server.refused[0] + 1.0]
        assert len(first) <= LANE
        later = len(run.server.refused) - len(first)
        assert later <= 900 / Q / 5 + (rounding == "floor") + 2 * (limits is aligned)
    if limits is fixed:
        assert efficiency(made, (900 / Q - 1) * W + BURST) >= 0.93


@pytest.mark.parametrize("status", [429, 403, 503])
def test_7_nothing_is_said_at_all(status):
    """After the first breach single probes at the usual lengths search for that of the window.

    Six of them are refused before that of a minute is not. No client can do without: each tells two lengths apart. One
    more may go out at once after the burst, to tell a rate from too many at a time, and a 503 from one broken page.
    """
    made = runs(fixed, words=lambda: Words(headers=False, retry_after=False), server={"status": status})
    for run in made:
        first = [at for at in run.server.refused if at <= run.server.refused[0] + 0.5]
        assert len(first) <= LANE + (status == 503)
        search = [at for at in run.server.refused[len(first) :] if at < W]
        assert len(search) <= 6
        assert len(run.server.refused) - len(first) - len(search) <= 1
    assert efficiency(made) >= 0.85


def test_7_nothing_is_said_and_a_bucket_leaks():
    """What was in flight at the first refusal, one or two more to learn the rate, and one where that was too high."""
    for seed in SEEDS:
        chance = random.Random(seed)
        words = Words(headers=False, retry_after=False)
        server = Server(limits=[Bucket(q=20, w=5.0)], words=words, status=503, **QUICK)
        governor, lane = Governor(chance=chance), Concurrency(8)
        run = Run(server=server, governor=governor, chance=chance, count=100, lane=8, concurrency=lane).run()
        assert len(server.refused) <= 8 + 3
        assert run.took <= 1.1 * (100 - 20) * 5.0 / 20


def quick(chance: random.Random, now: float, inflight: int) -> float:
    return chance.uniform(0.002, 0.006)


def busy(chance: random.Random, now: float, inflight: int) -> float:
    """One answer in ten comes late, and most of them by more than the bucket takes to leak."""
    late = chance.expovariate(1 / 0.2) if chance.random() < 0.1 else 0.0
    return chance.uniform(0.002, 0.03) + late


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("latency", "beyond", "slack"), [(quick, 3, 1.1), (busy, 6, 1.6)])
def test_7_nothing_is_said_and_a_bucket_leaks_while_a_machine_is_busy(status, latency, beyond, slack):
    """Whatever the order in which answers come: the rate is found, and nothing waits for what is not there.

    Where answers come in time, it costs what was in flight at the first refusal and three more.
    """
    took = []
    for seed in range(100):
        words = Words(headers=False, retry_after=False)
        server = Server(limits=[Bucket(q=20, w=5.0)], words=words, status=status, latency=latency)
        run = throttled(server, chance=random.Random(seed), count=100)
        assert len(server.refused) <= 8 + beyond
        took.append(run.took / ((100 - 20) * 5.0 / 20))
    assert median(took) <= 1.1
    assert max(took) <= slack


BRIEF: dict[str, Callable[[int, float], Limit]] = {
    "fixed": lambda q, w: Fixed(q=q, w=w),
    "log": lambda q, w: Log(q=q, w=w),
}


@pytest.mark.parametrize("free", [0, 1], ids=["all-counted", "robots-txt-is-free"])
@pytest.mark.parametrize("retry_after", [True, False], ids=["retry-after", "nothing"])
@pytest.mark.parametrize(("q", "w"), [(20, 5.0), (10, 5.0), (4, 1.0)])
@pytest.mark.parametrize("limit", BRIEF.values(), ids=BRIEF)
def test_7_a_short_window_of_which_nothing_is_said(limit, q, w, retry_after, free):
    """It costs what was in flight at the first refusal and three more, whether it slides or not.

    A request for robots.txt that no limit counts makes the first count one too many: one refusal tells.
    """
    for seed in SEEDS:
        words = Words(headers=False, retry_after=retry_after)
        server = Server(limits=[limit(q, w)], words=words, free=free, **QUICK)
        run = throttled(server, chance=random.Random(seed), count=100 + free)
        assert len(server.refused) <= 8 + 3
        assert run.took <= 1.1 * (100 / q - 1) * w


def test_7_nothing_is_said_and_windows_begin_by_the_clock():
    """The phase of the windows is never told.

    A part of one is mistaken for a short one, until it proves too short; and the last burst may fall into two windows
    of ours but one of theirs. The least time that assumes a known phase is out of reach: what is kept is that nothing
    is lost, and that refusals are those of two searches and one burst.
    """
    made = runs(aligned, words=lambda: Words(headers=False, retry_after=False))
    assert refusals(made) <= 2 * LANE + 2 * 6
    assert efficiency(made) >= 0.75
    assert all(len(run.server.served) >= N for run in made)


@pytest.mark.parametrize("retry_after", [True, False], ids=["retry-after", "nothing"])
def test_7_a_second_run_knows(retry_after):
    for seed in SEEDS:
        chance = random.Random(seed)
        server = Server(limits=fixed(chance), words=Words(headers=False, retry_after=retry_after))
        first = Run(server=server, governor=Governor(chance=chance), chance=chance).run()
        state = json.dumps(first.governor.state())
        assert len(state) < 400
        governor = Governor(chance=chance)
        governor.restore(json.loads(state))
        before = len(server.refused)
        second = Run(server=server, governor=governor, chance=chance, begin=first.now + chance.uniform(0, 100)).run()
        assert len(server.refused) == before
        assert second.took <= LEAST / 0.85 + W


# ---- 9: others share the quota ---------------------------------------------------------------------------------------


class Greedy(Governor):
    """Sends as fast as it may until it is refused, and waits as told."""

    __slots__ = ()

    def ready_at(self, now: float, *, cost: float = 1.0, backlog: float = math.inf) -> float:
        return self._gate

    def settle(self, grant: Grant, exchange: AttemptReport) -> list[QuotaEvent]:
        self._flight.end(grant)
        if exchange.refused:
            self.block(exchange.received + (exchange.declared.retry_after or 0.0))
        return []


@pytest.mark.parametrize("share", [0.2, 0.4, 0.8])
def test_9_others_share_the_quota(share):
    """Others ask at random, for this share of the quota on average; of however many the stream is made.

    What they are refused on our account is what they are refused with us less what they are refused alone.
    """
    windows = 5

    def shared(governor: type[Governor] | None, seed: int) -> Run:
        chance = random.Random(seed)
        server = Server(limits=fixed(chance))
        count = math.inf if governor else 0.5  # half a request never starts: the others are alone
        run = Run(
            server=server,
            governor=(governor or Governor)(chance=chance),
            chance=chance,
            count=count,
            horizon=windows * W,
            others=share * Q / W,
            lane=LANE if governor else 0,
        )
        return run.run()

    alone = sum(shared(None, seed).server.others_refused for seed in SEEDS)
    greedy = sum(shared(Greedy, seed).server.others_refused for seed in SEEDS)
    ours = [shared(Governor, seed) for seed in SEEDS]
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
    server.words.headers = False


@pytest.mark.parametrize("limits", [fixed, aligned])
def test_10_a_limit_drops_and_rises(limits):
    changes = [(150.0, change(q=15)), (330.0, change(q=120))]
    for run in runs(limits, count=math.inf, horizon=600.0, changes=changes):
        assert len([at for at in run.server.refused if 150 <= at < 330]) <= LANE
        assert [at for at in run.server.refused if not 150 <= at < 330] == []
        assert rate(run, 150 + W + 5, 150 + 3 * W - 5) <= 1.2 * 15 / W
        assert rate(run, 330 + W + 5, 600) >= 0.95 * 120 / W


def test_10_after_a_drop_the_lower_limit_is_used_up():
    for run in runs(fixed, count=math.inf, horizon=150 + 6 * W, changes=[(150.0, change(q=15))]):
        assert rate(run, 150 + W, 150 + 5 * W) >= 0.95 * 15 / W


@pytest.mark.parametrize("limits", [fixed, aligned])
@pytest.mark.parametrize(
    "changes",
    [
        [(100.0, change(name="other"))],
        [(100.0, change(name="other", q=120))],
        [(120.0, fall_silent)],
        [(95.0, fall_silent)],
    ],
    ids=["renamed", "renamed-and-raised", "silent", "silent-within-a-window"],
)
def test_10_a_policy_changes_its_name_or_falls_silent(limits, changes):
    made = runs(limits, count=math.inf, horizon=480.0, changes=changes)
    assert refusals(made) == 0
    assert min(rate(run, 3 * W, 8 * W) / (run.server.limits[0].q / W) for run in made) >= 0.95


# ---- 11: too many at once, and a server that slows down --------------------------------------------------------------


@pytest.mark.parametrize("cap", [10, 50])
def test_11_a_server_that_works_on_five_at_once(cap):
    for seed in SEEDS:
        chance = random.Random(seed)
        server = Server(
            limits=[],
            words=Words(headers=False, retry_after=False),
            slots=5,
            latency=lambda chance, now, inflight: chance.uniform(0.08, 0.12),
        )
        run = Run(
            server=server,
            governor=Governor(chance=chance),
            chance=chance,
            count=math.inf,
            horizon=30.0,
            lane=cap,
            concurrency=Concurrency(cap),
        ).run()
        served, refused = (len([at for at in times if at > 3]) for times in (server.served, server.refused))
        assert refused <= 0.05 * (served + refused)
        assert all(4 <= level <= 6 for at, level in run.levels if at > 3)
        assert served / 27 >= 0.9 * 5 / 0.1


def test_11_a_server_that_is_ten_times_slower_for_a_minute():
    for seed in SEEDS:
        chance = random.Random(seed)
        server = Server(
            limits=[],
            words=Words(headers=False, retry_after=False),
            latency=lambda chance, now, inflight: chance.uniform(0.08, 0.12) * (10 if 20 <= now - START < 80 else 1),
        )
        run = Run(
            server=server,
            governor=Governor(chance=chance),
            chance=chance,
            count=math.inf,
            horizon=100.0,
            concurrency=Concurrency(LANE),
        ).run()
        assert rate(run, 90, 100) >= 0.9 * rate(run, 10, 20)


# ---- 12: many hosts, one of which refuses ----------------------------------------------------------------------------


def test_12_a_blocked_host_delays_nobody():
    """Fifty hosts share twenty workers; one refuses for an hour. A host that waits holds no worker."""

    def crawl(*, blocked: bool, seed: int) -> float:
        chance = random.Random(seed)
        governors = [Governor(chance=chance) for _ in range(50)]
        left = [20] * 50
        answers: list[tuple[float, int, int, Grant]] = []
        now, last, number = START, START, 0
        while any(left[1:]) or answers:
            for host, governor in enumerate(governors):
                while left[host] and len(answers) < 20 and governor.inflight < 2 and governor.ready_at(now) <= now:
                    left[host] -= 1
                    number += 1
                    heapq.heappush(answers, (now + chance.uniform(0.05, 0.15), number, host, governor.take(now)))
            now, _, host, grant = heapq.heappop(answers)
            refused = blocked and host == 0
            declared = Declared(retry_after=3600.0 if refused else None)
            status = 429 if refused else 200
            exchange = AttemptReport(sent=grant.at, received=now, status=status, refused=refused, declared=declared)
            governors[host].settle(grant, exchange)
            if refused:
                assert governors[0].ready_at(now) >= grant.at + 3600
                assert governors[0].blocked_by == "refusal"
            elif host:
                last = now
        return last - START

    for seed in SEEDS:
        assert crawl(blocked=True, seed=seed) <= 1.02 * crawl(blocked=False, seed=seed)


# ---- 13: refusals that no limit explains -----------------------------------------------------------------------------


@attrs.define(kw_only=True)
class ByChance:
    """Refuses some, whatever was sent before: one of many machines behind a balancer that sheds its load."""

    share: float
    chance: random.Random
    q: int = 1
    w: float = 1.0
    name: str = "default"
    _ok: bool = True

    def decide(self, now: float, *, dry: bool = False) -> Verdict:
        if dry:
            self._ok = self.chance.random() >= self.share
        return Verdict(self._ok, 0, 1.0)


@pytest.mark.parametrize("retry_after", [True, False], ids=["retry-after", "nothing"])
@pytest.mark.parametrize("status", [429, 503])
def test_13_no_limit_is_believed_in_that_is_not_there(status, retry_after):
    """One in twenty is refused: it never becomes a limit that holds up the others for minutes."""
    for seed in SEEDS:
        chance = random.Random(seed)
        words = Words(headers=False, retry_after=retry_after)
        server = Server(limits=[ByChance(share=0.05, chance=chance)], words=words, status=status)  # type: ignore[list-item]
        run = throttled(server, chance=chance, count=1000)
        assert len(run.server.served) == 1000
        assert len(server.refused) < 100
        assert run.took < 600
        assert longest_pause(run) < 65
