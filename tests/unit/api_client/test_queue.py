"""`FairQueue`: requests start in order and at the exact time, and a cancellation loses nothing."""

from __future__ import annotations

import math
import random
from functools import partial

import pytest
import trio

from crawler.api_client.queue import MAX_IDLE, FairQueue
from crawler.errors import WouldExceedDeadline
from crawler.limits.pace import Pace
from crawler.limits.permit import Permit
from crawler.limits.registry import Limits

FREE = Pace(concurrency=8, delay=0.0, jitter=0.0)


def at_once(most: int, **pace: object) -> Pace:
    return Pace(concurrency=most, jitter=0.0, **({"delay": 0.0} | pace))


def never() -> float:
    return math.inf


class Party:
    """A queue, and the requests that come to it."""

    def __init__(self, limits: Limits | None = None, **paces: Pace) -> None:
        self.queue = FairQueue(Limits() if limits is None else limits)
        self.paces = paces
        self.started: list[tuple[object, float]] = []

    def limit(self, name: str):
        return self.queue.limit(name, lambda name: self.paces.get(name, FREE))

    def costs(self, lane: str, **budgets: float):
        return ((self.limit(lane), 1.0), *((self.limit(name), cost) for name, cost in budgets.items()))

    async def permit(self, costs, *, until=never, patience=math.inf, is_sent=True) -> Permit:
        permit = self.queue.start_now(costs)
        if permit is None:
            order = self.queue.next_order()
            permit = await self.queue.wait(costs, order=order, patience=patience, until=until)
        if is_sent:
            permit.sent(self.queue.clock())
        return permit

    def answered(self, permit: Permit, status: int, headers: list[tuple[str, str]], *, took: float = 0.0) -> None:
        permit.answered(self.queue.clock(), status=status, headers=headers, first_byte=took)
        permit.leave()

    async def visit(self, name: object, costs, *, lasts: float = 1.0, **how) -> None:
        permit = await self.permit(costs, **how)
        self.started.append((name, trio.current_time()))
        await trio.sleep(lasts)
        self.answered(permit, 200, [], took=lasts)

    def is_empty(self) -> bool:
        throttles = self.queue.limits.throttles.values()
        return all(throttle.busy == 0 and throttle.inflight == 0 for throttle in throttles)


async def test_requests_start_in_the_order_in_which_they_came(autojump_clock):
    party = Party(a=at_once(1))
    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(party.visit, number, party.costs("a"))
            await trio.sleep(0.01)
    assert [name for name, _ in party.started] == [0, 1, 2, 3, 4]
    assert [at for _, at in party.started] == pytest.approx([0, 1, 2, 3, 4])
    assert party.is_empty()


async def test_a_rate_is_kept_to_the_microsecond_without_polling(autojump_clock):
    party = Party(a=at_once(8, rate="2/s"))
    wakes = 0

    class Counting(trio.abc.Instrument):
        def before_task_step(self, task) -> None:
            nonlocal wakes
            wakes += "visit" in task.name

    counting = Counting()
    trio.lowlevel.add_instrument(counting)
    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(partial(party.visit, number, party.costs("a"), lasts=0.1))
    trio.lowlevel.remove_instrument(counting)
    assert [at for _, at in party.started] == pytest.approx([n / 2 for n in range(10)], abs=1e-4)
    # One step to come, one or two to start (its alarm, or another request has left), one at the end of its sleep.
    assert wakes <= 10 * 5


async def test_all_limits_must_be_ready_at_the_same_moment(autojump_clock):
    party = Party(a=at_once(8, rate="1/s"), k=at_once(8, rate="1/3s"))
    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(party.visit, number, party.costs("a", k=1.0))
    assert [at for _, at in party.started] == pytest.approx([0, 3, 6, 9], abs=1e-4)


