"""Plugins that raise, return nonsense, block or hang, in each hook: the effect, the one message, and no loss."""

from __future__ import annotations

import inspect
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from support.trees import Follow
from trio.testing import MockClock

from crawler import CrawlerError, CrawlFailed, Plugin, PluginError, Report, Request, Response, Settings, crawl
from crawler import run as run_crawl
from crawler.hooks.table import HOOKS
from crawler.sinks import Held
from crawler.testing import FakeSite, Page
from crawler.watchdog import watchdog

SITE = {"/": "<a href='/a'>x</a><a href='/gone'>x</a>", "/a": "x", "/gone": Page(status=410)}
ITEMS = ["https://site.test/", "https://site.test/a"]


class Raises:
    """Raises in a hook."""

    def __str__(self) -> str:
        return "raises"

    async def later(self) -> Any:
        raise ValueError("broken")

    def now(self) -> Any:
        raise ValueError("broken")


class Exits(Raises):
    """Ends the process in a hook."""

    def __str__(self) -> str:
        return "exits"

    async def later(self) -> Any:
        sys.exit(3)

    def now(self) -> Any:
        sys.exit(3)


class Mute(Exception):
    """An exception without a usable message."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class RaisesMute(Raises):
    """Raises such an exception in a hook."""

    def __str__(self) -> str:
        return "raises without words"

    async def later(self) -> Any:
        raise Mute

    def now(self) -> Any:
        raise Mute


class Odd(BaseException):
    """An exception that ``except Exception`` does not catch."""


class RaisesOdd(Raises):
    """Raises such an exception in a hook."""

    def __str__(self) -> str:
        return "raises another BaseException"

    async def later(self) -> Any:
        raise Odd("broken")

    def now(self) -> Any:
        raise Odd("broken")


class RaisesGroup(Raises):
    """Raises such an exception in a nursery of a hook."""

    def __str__(self) -> str:
        return "raises in a nursery"

    async def later(self) -> Any:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(RaisesOdd().later)

    def now(self) -> Any:
        raise BaseExceptionGroup("all", [Odd("broken")])


class Hangs(Raises):
    """Never returns from a hook."""

    async def later(self) -> Any:
        await trio.sleep_forever()


class Blocks(Raises):
    """Blocks the event loop in a hook."""

    async def later(self) -> Any:
        time.sleep(0.3)  # noqa: ASYNC251 - that is the fault

    def now(self) -> Any:
        time.sleep(0.3)


class Returns(Raises):
    """Returns a value from a hook."""

    def __init__(self, make: Callable[[], Any], name: str) -> None:
        self.make = make
        self.name = name

    def __str__(self) -> str:
        return self.name

    async def later(self) -> Any:
        return self.make()

    def now(self) -> Any:
        return self.make()


async def forgotten() -> None:
    """A coroutine function that a hook calls without `await`."""


TEXT, COROUTINE, OBJECT = (
    Returns(lambda: "text", "text"),
    Returns(forgotten, "a coroutine"),
    Returns(object, "an object"),
)
HELD = Returns(lambda: Held(10_000), "too many rows")


def faulty(hook: str, fault: Raises, *, only: str = "") -> Plugin:
    """Return a plugin with a fault in one hook, for the request with this ending."""

    def applies(value: Any = None, *_: Any) -> bool:
        request = getattr(value, "request", value)
        return getattr(request, "url", "").endswith(only)

    async def later(_: Plugin, *args: Any) -> Any:
        return await fault.later() if applies(*args) else None

    def now(_: Plugin, *args: Any) -> Any:
        return fault.now() if applies(*args) else None

    async def refine(_: Plugin, item: Any, response: Any) -> Any:
        return await fault.later() if applies(response) else None

    async def persist(_: Plugin, batch: Any) -> Any:
        return await fault.later()

    def persist_now(_: Plugin, batch: Any) -> Any:
        return fault.now()

    @asynccontextmanager
    async def lifespan(_: Plugin, crawl: Any) -> AsyncIterator[None]:
        await fault.later()
        yield

    def other_lifespan(_: Plugin, crawl: Any) -> Any:
        return fault.now()

    hangs, returns = isinstance(fault, Hangs), isinstance(fault, Returns)
    methods = {
        "lifespan": other_lifespan if returns else lifespan,
        "admit": now,
        "answer": later,
        "fetch": later,
        "parse": later if hangs else now,
        "refine": refine,
        "persist": persist_now if fault is COROUTINE else persist,
        "measure": now,
        "failed": later,
    }  # fmt: skip
    function = inspect.unwrap(methods[hook])
    function.__code__ = function.__code__.replace(co_name=hook, co_qualname=f"Faulty.{hook}")
    return type("Faulty", (Plugin,), {hook: methods[hook]})()


class Outcome:
    """What became of a crawl with a faulty plugin."""

    def __init__(self) -> None:
        self.error: CrawlerError | None = None
        self.report: Report | None = None
        self.items: list[str] = []


class Keep(Plugin):
    """Keeps the items that it gets, over all runs of a job."""

    name = "keep"

    def __init__(self, items: list[str]) -> None:
        self.items = items

    async def persist(self, batch: Any) -> None:
        self.items += [row.item["url"] for row in batch if "url" in row.item]


async def run(plugin: Plugin | None, folder: Path, items: list[str], settings: Settings | None = None) -> Outcome:
    outcome = Outcome()
    plugins = [Keep(items)] if plugin is None else [plugin, Keep(items)]
    try:
        outcome.report = await crawl(
            Follow(),
            plugins=plugins,
            job=folder,
            transport=FakeSite(SITE).transport,
            settings=settings,
        )
    except CrawlerError as error:
        outcome.error = error
    return outcome


REFUSED = ("admit", "answer", "fetch", "parse", "refine")
"""Hooks whose failure fails one request."""
FAULTS = [
    ("lifespan", Raises(), CrawlFailed, "faulty.lifespan failed: ValueError: broken"),
    ("lifespan", TEXT, PluginError, "faulty.lifespan returned str, not an async context manager"),
    ("lifespan", COROUTINE, PluginError, "faulty.lifespan returned a coroutine, not an async context manager"),
    ("admit", Raises(), None, "faulty.admit failed for https://site.test/a: ValueError: broken"),
    ("admit", TEXT, None, "faulty.admit failed for https://site.test/a: returned str, not a Request or Drop"),
    ("admit", COROUTINE, None, "faulty.admit failed for https://site.test/a: returned a coroutine, not a Request or"),
    ("answer", Raises(), None, "faulty.answer failed for https://site.test/a: ValueError: broken"),
    ("answer", TEXT, None, "faulty.answer failed for https://site.test/a: returned str, not a Response"),
    ("answer", COROUTINE, None, "faulty.answer failed for https://site.test/a: returned a coroutine, not a Response"),
    ("fetch", Raises(), None, "faulty.fetch failed for https://site.test/a: ValueError: broken"),
    (
        "fetch",
        TEXT,
        None,
        "faulty.fetch failed for https://site.test/a: returned str, not a Response, Request, Retry or Drop",
    ),
    ("fetch", COROUTINE, None, "faulty.fetch failed for https://site.test/a: returned a coroutine, not a Response"),
    ("parse", Raises(), None, "faulty.parse failed for https://site.test/a: ValueError: broken"),
    ("parse", TEXT, None, "faulty.parse failed for https://site.test/a: TypeError: a callback must return requests"),
    ("parse", OBJECT, None, "faulty.parse failed for https://site.test/a: an item cannot be written as JSON"),
    ("refine", Raises(), None, "faulty.refine failed for https://site.test/a: ValueError: broken"),
    ("refine", TEXT, None, "faulty.refine failed for https://site.test/a: returned str, not an item or Drop"),
    ("refine", COROUTINE, None, "faulty.refine failed for https://site.test/a: returned a coroutine, not an item"),
    ("refine", OBJECT, None, "faulty.refine failed for https://site.test/a: an item cannot be written as JSON"),
    ("persist", Raises(), CrawlFailed, "faulty.persist cannot store items: ValueError: broken"),
    ("persist", OBJECT, CrawlFailed, "faulty.persist returned a position that cannot be written as JSON"),
    ("persist", COROUTINE, CrawlFailed, "faulty.persist returned a coroutine, not a position"),
    ("persist", HELD, CrawlFailed, "faulty.persist holds 10000 rows, of the "),
    ("measure", Raises(), CrawlFailed, "faulty.measure failed: ValueError: broken"),
    ("measure", TEXT, CrawlFailed, "faulty.measure returned str, not a Pause or Stop"),
    ("measure", COROUTINE, CrawlFailed, "faulty.measure returned a coroutine, not a Pause or Stop"),
    ("failed", Raises(), None, "faulty.failed failed for https://site.test/gone: ValueError: broken"),
    ("failed", TEXT, None, "faulty.failed failed for https://site.test/gone: TypeError: a callback must return"),
    ("failed", OBJECT, None, "faulty.failed failed for https://site.test/gone: an item cannot be written as JSON"),
]
FAULTS += [
    (hook, other, raised, words.replace("ValueError: broken", said))
    for hook, fault, raised, words in FAULTS
    for other, said in (
        (Exits(), "SystemExit: 3 (to end the crawl, call self.crawl.stop(reason))"),
        (RaisesMute(), "Mute: its message cannot be shown (RuntimeError in __str__)"),
        (RaisesOdd(), "Odd: broken"),
        (RaisesGroup(), "BaseExceptionGroup: "),
    )
    if type(fault) is Raises and not (hook == "lifespan" and type(other) is RaisesGroup)  # it names the first one
]


@pytest.mark.parametrize(
    ("hook", "fault", "raised", "words"), FAULTS, ids=[f"{hook} {fault}" for hook, fault, *_ in FAULTS]
)
async def test_a_hook_that_raises_or_returns_nonsense_is_named_once_and_nothing_is_lost(
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    hook: str,
    fault: Raises,
    raised: type[CrawlerError] | None,
    words: str,
) -> None:
    items: list[str] = []
    only = "" if raised is not None else "/gone" if hook == "failed" else "/a"
    outcome = await run(faulty(hook, fault, only=only), tmp_path / "job", items)
    if raised is not None:
        assert type(outcome.error) is raised
        assert str(outcome.error).startswith(words)
        await run(None, tmp_path / "job", items)  # without the fault, the job continues
        assert sorted(items) == ITEMS
    else:
        assert sum(message.startswith(words) for message in caplog.messages) == 1
        assert outcome.report is not None
        assert outcome.report.failed == (hook != "failed")
        assert sorted(items) == (ITEMS if hook == "failed" else ITEMS[:1])


HANGING = [hook for hook in HOOKS if hook not in ("admit", "measure")]  # these two are not async


@pytest.mark.parametrize("hook", HANGING)
async def test_a_hook_that_hangs_is_named_and_the_next_run_of_the_job_has_everything(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hook: str
) -> None:
    assert watchdog.LONG == 60
    for name, seconds in {"LONG": 0.5, "WAITS": 0.1, "LOOK": 0.03}.items():
        monkeypatch.setattr(watchdog, name, seconds)
    items: list[str] = []
    only = "/gone" if hook == "failed" else ""
    began = trio.current_time()
    outcome = await run(faulty(hook, Hangs(), only=only), tmp_path / "job", items, Settings(max_seconds=1.0, grace=0.2))
    begun = [message for message in caplog.messages if message.startswith(f"faulty.{hook} ")]
    assert len(begun) == 1
    assert "has not returned for 1 s" in begun[0]
    if hook in REFUSED:
        assert "https://site.test/" in begun[0]
    assert trio.current_time() - began < 10
    await run(None, tmp_path / "job", items)
    assert sorted(items) == ITEMS
    assert outcome.error is None or isinstance(outcome.error, CrawlFailed)


class OfRows(Keep):
    """Takes each row for its item."""

    name = "keep"

    def __init__(self, items: list[str], use: Callable[[Any], Any]) -> None:
        super().__init__(items)
        self._use = use
        self.calls = 0

    async def persist(self, batch: Any) -> None:
        self.calls += 1
        for row in batch:
            self._use(row)


HINT = "a sink gets rows: row.item is the item, a dict"


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda row: row["url"], f"TypeError: 'Row' object is not subscriptable ({HINT})"),
        (lambda row: row.item["title"], f"KeyError: 'title' ({HINT})"),
        (lambda row: row.url, f"AttributeError: 'Row' object has no attribute 'url' ({HINT})"),
    ],
)
async def test_a_mistake_in_a_sink_is_shown_once_with_its_line_and_not_tried_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, tmp_path: Path, use: Callable[[Any], Any], message: str
) -> None:
    items: list[str] = []
    sink = OfRows(items, use)
    with pytest.raises(CrawlFailed) as caught:
        await crawl(Follow(), plugins=[sink], job=tmp_path / "job", transport=FakeSite(SITE).transport)
    assert str(caught.value) == f"keep.persist cannot store items: {message}"
    assert sink.calls == 1
    [record] = [record for record in caplog.records if record.exc_info]
    assert record.getMessage() == "keep.persist raised:"
    assert "self._use(row)" in (record.exc_text or "")
    await crawl(Follow(), plugins=[Keep(items)], job=tmp_path / "job", transport=FakeSite(SITE).transport)
    assert sorted(items) == ITEMS  # the job has lost nothing


@pytest.mark.parametrize(("seconds", "fails"), [(7, False), (30, True)])
async def test_a_sink_that_loses_its_server_loses_no_item(
    autojump_clock: MockClock, tmp_path: Path, seconds: int, fails: bool
) -> None:
    began = trio.current_time()

    class Server(Keep):
        name = "keep"

        async def persist(self, batch: Any) -> None:
            if trio.current_time() - began < seconds:
                raise ConnectionError("gone away")
            await super().persist(batch)

    async def job() -> CrawlerError | None:
        try:
            await crawl(Follow(), plugins=[Server(items)], job=tmp_path / "job", transport=FakeSite(SITE).transport)
        except CrawlerError as error:
            return error
        return None

    items: list[str] = []
    error = await job()
    assert (str(error) == "keep.persist cannot store items: ConnectionError: gone away") is fails
    await trio.sleep(30)
    assert await job() is None
    assert sorted(items) == ITEMS


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_hook_that_blocks_the_event_loop_is_named_once_and_nothing_is_lost(
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    hook: str,
) -> None:
    monkeypatch.setattr(watchdog, "SLOW", 0.2)
    monkeypatch.setattr(watchdog, "LOOK", 0.03)
    items: list[str] = []
    only = {"persist": "", "lifespan": "", "failed": "/gone"}.get(hook, "/a")
    outcome = await run(faulty(hook, Blocks(), only=only), tmp_path / "job", items)
    first = [words for words in caplog.messages if words.startswith(f"Faulty.{hook} ") and "no other request" in words]
    assert len(first) == 1
    assert " of the plugin faulty blocked the event loop" in first[0]
    assert outcome.report is not None
    assert outcome.report.failed == 0
    assert sorted(items) == ITEMS


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_hook_that_returns_none_changes_nothing(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, tmp_path: Path, hook: str
) -> None:
    items: list[str] = []
    none = Returns(lambda: None, "None")
    plugin = Plugin() if hook == "lifespan" else faulty(hook, none)
    outcome = await run(plugin, tmp_path / "job", items)
    assert outcome.report is not None
    assert outcome.report.failed == 0
    assert sorted(items) == ITEMS
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_tables_above_have_every_hook() -> None:
    assert {hook for hook, *_ in FAULTS} == set(HOOKS)


@pytest.mark.parametrize("where", ["start", "a background task"])
async def test_a_process_is_not_ended_by_start_or_a_background_task(autojump_clock: MockClock, where: str) -> None:
    class Ends(Follow):
        async def start(self) -> Any:
            if where == "start":
                sys.exit(3)
            self.crawl.start_soon(Exits().later)
            await trio.sleep(1)
            yield Request("https://site.test/")

    with pytest.raises(CrawlFailed, match=r"^SystemExit: 3 \(to end the crawl, call self\.crawl\.stop"):
        await crawl(Ends(), transport=FakeSite(SITE).transport)


def test_an_interrupt_in_a_callback_leaves_run_without_a_group() -> None:
    class Interrupted(Follow):
        def parse(self, response: Response) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        run_crawl(Interrupted(), transport=FakeSite(SITE).transport)
    assert isinstance(caught.value.__cause__, BaseExceptionGroup)


async def test_an_interrupt_in_a_background_task_stays_one(autojump_clock: MockClock) -> None:
    class Interrupted(Follow):
        async def start(self) -> Any:
            async def interrupt() -> None:
                raise KeyboardInterrupt

            self.crawl.start_soon(interrupt)
            await trio.sleep(1)
            yield Request("https://site.test/")

    with pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True, allow_unwrapped=True):
        await crawl(Interrupted(), transport=FakeSite(SITE).transport)
