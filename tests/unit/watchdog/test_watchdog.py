"""`Watchdog`: what blocks the event loop and what does not return is named.

Real time passes here, since the thread looks from outside: some tenths of a second a test, with smaller figures.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from support.compiled import compiled
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
from crawler.hooks.table import HOOKS
from crawler.testing import FakeSite, Page
from crawler.watchdog import Watchdog, watchdog

URL = "https://site.test/"
BLOCKED = 0.4
"""Seconds for which the tests block the event loop."""


def messages(caplog: pytest.LogCaptureFixture, words: str = "blocked") -> list[str]:
    return [record.getMessage() for record in caplog.records if words in record.getMessage()]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fifth of the time be long."""
    monkeypatch.setattr(watchdog, "SLOW", 0.2)
    monkeypatch.setattr(watchdog, "LOOK", 0.03)
    monkeypatch.setattr(watchdog, "LONG", 0.5)
    monkeypatch.setattr(watchdog, "WAITS", 0.1)
    monkeypatch.setattr(watchdog, "CANCELLED", 0.2)


# ---- what blocks -----------------------------------------------------------------------------------------------------


def block() -> None:
    time.sleep(BLOCKED)


def hold() -> None:
    """Hold the interpreter in one call of a function in C, as a regular expression does, so that no thread runs."""
    began = time.process_time()
    sum(range(1_000_000))
    took = time.process_time() - began
    sum(range(int(1_000_000 * BLOCKED / took)))


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
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, how: str
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
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    await crawl(Blocks(), plugins=[Hooks(""), Inner()], transport=FakeSite({"/": "x"}).transport)
    [message] = messages(caplog)
    assert message.startswith("Inner.fetch (")