async def test_a_lane_that_waits_for_its_own_pace_does_not_reserve_a_budget(autojump_clock):
    party = Party(slow=at_once(8, rate="1/min"), k=FREE)
    await party.visit("first", party.costs("slow", k=1.0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(party.visit, "slow", party.costs("slow", k=1.0))
        await trio.sleep(1)
        nursery.start_soon(party.visit, "quick", party.costs("quick", k=1.0))
    assert [(name, round(at)) for name, at in party.started] == [("first", 0), ("quick", 2), ("slow", 60)]


async def test_a_request_that_waits_for_a_budget_is_not_overtaken_on_other_lanes(autojump_clock):
    party = Party(k=at_once(8, rate="1/s"))
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(party.visit, number, party.costs(f"lane{number % 3}", k=1.0))
            await trio.sleep(0.001)
    assert [name for name, _ in party.started] == [0, 1, 2, 3, 4, 5]


async def test_expensive_requests_are_not_starved_by_cheap_ones(autojump_clock):
    """A budget of 10 points that comes back one a second; cheap ones take each point as it comes."""
    party = Party()
    permit = await party.permit(party.costs("a", k=1.0))
    said = {"Limit": "10", "Remaining": "0", "Interval-Seconds": "1", "FillRate": "1"}
    party.answered(permit, 200, [(f"X-RateLimit-{name}", value) for name, value in said.items()])
    assert party.limit("k").throttle.policies()["default"]["rate"] == 1.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(party.visit, "dear", party.costs("a", k=4.0))
        await trio.sleep(0.001)
        for number in range(20):
            nursery.start_soon(party.visit, number, party.costs(f"b{number}", k=1.0))
        await trio.sleep(30)
        nursery.cancel_scope.cancel()
    assert party.started[0][0] == "dear"


async def test_if_the_first_request_is_cancelled_the_next_one_takes_its_place(autojump_clock):
    party = Party(a=at_once(8, rate="1/10s"))
    await party.visit(0, party.costs("a"), lasts=0)
    async with trio.open_nursery() as nursery:

        async def leaves() -> None:
            with trio.move_on_after(3):
                await party.visit("never", party.costs("a"))

        nursery.start_soon(leaves)
        await trio.sleep(1)
        nursery.start_soon(party.visit, 1, party.costs("a"))
    assert [(name, round(at, 3)) for name, at in party.started] == [(0, 0), (1, 10)]


async def test_limits_learn_of_a_refusal_before_another_request_may_start(autojump_clock):
    party = Party(a=at_once(8, delay=5.0), k=FREE)
    permit = await party.permit(party.costs("a", k=1.0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(party.visit, "next", party.costs("a", k=1.0))
        await trio.sleep(1)
        party.limit("a").throttle.pacing.next_start = -math.inf  # nothing but the budget holds it back from here on
        party.answered(permit, 429, [("Retry-After", "60")])
    [(_, at)] = party.started
    assert at >= 61


async def test_a_thousand_waiters_cancelled_at_random_lose_nothing(autojump_clock):
    chance = random.Random(7)
    for rate in ((), "20/s"):
        party = Party(a=at_once(3, rate=rate), k=at_once(8, rate="40/s"))

        async def one(party: Party, number: int) -> None:
            costs = party.costs("a" if number % 2 else "b", **({"k": 1.0} if number % 3 else {}))
            with trio.move_on_after(chance.uniform(0, 40)):
                permit = await party.permit(costs, is_sent=number % 5 or number % 10 == 0)
                try:
                    await trio.sleep(chance.uniform(0, 0.2))
                    if number % 5:
                        party.answered(permit, 200, [])
                    else:
                        permit.failed(party.queue.clock(), overloaded=False)
                except trio.Cancelled:
                    permit.cancelled()
                    raise
                finally:
                    permit.leave()

        async with trio.open_nursery() as nursery:
            for number in range(1000):
                nursery.start_soon(one, party, number)
        assert party.is_empty()
        for name in ("a", "b", "k"):
            limit = party.limit(name)
            assert (limit.queue, limit.heads, limit.head, limit.waiting) == ([], [], None, 0)
        before = trio.current_time()
        await party.visit("after", party.costs("a", k=1.0), lasts=0)
        assert trio.current_time() - before < 1.0


async def test_a_request_cancelled_at_the_moment_of_its_turn_takes_nothing(autojump_clock):
    party = Party(a=at_once(8, rate="1/s"))
    await party.visit(0, party.costs("a"), lasts=0)
    scopes = [trio.CancelScope() for _ in range(3)]

    async def one(scope: trio.CancelScope) -> None:
        with scope:
            await party.visit("never", party.costs("a"))

    async with trio.open_nursery() as nursery:
        for scope in scopes:
            nursery.start_soon(one, scope)
        await trio.sleep(0.001)
        limit = party.limit("a")
        limit.throttle.pacing.rates[0].due = -math.inf
        limit.watcher()  # all may start at once: they have their permits now, but have not run yet
        assert limit.throttle.inflight > 0
        for scope in scopes:
            scope.cancel()
    assert party.is_empty()
    assert len(party.started) == 1


@pytest.mark.parametrize("seconds", [10, 86400])
async def test_a_wait_that_does_not_fit_fails_at_once_and_says_why(autojump_clock, seconds):
    party = Party(a=at_once(8, rate=f"1/{seconds}s"))
    await party.visit(0, party.costs("a"), lasts=0)
    clock = party.queue.clock
    with pytest.raises(
        WouldExceedDeadline, match=rf"^a \(pace\): the request can start in {seconds} s, and 5 s are left$"
    ) as caught:
        await party.permit(party.costs("a"), until=lambda: clock() + 5)
    assert trio.current_time() == 0
    assert caught.value.retry_at == pytest.approx(clock() + seconds, abs=0.001)
    assert caught.value.scope == "a"


async def test_a_wait_for_earlier_requests_that_exceeds_the_deadline_fails_at_once_too(autojump_clock):
    party = Party(a=at_once(8, rate="1/s"))
    await party.visit(0, party.costs("a"), lasts=0)
    late = []

    async def one(number: int) -> None:
        until = party.queue.clock() + 5.5
        try:
            await party.visit(number, party.costs("a"), until=lambda: until)
        except WouldExceedDeadline as error:
            late.append((number, trio.current_time(), round(error.retry_at - party.queue.clock())))

    async with trio.open_nursery() as nursery:
        for number in range(1, 9):
            nursery.start_soon(one, number)
            await trio.sleep(0)
    assert [name for name, _ in party.started] == [0, 1, 2, 3, 4, 5]
    assert late == [(6, 0, 6), (7, 0, 6), (8, 0, 6)]  # each of them left, so that the next was the sixth


async def test_a_change_that_makes_a_wait_too_long_ends_it(autojump_clock):
    party = Party(a=at_once(8, rate="1/s"))
    await party.visit(0, party.costs("a"), lasts=0)

    async def block() -> None:
        await trio.sleep(0.5)
        party.limit("a").throttle.block(party.queue.clock() + 3600)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(block)
        until = party.queue.clock() + 5
        with pytest.raises(WouldExceedDeadline):
            await party.permit(party.costs("a"), until=lambda: until)
        assert trio.current_time() == 0.5
    assert party.is_empty()


async def test_patience_ends_a_wait_of_unknown_length(autojump_clock):
    party = Party(a=at_once(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(party.visit, "long", party.costs("a"))
        await trio.sleep(0.001)
        with pytest.raises(WouldExceedDeadline, match="the time of its start is unknown") as caught:
            await party.permit(party.costs("a"), patience=party.queue.clock() + 0.25)
        assert trio.current_time() == pytest.approx(0.251, abs=1e-4)
        assert caught.value.retry_at == math.inf


async def test_another_owner_of_the_limits_wakes_waiting_requests(autojump_clock):
    limits = Limits()
    one, other = Party(limits, a=at_once(1)), Party(limits, a=at_once(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.visit, "one", one.costs("a"))
        await trio.sleep(0.1)
        nursery.start_soon(other.visit, "other", other.costs("a"))
    assert other.started == [("other", 1.0)]
    assert one.is_empty()


async def test_closing_the_queue_ends_all_waits(autojump_clock):
    party = Party(a=at_once(1))
    await party.permit(party.costs("a"))
    async with trio.open_nursery() as nursery:

        async def one() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await party.permit(party.costs("a"))

        for _ in range(3):
            nursery.start_soon(one)
        await trio.testing.wait_all_tasks_blocked()
        party.queue.close()
    assert party.queue.limits.throttles["a"].watchers == ()


async def test_idle_limits_are_dropped_and_those_in_use_are_not(autojump_clock):
    party = Party()
    kept = party.limit("kept").throttle
    kept.block(party.queue.clock() + 60)
    busy = await party.permit(party.costs("busy"))
    for number in range(2 * MAX_IDLE):
        party.limit(f"lane {number}")
        party.queue.drop_idle()
    assert len(party.queue.limits.throttles) <= MAX_IDLE + 2
    assert party.limit("kept").throttle is kept
    assert party.limit("busy").throttle is busy.lane
