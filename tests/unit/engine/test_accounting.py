"""What limits, statistics and `measure` hooks learn from an attempt."""

from __future__ import annotations

from typing import Any

import pytest
from support.attempts import A, Case, Fetch, Measure, response
from trio.testing import MockClock

from crawler import (
    BrokenExchange,
    CrawlFailed,
    Drop,
    FetchTimeout,
    Pause,
    Request,
    RequestError,
    Retry,
    Stop,
)


async def test_an_error_is_settled_and_measured_as_well(autojump_clock: MockClock) -> None:
    measure = Measure()
    case = Case(measure, answer=FetchTimeout("late", request=Request("https://elsewhere.test/")))
    ticket = case.ticket()
    with pytest.raises(FetchTimeout) as info:
        await case.attempts.make(ticket, 1)
    assert info.value.request is ticket.request
    assert (measure.usages[0].event, measure.usages[0].error) == ("error", info.value)
    assert case.is_settled()
    assert case.stats.requests == 1


async def test_a_refusal_is_counted_and_blocks_the_lane(autojump_clock: MockClock) -> None:
    measure = Measure()
    case = Case(measure, answer=response(429, **{"Retry-After": "60"}))
    ticket = case.ticket()
    await case.attempts.make(ticket, 1)
    assert ticket.was_rate_limited
    assert measure.usages[0].event == "refused"
    assert case.stats.lanes[A].refusals == 1
    assert case.next_start() == pytest.approx(60.0, abs=2.0)


async def test_a_refusal_without_a_response_is_counted_and_blocks_the_lane(autojump_clock: MockClock) -> None:
    error = BrokenExchange("HTTP/2 stream 1 reset by server (error 0xb ENHANCE_YOUR_CALM)")
    error.kind = "enhance_your_calm"
    measure = Measure()
    case = Case(measure, answer=error)
    ticket = case.ticket()
    with pytest.raises(BrokenExchange):
        await case.attempts.make(ticket, 1)
    assert ticket.was_rate_limited
    assert (measure.usages[0].event, measure.usages[0].error) == ("refused", error)
    assert case.stats.lanes[A].refusals == 1
    assert case.next_start() > 0.1


@pytest.mark.parametrize("result", [Drop("unwanted"), Retry("captcha", after=5.0)])
async def test_the_limits_learn_from_a_response_that_a_hook_does_not_return(
    autojump_clock: MockClock, result: Any
) -> None:
    async def refuse(request: Request, send: Any) -> Any:
        await send(request)
        return result

    measure = Measure()
    case = Case(Fetch(refuse), measure, answer=response(429, **{"Retry-After": "60"}))
    assert await case.attempts.make(case.ticket(), 1) == result
    lane = case.stats.lane(A)
    assert (case.stats.requests, lane.requests, lane.refusals) == (1, 1, 1)
    assert [usage.event for usage in measure.usages] == ["refused"]
    assert case.next_start() >= 60.0


async def test_the_limits_learn_from_a_failure_that_a_hook_hides(autojump_clock: MockClock) -> None:
    async def hide(request: Request, send: Any) -> Any:
        try:
            return await send(request)
        except RequestError:
            return Retry("again", after=5.0)

    measure = Measure()
    case = Case(Fetch(hide), measure, answer=FetchTimeout("late"))
    assert isinstance(await case.attempts.make(case.ticket(), 1), Retry)
    assert (case.stats.requests, [usage.event for usage in measure.usages]) == (1, ["error"])
    assert case.is_settled()


async def test_the_longest_pause_wins_and_a_stop_stops_by_limit(autojump_clock: MockClock) -> None:
    class Other(Measure):
        name = "other"

    class Third(Measure):
        name = "third"

    case = Case(Measure(Pause(30.0)), Other(Pause(90.0)), Third(Stop("enough")))
    await case.attempts.make(case.ticket(), 1)
    assert case.next_start() == pytest.approx(90.0)
    assert (case.shutdown.reason, case.shutdown.by_limit) == ("enough", True)


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        ("later", "measure.measure returned str, not a Pause or Stop"),
        (ValueError("x"), "measure.measure failed: ValueError: x"),
    ],
)
async def test_a_measure_hook_that_breaks_its_contract_fails_the_crawl(
    autojump_clock: MockClock, verdict: Any, message: str
) -> None:
    measure = Measure(verdict)
    if isinstance(verdict, Exception):
        measure.look = lambda: (_ for _ in ()).throw(verdict)
    case = Case(measure)
    with pytest.raises(CrawlFailed, match=message):
        await case.attempts.make(case.ticket(), 1)
