"""`Slots`: waiting in place for a token and a start of a lane."""

from __future__ import annotations

import math

import pytest
import trio
from support import attempts
from trio.testing import MockClock, wait_all_tasks_blocked

from crawler import Request, Settings, WouldExceedDeadline
from crawler.clock import Clock
from crawler.engine.slots import SharedTokens, Slots, current_ticket
from crawler.frontier import Frontier, InlineTicket, Lane

A = "https://a.test"
REQUEST = Request(f"{A}/")


class Case:
    """A lane with one token and a delay, and what waits for it."""

    def __init__(self, delay: float = 10.0) -> None:
        self.clock = Clock()
        self.frontier = Frontier(Settings(per_host=1, delay=delay, obey_robots=False))
        self.frontier.advance_clock(self.clock())
        self.lane: Lane = self.frontier.lanes.open(A, epoch=1, head=(), more=False)
        self.slots = Slots(self.frontier, self.clock)

    def ticket(self) -> InlineTicket:
        self.lane.open_tickets += 1
        return self.frontier.inline_ticket(self.lane, REQUEST, self.clock())

    async def begin(self, give_up_at: float = math.inf) -> InlineTicket:
        """A request in flight."""
        ticket = self.ticket()
        await self.slots.acquire(ticket, give_up_at)
        await self.slots.start(ticket, give_up_at)
        return ticket

    def end(self, ticket: InlineTicket) -> None:
        """Its bytes went out, and its body has ended."""
        ticket.mark_sent(self.clock())
        self.frontier.settle(ticket)


async def test_the_first_request_starts_at_once_and_the_next_after_the_delay(autojump_clock: MockClock) -> None:
    case = Case()
    began = trio.current_time()
    case.end(await case.begin())
    assert case.slots.wait(case.lane, REQUEST) == pytest.approx(10.0)
    case.end(await case.begin())
    assert trio.current_time() - began == pytest.approx(10.0)


async def test_a_token_is_waited_for_until_the_request_before_ends(autojump_clock: MockClock) -> None:
    case = Case(delay=0.0)
    first = await case.begin()
    tickets: list[InlineTicket] = []

    async def second() -> None:
        tickets.append(await case.begin())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(second)
        await wait_all_tasks_blocked()
        assert tickets == []
        case.end(first)
    assert tickets[0].permit.is_in_flight
    case.end(tickets[0])
    assert case.lane.throttle.busy == 0


async def test_a_wait_for_a_token_ends_at_the_deadline(autojump_clock: MockClock) -> None:
    case = Case(delay=0.0)
    await case.begin()
    began = trio.current_time()
    with pytest.raises(WouldExceedDeadline, match=r"https://a.test allows no further request at once") as info:
        await case.begin(began + 3.0)
    assert trio.current_time() - began == pytest.approx(3.0)
    assert info.value.scope == A
    assert info.value.retry_at == pytest.approx(case.clock())


async def test_a_start_that_is_too_late_is_not_waited_for_at_all(autojump_clock: MockClock) -> None:
    case = Case(delay=10.0)
    case.end(await case.begin())
    began = trio.current_time()
    ticket = case.ticket()
    await case.slots.acquire(ticket, math.inf)
    with pytest.raises(WouldExceedDeadline, match=r"allows the next request in 10\.0 s: the wait is too long") as info:
        await case.slots.start(ticket, began + 3.0)
    assert trio.current_time() == began
    assert info.value.retry_at == pytest.approx(case.clock() + 10.0)


@pytest.mark.parametrize(
    ("wait", "patience", "deadline", "fits"),
    [
        (0.0, 0.0, math.inf, True),
        (0.0, 0.0, 0.0, True),  # nothing to wait for
        (5.0, 5.0, math.inf, True),
        (5.1, 5.0, math.inf, False),
        (5.0, -1.0, math.inf, False),
        (5.0, math.inf, 6.0, True),
        (5.0, math.inf, 5.0, False),
        (math.inf, 0.0, 1.0, True),  # a request in flight may end at any time
    ],
)
async def test_a_wait_has_to_fit(
    autojump_clock: MockClock, wait: float, patience: float, deadline: float, *, fits: bool
) -> None:
    case = Case()
    with trio.CancelScope(deadline=trio.current_time() + deadline):
        if fits:
            case.slots.check(wait, patience, case.lane, REQUEST)
        else:
            with pytest.raises(WouldExceedDeadline):
                case.slots.check(wait, patience, case.lane, REQUEST)


