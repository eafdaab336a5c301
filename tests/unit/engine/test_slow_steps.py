"""`SlowSteps`: code that blocks the event loop for more than a second is named once, and counted at the end."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from crawler import (
    Crawl,
    CrawlFailed,
    Failure,
    Item,
    Plugin,
    Request,
    Response,
    Row,
    Settings,
    Spider,
    Usage,
    crawl,
)
from crawler.engine import slow_steps, wiring
from crawler.engine.slow_steps import SlowSteps, describe_handler
from crawler.hooks.table import HOOKS
from crawler.testing import FakeSite, Page

URL = "https://site.test/"


class Time:
    """A clock that the code of users moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Time:
    return Time()


def handler(_: Any) -> None: ...


LINE = handler.__code__.co_firstlineno
NAME = f"handler ({__file__}:{LINE})"


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "blocked" in record.getMessage()]


# ---- one step --------------------------------------------------------------------------------------------------------


def test_only_a_step_of_more_than_a_second_is_logged(clock: Time, caplog: pytest.LogCaptureFixture) -> None:
    slow = SlowSteps(clock)
    slow.check(slow.clock() - 1.0, handler, URL)
    assert not messages(caplog)
    slow.check(slow.clock() - 1.25, handler, URL)
    [message] = messages(caplog)
    assert message.startswith(
        f"{NAME} blocked the event loop for 1.2 s at {URL}: no other request continued meanwhile;"
    )
    slow.finish()
    assert len(messages(caplog)) == 1


def test_further_steps_are_one_line_at_the_end(clock: Time, caplog: pytest.LogCaptureFixture) -> None:
    slow = SlowSteps(clock)
    for seconds in (2.0, 5.0, 3.0):
        clock.work(10.0)
        slow.check(slow.clock() - seconds, handler, f"{URL}{seconds:g}")
    clock.work(10.0)
    slow.check(slow.clock() - 9.0, print, "")
    assert len(messages(caplog)) == 2
    slow.finish()
    assert messages(caplog)[2:] == [
        f"{NAME} blocked the event loop 3 times, for 10.0 s in total and at most 5.0 s, at {URL}5"
    ]


def test_the_number_of_handlers_in_memory_is_bounded(
    clock: Time, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_steps, "MAX_HANDLERS", 3)
    slow = SlowSteps(clock)
    for n in range(9):
        clock.work(3.0)
        slow.check(slow.clock() - 2.0, functools.partial(handler, n), "")
    assert len(messages(caplog)) == 3


def test_a_handler_is_described_by_its_definition() -> None:
    class Shop:
        @functools.wraps(handler)
        def wrapped(self) -> None: ...

        def plain(self) -> None: ...

    assert describe_handler(Shop().wrapped) == NAME
    line = Shop.plain.__code__.co_firstlineno
    assert describe_handler(Shop().plain).endswith(f"Shop.plain ({__file__}:{line})")
    assert describe_handler(print) == "print"


# ---- coroutines ------------------------------------------------------------------------------------------------------


async def test_a_coroutine_is_measured_between_its_suspensions(clock: Time, caplog: pytest.LogCaptureFixture) -> None:
    slow = SlowSteps(clock)

    async def work(*steps: float) -> str:
        for seconds in steps:
            clock.work(seconds)
            await trio.lowlevel.checkpoint()
        return "done"

    assert await slow.watch(work(0.9, 0.9, 0.9), handler, URL) == "done"
    assert not messages(caplog)
    assert await slow.watch(work(0.9, 1.1, 0.9), handler, URL) == "done"
    assert len(messages(caplog)) == 1


async def test_a_coroutine_that_is_watched_is_cancelled_closed_and_raises_as_ever(clock: Time) -> None:
    slow = SlowSteps(clock)
    ended: list[str] = []

    async def wait() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("wait")

    with trio.CancelScope() as scope:
        scope.cancel()
        await slow.watch(wait(), handler, URL)
    assert scope.cancelled_caught

    async def fail() -> None:
        await trio.lowlevel.checkpoint()
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await slow.watch(fail(), handler, URL)

    async def survive() -> str:
        with trio.move_on_after(0):
            await trio.sleep_forever()
        return "survived"

    assert await slow.watch(survive(), handler, URL) == "survived"
    assert ended == ["wait"]


# ---- in a crawl ------------------------------------------------------------------------------------------------------


class Ticks(Time):
    """A clock that is never read twice at the same time."""

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


