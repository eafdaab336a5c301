"""`Attempts`: the order of one attempt, and what it takes and gives back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from crawler import (
    ConnectFailed,
    CrawlFailed,
    Drop,
    FetchTimeout,
    HookError,
    Pause,
    Plugin,
    Request,
    RequestError,
    Response,
    Retry,
    Settings,
    Spider,
    Stop,
    Usage,
    WouldExceedDeadline,
)
from crawler.clock import Clock
from crawler.engine.attempt import Attempts
from crawler.engine.decision import Policy
from crawler.engine.fetch_hooks import FetchHooks
from crawler.engine.long_calls import LongCalls
from crawler.engine.outages import OutageMonitor
from crawler.engine.retries import RetryPolicy
from crawler.engine.settlement import Settlement
from crawler.engine.shutdown import Shutdown
from crawler.engine.slots import Slots
from crawler.engine.slow_steps import SlowSteps
from crawler.frontier import Frontier, InlineTicket, PageTicket, Pending
from crawler.hooks.table import HookTable
from crawler.stats import Stats

A = "https://a.test"


class FakeDownloader:
    """Answers with what it was given, after a second on the network."""

    credentials = None

    def __init__(self, answer: Response | Exception) -> None:
        self.answer = answer
        self.sent: list[Request] = []
        self.options: dict[str, Any] = {}
        self.start_pages: list[str] = []

    async def fetch(self, request: Request, *, on_sent: Callable[[float], None], **options: Any) -> Response:
        self.sent.append(request)
        self.options = options
        on_sent(trio.current_time())
        await trio.sleep(1.0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer.replace(request=request)

    def note_start_page(self, request: Request) -> None:
        self.start_pages.append(request.url)


class Case:
    """Attempts on one lane with a delay of ten seconds."""

    def __init__(self, *plugins: Plugin, answer: Response | Exception | None = None, status: int = 200) -> None:
        self.clock = Clock()
        settings = Settings(per_host=1, delay=10.0, obey_robots=False)
        self.frontier = Frontier(settings)
        self.frontier.advance_clock(self.clock())
        self.stats = Stats()
        self.shutdown = Shutdown(10.0, self.frontier.changed.set)
        self.downloader = FakeDownloader(answer or response(status))
        table, slow = HookTable.build([Spider(), *plugins]), SlowSteps()
        outages = OutageMonitor(self.frontier, Policy(RetryPolicy(settings)))
        self.attempts = Attempts(
            self.downloader,  # type: ignore[arg-type]
            FetchHooks(table, LongCalls(), slow, self.downloader.fetch),
            self.frontier,
            Slots(self.frontier, self.clock),
            Settlement(table.measure, self.frontier, self.stats, self.shutdown, self.clock, outages, slow),
        )
        pending = Pending((0, 1), Request(f"{A}/"), A)
        self.lane = self.frontier.open(A, epoch=1, head=[pending], more=False)

    def ticket(self) -> PageTicket:
        ticket, _ = self.frontier.pop(self.clock())
        assert isinstance(ticket, PageTicket)
        return ticket

    def inline(self, request: Request) -> InlineTicket:
        return self.frontier.inline_ticket(self.lane, request, self.clock())

    def is_settled(self) -> bool:
        throttle = self.lane.throttle
        return self.lane.limiter.borrowed_tokens == 0 and not throttle.busy

    def next_start(self) -> float:
        """Seconds until the lane may start another request."""
        return self.frontier.ready_at(self.lane, Request(f"{A}/2"), self.clock()) - self.clock()


def response(status: int = 200, **headers: str) -> Response:
    return Response(f"{A}/", status, headers, b"x", request=Request(f"{A}/"))


class Fetch(Plugin):
    """A plugin whose `fetch` is a function."""

    name = "fetch"

    def __init__(self, function: Any, name: str = "fetch") -> None:
        self.function = function
        self.name = name

    async def fetch(self, request: Request, send: Any) -> Any:
        return await self.function(request, send)


class Measure(Plugin):
    """Keeps what it is asked, and has one verdict."""

    name = "measure"

    def __init__(self, verdict: Any = None, look: Callable[[], Any] = lambda: None) -> None:
        self.verdict = verdict
        self.look = look
        self.usages: list[Usage] = []
        self.seen: list[Any] = []

    def measure(self, usage: Usage) -> Any:
        self.usages.append(usage)
        self.seen.append(self.look())
        return self.verdict


async def _raise(error: Exception) -> None:
    raise error


async def _value(value: Any) -> Any:
    return value


async def _twice(request: Request, send: Any) -> None:
    await send(request)
    await send(request)


# ---- the order -------------------------------------------------------------------------------------------------------


async def test_a_response_gives_the_token_back_before_the_measure_hooks_are_asked(autojump_clock: MockClock) -> None:
    measure = Measure()
    case = Case(measure)
    measure.look = case.is_settled
    ticket = case.ticket()
    assert case.lane.limiter.borrowed_tokens == 1
    found = await case.attempts.make(ticket, 3)
    assert isinstance(found, Response)
    assert measure.seen == [True]
    assert (measure.usages[0].event, measure.usages[0].requests, measure.usages[0].response) == ("answer", 1, found)
    options = {"attempt": 3, "resend": False, "cut": None, "receiver": None}  # a lane with a pace resends nothing
    assert case.downloader.options.pop("room").budget is case.frontier.bodies
    assert case.downloader.options == options
    assert (case.stats.requests, case.stats.lanes[A].requests, case.stats.lanes[A].refusals) == (1, 1, 0)
    assert case.next_start() == pytest.approx(9.0)  # the delay counts from when the bytes went out
    assert not ticket.permit.is_open


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


async def test_a_cancelled_attempt_settles_nothing_but_gives_its_token_back(autojump_clock: MockClock) -> None:
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


# ---- hooks -----------------------------------------------------------------------------------------------------------


class Answer(Plugin):
    name = "cache"

    async def answer(self, request: Request) -> Response:
        return response()


async def test_an_answer_of_a_plugin_gives_the_start_back(autojump_clock: MockClock) -> None:
    case = Case(Answer())
    found = await case.attempts.make(case.ticket(), 1)
    assert isinstance(found, Response)
    assert found.source == "cache"
    assert (case.downloader.sent, case.downloader.start_pages) == ([], [f"{A}/"])
    assert case.stats.requests == 0
    assert case.next_start() <= 0.0
    assert case.is_settled()


async def test_the_answer_hooks_may_be_skipped(autojump_clock: MockClock) -> None:
    case = Case(Answer())
    await case.attempts.make(case.ticket(), 1, ask_answer=False)
    assert len(case.downloader.sent) == 1


async def test_the_first_fetch_hook_is_outermost(autojump_clock: MockClock) -> None:
    order: list[str] = []

    def around(name: str) -> Fetch:
        async def fetch(request: Request, send: Any) -> Any:
            order.append(f"before {name}")
            found = await send(request.replace(headers={"X-Way": request.headers.get("x-way", "") + name}))
            order.append(f"after {name}")
            return found

        return Fetch(fetch, name)

    case = Case(around("a"), around("b"))
    await case.attempts.make(case.ticket(), 1)
    assert order == ["before a", "before b", "after b", "after a"]
    assert case.downloader.sent[0].headers["x-way"] == "ab"


async def test_a_hook_that_returns_nothing_leaves_the_response_as_it_is(autojump_clock: MockClock) -> None:
    async def only_looks(request: Request, send: Any) -> None:
        await send(request)

    async def ignores(request: Request, send: Any) -> None:
        return None

    case = Case(Fetch(only_looks, "one"), Fetch(ignores, "two"))
    found = await case.attempts.make(case.ticket(), 1)
    assert isinstance(found, Response)
    assert len(case.downloader.sent) == 1


@pytest.mark.parametrize("result", [Drop("unwanted"), Retry("captcha", after=5.0)])
async def test_a_wish_of_a_hook_is_returned_and_not_measured(autojump_clock: MockClock, result: Any) -> None:
    async def refuse(request: Request, send: Any) -> Any:
        return result

    measure = Measure()
    case = Case(Fetch(refuse), measure)
    assert await case.attempts.make(case.ticket(), 1) == result
    assert measure.usages == []
    assert case.is_settled()


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


async def test_a_response_made_by_a_hook_belongs_to_the_request_that_was_asked(autojump_clock: MockClock) -> None:
    async def by_hand(request: Request, send: Any) -> Response:
        return response()

    case = Case(Fetch(by_hand))
    ticket = case.ticket()
    found = await case.attempts.make(ticket, 1)
    assert isinstance(found, Response)
    assert found.request is ticket.request
    assert case.next_start() <= 0.0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda request, send: _raise(ValueError("x")), "ValueError: x"),
        (lambda request, send: _value("text"), "returned str"),
        (_twice, r"RuntimeError: send\(\) may be awaited once"),
    ],
)
async def test_a_hook_that_breaks_its_contract_fails_the_attempt(
    autojump_clock: MockClock, function: Any, message: str
) -> None:
    case = Case(Fetch(function))
    with pytest.raises(HookError, match=message) as info:
        await case.attempts.make(case.ticket(), 1)
    assert (info.value.plugin, info.value.hook) == ("fetch", "fetch")
    assert case.is_settled()


async def test_an_error_of_a_request_passes_through_hooks_as_it_is(autojump_clock: MockClock) -> None:
    async def passes(request: Request, send: Any) -> Any:
        return await send(request)

    error = ConnectFailed("refused")
    case = Case(Fetch(passes), answer=error)
    with pytest.raises(ConnectFailed) as info:
        await case.attempts.make(case.ticket(), 1)
    assert info.value is error


async def test_a_request_may_opt_out_of_a_plugin(autojump_clock: MockClock) -> None:
    case = Case(Answer(), Fetch(lambda request, send: _raise(ValueError("x"))))
    ticket = case.ticket()
    ticket.pending.request = ticket.request.replace(plugins={"cache": False, "fetch": False})
    await case.attempts.make(ticket, 1)
    assert len(case.downloader.sent) == 1


# ---- measure ---------------------------------------------------------------------------------------------------------


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


# ---- inline ----------------------------------------------------------------------------------------------------------


async def test_an_inline_attempt_waits_for_the_delay_of_its_lane_and_leaves_nothing_behind(
    autojump_clock: MockClock,
) -> None:
    case = Case()
    request = Request(f"{A}/inline")
    began = trio.current_time()
    for _ in range(2):
        found = await case.attempts.make_inline(case.inline(request), 1, cut=100)
        assert isinstance(found, Response)
    assert trio.current_time() - began == pytest.approx(11.0)
    assert case.downloader.options["cut"] == 100
    assert (case.is_settled(), case.lane.handed_out, case.stats.requests) == (True, 0, 2)


async def test_an_inline_attempt_that_is_too_late_takes_nothing(autojump_clock: MockClock) -> None:
    case = Case()
    request = Request(f"{A}/inline")
    await case.attempts.make_inline(case.inline(request), 1)
    with pytest.raises(WouldExceedDeadline):
        await case.attempts.make_inline(case.inline(request), 1, patience=5.0)
    with pytest.raises(WouldExceedDeadline), trio.CancelScope(deadline=trio.current_time() + 5.0):
        await case.attempts.make_inline(case.inline(request), 1, patience=math.inf)
    assert (case.is_settled(), case.lane.handed_out, case.stats.requests) == (True, 0, 1)


async def test_an_inline_attempt_that_fails_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    case = Case(answer=ConnectFailed("refused"))
    with pytest.raises(RequestError):
        await case.attempts.make_inline(case.inline(Request(f"{A}/inline")), 1)
    assert (case.is_settled(), case.lane.handed_out) == (True, 0)