async def test_the_network_that_blocks_is_named_and_not_the_hook_around_it(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def blocks(_: Any) -> str:
        block()
        return "x"

    await crawl(Blocks(), plugins=[Hooks("")], transport=FakeSite({"/": blocks}).transport)
    [message] = messages(caplog)
    assert message.startswith("Downloader.fetch (")


async def test_an_async_generator_is_named_and_a_wait_is_not(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
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


async def test_the_engine_that_blocks_for_a_page_is_named(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = f"__import__('time').sleep({BLOCKED})"
    parse = compiled("crawler.html.refresh", "refresh_request", body, "def")
    monkeypatch.setattr("crawler.decision.decide.refresh_request", parse)
    await crawl(Blocks(), settings=Settings(follow_refresh=5), transport=FakeSite({"/": "x"}).transport)
    [message] = messages(caplog)
    assert message.startswith("refresh_request (")
    assert f" at {URL}" in message


async def test_a_function_that_holds_the_interpreter_is_named(caplog: pytest.LogCaptureFixture) -> None:
    class Holds(Blocks):
        def parse(self, response: Response) -> None:
            hold()

    await crawl(Holds(), transport=FakeSite({"/": "x"}).transport)
    assert messages(caplog)[0].startswith(f"{Holds.parse.__qualname__} (")


async def test_steps_that_are_short_are_not_named_although_they_are_of_one_handler(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Short(Blocks):
        async def parse(self, response: Response) -> None:  # type: ignore[override]
            for _ in range(20):
                time.sleep(0.03)  # noqa: ASYNC251 - a busy loop
                await trio.lowlevel.checkpoint()

    await crawl(Short(), transport=FakeSite({"/": "x"}).transport)
    assert not messages(caplog)


async def test_the_number_of_handlers_in_memory_is_bounded(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "MAX_NAMED", 2)

    class Many(Blocks):
        def parse(self, response: Response) -> Iterator[Any]:
            block()
            for callback in ("a_function", "a_generator"):
                yield Request(f"{URL}{callback}", callback=callback)

    site = FakeSite({"/": "x", "/a_function": "x", "/a_generator": "x"})
    await crawl(Many(), transport=site.transport)
    assert len(messages(caplog)) == 2


async def test_a_callback_that_blocks_on_every_page_is_counted_also_if_the_crawl_fails(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
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
    assert " in total and at most " in count
    with pytest.raises(CrawlFailed):
        await crawl(Every(), outputs=[Fails()], settings=Settings(sink_lag=1), transport=site.transport)


# ---- what does not return --------------------------------------------------------------------------------------------


class Waits(Plugin):
    """Waits for some seconds in a hook."""

    def __init__(self, seconds: float = 1.2, fetches: str = "") -> None:
        self.seconds = seconds
        self.fetches = fetches

    async def refine(self, item: Item, response: Response) -> None:
        async with trio.open_nursery() as nursery:
            if self.fetches:
                nursery.start_soon(self.crawl.fetch, Request(self.fetches))
            nursery.start_soon(trio.sleep, self.seconds)


async def test_a_call_that_does_not_return_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    class Two(Blocks):
        start_urls = [URL, f"{URL}b"]
        start = Spider.start

    await crawl(Two(), plugins=[Waits()], transport=FakeSite({"/": "x", "/b": "x"}).transport)
    [message] = messages(caplog, "not returned")
    assert message == f"waits.refine has not returned for 1 s for {URL}; the crawl waits for it"


async def test_waits_for_the_network_do_not_count(caplog: pytest.LogCaptureFixture) -> None:
    site = FakeSite({"/": "x", "/slow": Page("x", delay=1.0)})
    await crawl(Blocks(), plugins=[Waits(0.0, f"{URL}slow")], transport=site.transport)
    assert not messages(caplog, "not returned")

    class Wraps(Plugin):
        async def fetch(self, request: Request, send: Callable[[Request], Awaitable[Any]]) -> Any:
            return await send(request)

    await crawl(Blocks(), plugins=[Wraps()], transport=FakeSite({"/": Page("x", delay=1.0)}).transport)
    assert not messages(caplog, "not returned")


async def test_the_hook_that_waits_inside_of_another_one_is_named(caplog: pytest.LogCaptureFixture) -> None:
    class Sleeps(Plugin):
        async def fetch(self, request: Request, send: Callable[[Request], Awaitable[Any]]) -> Any:
            await trio.sleep(1.0)
            return await send(request)

    await crawl(Blocks(), plugins=[Hooks(""), Sleeps()], transport=FakeSite({"/": "x"}).transport)
    [message] = messages(caplog, "not returned")
    assert message.startswith("sleeps.fetch has not returned for ")


async def test_a_sink_that_blocks_its_worker_thread_is_named(caplog: pytest.LogCaptureFixture) -> None:
    class Stores(Plugin):
        def persist(self, batch: Sequence[Row]) -> None:
            time.sleep(1.0)

    await crawl(Blocks(), outputs=[Stores()], transport=FakeSite({"/": "x"}).transport)
    assert messages(caplog, "not returned") == ["stores.persist has not returned for 1 s; the crawl waits for it"]


async def test_background_tasks_and_idle_lifespans_are_not_named(caplog: pytest.LogCaptureFixture) -> None:
    class Background(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
            crawl.start_soon(self.forever)
            yield

        async def forever(self) -> None:
            await trio.sleep_forever()

    site = FakeSite({"/": Page("x", delay=1.0)})
    await crawl(Blocks(), plugins=[Background()], transport=site.transport)
    assert not messages(caplog, "not returned")


async def test_a_call_that_the_end_of_a_stop_cancels_is_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "LOOK", 0.15)
    settings = Settings(max_seconds=0.05, grace=0.9)
    monkeypatch.setattr(watchdog, "LONG", 60.0)
    await crawl(Blocks(), settings=settings, plugins=[Waits(30)], transport=FakeSite({"/": "x"}).transport)
    [message] = messages(caplog, "was cancelled")
    assert message == f"waits.refine was cancelled after 1 s for {URL}"


async def test_the_thread_ends_with_the_crawl() -> None:
    seen: list[int] = []

    def count() -> int:
        return sum(thread.name == "crawler watchdog" for thread in threading.enumerate())

    class Counts(Blocks):
        def parse(self, response: Response) -> None:
            seen.append(count())

    await crawl(Counts(), transport=FakeSite({"/": "x"}).transport)
    assert seen == [1]
    assert count() == 0


async def test_a_loop_that_waits_is_not_woken() -> None:
    with Watchdog(None):
        await trio.sleep(0.01)
        before = trio.lowlevel.current_statistics().run_sync_soon_queue_size
        await trio.sleep(0.3)
        assert trio.lowlevel.current_statistics().run_sync_soon_queue_size == before == 0
