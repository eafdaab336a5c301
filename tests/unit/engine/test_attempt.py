"""`Attempts`: the order of one attempt, and what it takes and releases."""

from __future__ import annotations

import math

import pytest
import trio
from support.attempts import A, Case, Measure
from trio.testing import MockClock

from crawler import (
    ConnectFailed,
    Request,
    RequestError,
    Response,
    WouldExceedDeadline,
)
from crawler.fetch.body_reader import BodyHandling

# ---- the order -------------------------------------------------------------------------------------------------------


async def test_a_token_is_released_before_the_measure_hooks_are_called(autojump_clock: MockClock) -> None:
    measure = Measure()
    case = Case(measure)
    measure.look = case.is_settled
    ticket = case.ticket()
    assert case.lane.throttle.busy == 1
    found = await case.attempts.make(ticket, 3)
    assert isinstance(found, Response)
    assert measure.seen == [True]
    assert (measure.usages[0].event, measure.usages[0].requests, measure.usages[0].response) == ("answer", 1, found)
    body = case.downloader.options.pop("body")
    assert (body.truncate_at, body.receiver, body.reservation.budget) == (None, None, case.frontier.bodies)
    assert case.downloader.options == {"attempt": 3, "resend": False}  # a lane with a pace resends nothing
    assert (case.stats.requests, case.stats.lanes[A].requests, case.stats.lanes[A].refusals) == (1, 1, 0)
    assert case.next_start() == pytest.approx(9.0)  # the delay counts from when the bytes went out
    assert not ticket.permit.is_open


async def test_a_cancelled_attempt_settles_nothing_but_releases_its_token(autojump_clock: MockClock) -> None:
    measure = Measure()
    case = Case(measure)
    ticket = case.ticket()
    with trio.move_on_after(0.5):
        await case.attempts.make(ticket, 1)
    assert (measure.usages, case.stats.requests) == ([], 1)  # it was sent
    assert case.is_settled()
    assert ticket.permit.is_open  # until the ticket is put back
    case.frontier.put_back(ticket)
    assert not ticket.permit.is_open


# ---- inline ----------------------------------------------------------------------------------------------------------


async def test_an_inline_attempt_waits_for_the_delay_of_its_lane_and_releases_everything(
    autojump_clock: MockClock,
) -> None:
    case = Case()
    request = Request(f"{A}/inline")
    began = trio.current_time()
    for _ in range(2):
        found = await case.attempts.make_inline(case.inline(request), 1, body=BodyHandling(truncate_at=100))
        assert isinstance(found, Response)
    assert trio.current_time() - began == pytest.approx(11.0)
    assert case.downloader.options["body"].truncate_at == 100
    assert (case.is_settled(), case.lane.open_tickets, case.stats.requests) == (True, 0, 2)


async def test_an_inline_attempt_that_is_too_late_takes_nothing(autojump_clock: MockClock) -> None:
    case = Case()
    request = Request(f"{A}/inline")
    await case.attempts.make_inline(case.inline(request), 1)
    with pytest.raises(WouldExceedDeadline):
        await case.attempts.make_inline(case.inline(request), 1, patience=5.0)
    with pytest.raises(WouldExceedDeadline), trio.CancelScope(deadline=trio.current_time() + 5.0):
        await case.attempts.make_inline(case.inline(request), 1, patience=math.inf)
    assert (case.is_settled(), case.lane.open_tickets, case.stats.requests) == (True, 0, 1)


async def test_an_inline_attempt_that_fails_releases_everything(autojump_clock: MockClock) -> None:
    case = Case(answer=ConnectFailed("refused"))
    with pytest.raises(RequestError):
        await case.attempts.make_inline(case.inline(Request(f"{A}/inline")), 1)
    assert (case.is_settled(), case.lane.open_tickets) == (True, 0)