async def test_a_hook_inside_an_attempt_shares_its_place(autojump_clock: MockClock) -> None:
    case = Case(delay=0.0)
    page = await case.begin()
    token = current_ticket.set(page)
    try:
        inner = await case.begin(trio.current_time() + 1.0)
        assert not inner.permit.is_in_flight
        case.end(inner)
    finally:
        current_ticket.reset(token)
    assert case.lane.throttle.busy == 1


async def test_a_cancelled_wait_leaves_nothing_taken(autojump_clock: MockClock) -> None:
    case = Case(delay=0.0)
    first = await case.begin()
    ticket = case.ticket()
    with trio.move_on_after(1.0):
        await case.slots.acquire(ticket, math.inf)
    case.frontier.settle(ticket)
    assert not ticket.permit.is_in_flight
    case.end(first)
    assert (case.lane.throttle.busy, case.lane.open_tickets) == (0, 0)


async def test_a_lane_that_is_draining_starts_only_inline_fetches_of_its_own_pages(autojump_clock: MockClock) -> None:
    case = Case(delay=0.0)
    case.lane.is_draining = True
    assert case.slots.wait(case.lane, REQUEST) == math.inf
    ticket = case.ticket()
    token = current_ticket.set(ticket)  # type: ignore[arg-type]  # any ticket of the lane
    assert case.slots.wait(case.lane, REQUEST) <= 0.0
    current_ticket.reset(token)


async def test_a_token_is_borrowed_once_its_hook_has_no_request_in_flight_and_is_returned(
    autojump_clock: MockClock,
) -> None:
    case = attempts.Case()
    ticket = case.ticket()
    lane = ticket.lane
    lane.limiter.total_tokens = 1
    tokens = SharedTokens(case.frontier)
    inline = case.frontier.inline_ticket(lane, Request(f"{attempts.A}/part"), 0.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tokens.acquire, inline)
        await wait_all_tasks_blocked()
        lenders = [inline.lender]
        tokens.lend(ticket)
        await wait_all_tasks_blocked()
        lenders.append(inline.lender)
    assert lenders == [None, ticket]
    assert ticket.is_lent
    with pytest.raises(trio.TooSlowError), trio.fail_after(1):
        await tokens.take_back(ticket)
    case.frontier.release(inline)
    tokens.give_back(inline)
    with trio.fail_after(1):
        await tokens.take_back(ticket)
    assert not ticket.is_lent


async def test_a_draining_lane_starts_what_a_hook_of_one_of_its_pages_may_wait_for(autojump_clock: MockClock) -> None:
    case = Case(delay=0.0)
    page = await case.begin()
    case.lane.is_draining = True
    case.slots.tokens.lend(page)
    assert case.slots.wait(case.lane, REQUEST) <= 0.0
    case.slots.tokens.end(page)
    assert case.slots.wait(case.lane, REQUEST) == math.inf


async def test_a_hook_that_has_sent_nothing_returns_its_start_to_a_request_that_would_have_to_wait(
    autojump_clock: MockClock,
) -> None:
    case = Case(delay=10.0)
    page = await case.begin()
    assert case.slots.wait(case.lane, REQUEST) == pytest.approx(10.0)
    case.slots.tokens.lend(page)
    assert case.slots.wait(case.lane, REQUEST) <= 0.0
    assert not page.permit.is_open
    await case.slots.start(page)
    page.mark_sent(case.clock())
    assert case.slots.wait(case.lane, REQUEST) == pytest.approx(10.0)
    assert page.permit.is_open