STEPS = Ticks()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only `block` take time in a crawl, however busy the machine is."""
    monkeypatch.setattr(wiring, "SlowSteps", functools.partial(SlowSteps, STEPS))


def block() -> None:
    STEPS.work(2.0)


class Blocks(Spider):
    """Blocks in a callback of one of many forms."""

    settings = Settings(workers=1, attempts=1, obey_robots=False)
    start_urls = [URL]

    def __init__(self, how: str = "") -> None:
        super().__init__()
        self.how = how

    def start(self) -> Iterator[Request]:
        if self.how == "start":
            block()
        yield Request(URL, callback=self.how if self.how.startswith("a_") else None, errback="missed")

    def parse(self, response: Response) -> dict[str, int]:
        return {"n": 1}

    def a_generator(self, response: Response) -> Iterator[Any]:
        yield {"n": 1}
        block()

    def a_function(self, response: Response) -> None:
        block()

    def a_function_that_raises(self, response: Response) -> None:
        block()
        raise ValueError("late")

    def a_generator_that_raises(self, response: Response) -> Iterator[Any]:
        yield {"n": 1}
        block()
        raise ValueError("late")

    async def a_coroutine(self, response: Response) -> None:
        await trio.sleep(3600)
        block()

    async def an_async_generator(self, response: Response) -> AsyncIterator[Any]:
        yield {"n": 1}
        await trio.sleep(3600)
        block()

    async def a_coroutine_that_waits(self, response: Response) -> None:
        await trio.sleep(3600)

    def missed(self, failure: Failure) -> None:
        if self.how == "missed":
            block()


class Hooks(Plugin):
    """Blocks in a hook."""

    def __init__(self, how: str) -> None:
        self.how = how

    def parse(self, response: Response) -> Any:
        if self.how == "parse":
            block()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        if self.how == "lifespan":
            block()
        yield

    def admit(self, request: Request) -> None:
        if self.how == "admit":
            block()

    async def answer(self, request: Request) -> None:
        if self.how == "answer":
            block()

    async def fetch(self, request: Request, send: Callable[[Request], Awaitable[Any]]) -> Any:
        result = await send(request)
        if self.how == "fetch":
            block()
        return result

    async def refine(self, item: Item, response: Response) -> None:
        if self.how == "refine":
            block()

    def measure(self, usage: Usage) -> None:
        if self.how == "measure":
            block()

    async def failed(self, failure: Failure) -> None:
        if self.how == "failed":
            block()

    async def persist(self, batch: Sequence[Row]) -> None:
        if self.how == "persist":
            block()


FORMS = ["a_generator", "a_function", "a_function_that_raises", "a_generator_that_raises", "a_coroutine"]


@pytest.mark.parametrize("how", [*FORMS, "missed", "start", *HOOKS])
async def test_a_crawl_names_what_blocks_it(
    autojump_clock: MockClock, counted: None, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    site = FakeSite({"/": Page("x", status=500 if how in ("missed", "failed") else 200)})
    await crawl(Blocks(how), plugins=[Hooks(how)], transport=site.transport)
    owner = Hooks if how in HOOKS else Blocks
    method: Callable[..., Any] = getattr(owner, how)
    [message] = messages(caplog)
    line = inspect.unwrap(method).__code__.co_firstlineno
    plugin = " of the plugin hooks" if owner is Hooks else ""
    assert message.startswith(f"{owner.__name__}.{how} ({__file__}:{line}){plugin} blocked the event loop")
    assert (f" at {URL}" in message) == (how not in ("start", "persist", "lifespan"))


class Inner(Plugin):
    """Is called by the `send` of the plugin before it."""

    async def fetch(self, request: Request, send: Callable[[Request], Awaitable[Any]]) -> None:
        block()


async def test_a_fetch_hook_is_not_blamed_for_what_its_send_calls(
    autojump_clock: MockClock, counted: None, caplog: pytest.LogCaptureFixture
) -> None:
    await crawl(Blocks(), plugins=[Hooks(""), Inner()], transport=FakeSite({"/": "x"}).transport)
    [message] = messages(caplog)
    assert message.startswith("Inner.fetch (")


async def test_the_network_that_blocks_is_named_and_not_the_hook_around_it(
    autojump_clock: MockClock, counted: None, caplog: pytest.LogCaptureFixture
) -> None:
    def blocks(_: Any) -> str:
        block()
        return "x"

    await crawl(Blocks(), plugins=[Hooks("")], transport=FakeSite({"/": blocks}).transport)
    [message] = messages(caplog)
    assert message.startswith("Downloader.fetch (")


async def test_an_async_generator_is_named_and_a_wait_is_not(
    autojump_clock: MockClock, counted: None, caplog: pytest.LogCaptureFixture
) -> None:
    site = FakeSite({"/": "x"})

    class Waits(Blocks):
        parse = Blocks.a_coroutine_that_waits

    class Generates(Blocks):
        parse = Blocks.an_async_generator

    await crawl(Waits(), transport=site.transport)
    assert not messages(caplog)
    await crawl(Generates(), transport=site.transport)
    assert messages(caplog)[0].startswith("Blocks.an_async_generator (")


async def test_a_page_that_is_parsed_for_its_refresh_is_named(
    autojump_clock: MockClock, counted: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.engine.decide.refresh_request", lambda *_, **__: block())
    await crawl(Blocks(), settings=Settings(follow_refresh=5), transport=FakeSite({"/": "x"}).transport)
    [message] = messages(caplog)
    assert message.startswith("decide (")
    assert f" at {URL}" in message


async def test_a_callback_that_blocks_on_every_page_is_counted_also_if_the_crawl_fails(
    autojump_clock: MockClock, counted: None, caplog: pytest.LogCaptureFixture
) -> None:
    class Every(Blocks):
        start_urls = [f"{URL}{n}" for n in range(3)]
        start = Spider.start
        parse = Blocks.a_generator

    class Fails(Plugin):
        async def persist(self, batch: Sequence[Row]) -> None:
            raise CrawlFailed("full")

    site = FakeSite({f"/{n}": "x" for n in range(3)})
    await crawl(Every(), transport=site.transport)
    first, count = messages(caplog)
    assert f" at {URL}0" in first
    assert " 3 times, " in count
    with pytest.raises(CrawlFailed):
        await crawl(Every(), outputs=[Fails()], settings=Settings(sink_lag=1), transport=site.transport)
