"""`SharedTokens`: a token is lent only while hooks without a request in flight hold all tokens of their lane."""

from __future__ import annotations

import pytest
import trio
from support.attempts import A, Case
from trio.testing import MockClock, wait_all_tasks_blocked

from crawler import Request
from crawler.engine.shared_tokens import SharedTokens


async def test_a_token_is_borrowed_once_its_hook_has_no_request_in_flight_and_is_returned(
    autojump_clock: MockClock,
) -> None:
    case = Case()
    ticket = case.ticket()
    lane = ticket.lane
    lane.limiter.total_tokens = 1
    tokens = SharedTokens(case.frontier)
    inline = case.frontier.inline_ticket(lane, Request(f"{A}/part"), 0.0)
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
