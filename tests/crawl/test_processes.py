"""Callbacks in several processes: a crawl has the same items, counts, states and errors as in one process.

The processes are threads here (`support.callback_threads`), which receive the same messages over the same sockets.
`tests/integration/kills/test_processes.py` kills real ones.
"""

from __future__ import annotations

import itertools
import logging
import math
import mmap
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio
from support.callback_threads import Death, ThreadLauncher, use_threads

from crawler import (
    ConfigError,
    Drop,
    Failure,
    Item,
    Plugin,
    Report,
    Request,
    Response,
    Retry,
    Row,
    Settings,
    Spider,
    crawl,
    crawl_items,
    run,
)
from crawler.engine import handler_results
from crawler.engine.processes import child, packing, pool, process, shared_bodies, wire
from crawler.engine.processes.channel import Channel
from crawler.engine.processes.child import ChildProcess
from crawler.engine.processes.pool import NewLinks
from crawler.engine.session import CrawlSession
from crawler.engine.several import run_several
from crawler.testing import FakeSite

pytestmark = pytest.mark.usefixtures("use_threads")
__all__ = ["use_threads"]
URL = "https://site.test/"
LEAVES = 12
SITE = {"/": "".join(f"<a href='/{n}'>{n}</a>" for n in range(LEAVES)) + "<a href='https://other.test/'>o</a>"}
SITE |= {f"/{n}": f"<title>{n}</title><a href='/'>up</a><a href='/{(n + 1) % LEAVES}'>next</a>" for n in range(LEAVES)}


class Keep(Plugin):
    """Keeps the values of items."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    async def persist(self, batch: Sequence[Row]) -> None:
        self.values += [row.value for row in batch]


def result(spider: Spider, site: dict[str, Any], processes: int = 2, **options: Any) -> tuple[Report, list[Any]]:
    """Run a crawl of `site`; return the report, and the items in their order."""
    keep = Keep()
    plugins = [*options.pop("plugins", ()), keep]
    settings = Settings(processes=processes, workers=8, **options.pop("settings", {}))
    report = run(spider, settings=settings, plugins=plugins, transport=FakeSite(site).transport, **options)
    return report, keep.values


class Tree(Spider):
    """Follows all links; counts pages; remembers their number in its state."""

    start_urls = (URL,)
    allowed_domains = ("site.test",)

    def parse(self, response: Response) -> Iterator[Any]:
        self.crawl.count("parsed")
        self.state["parsed"] = self.state.get("parsed", 0) + 1
        yield {"url": response.url, "title": response.css("title::text").get()}
        yield from response.follow_all("a")


def counts(report: Report) -> dict[str, Any]:
    """Return what of a report does not depend on time."""
    names = ("pages", "items", "requests", "failed", "filtered", "dropped", "kinds", "counters", "statuses", "bytes")
    return {name: getattr(report, name) for name in names}


class Numbers(Spider):
    """Reads JSON, or what came of it."""

    start_urls = (URL,)

    def parse(self, response: Response) -> Iterator[Any]:
        yield {"whole": response.complete}
        yield {"numbers": response.json() if response.complete else None}


def test_a_page_that_was_cut_is_cut_in_every_process() -> None:
    pages: dict[str, Any] = {"/": "[1, 2"}
    report, items = result(Numbers(), pages, settings={"incomplete": "keep"})
    assert (items, report.incomplete, report.retries) == ([{"whole": False}, {"numbers": None}], 1, 2)
    report, items = result(Numbers(), pages)
    assert (items, report.kinds) == ([], {"broken_exchange.incomplete": 1})


def test_a_crawl_has_the_same_result_as_in_one_process(use_threads: list[ThreadLauncher]) -> None:
    spider = Tree()
    one, items_of_one = result(Tree(), SITE, 1)
    assert not use_threads
    report, items = result(spider, SITE, 3)
    assert use_threads[0].started == 3
    assert counts(report) == counts(one)
    assert report.filtered["scope"] == 1
    assert sorted(items, key=str) == sorted(items_of_one, key=str)
    assert spider.state["parsed"] == 1 + LEAVES  # no increment was lost, although callbacks ran at the same time


def test_states_and_outputs_of_a_job_are_kept(tmp_path: Path) -> None:
    output = tmp_path / "items.jsonl"
    for most, finished in ((5, "max_pages"), (None, "finished")):
        spider, settings = Tree(), Settings(processes=2, max_pages=most)
        transport = FakeSite(SITE).transport
        report = run(spider, settings=settings, job=tmp_path / "job", outputs=[output], transport=transport)
        assert report.finished == finished
    assert report.pages == report.counters["parsed"] == spider.state["parsed"] == 1 + LEAVES
    assert len({msgspec.json.decode(line)["url"] for line in output.read_bytes().splitlines()}) == 1 + LEAVES
    assert len(output.read_bytes().splitlines()) == 1 + LEAVES


def test_a_limit_of_pages_is_exact() -> None:
    assert result(Tree(), SITE, settings={"max_pages": 7})[0].pages == 7


@attrs.frozen
class Book:
    """An item that is not a dict."""

    title: str


class Typed(Spider):
    """Yields one `Book`."""

    start_urls = (URL,)

    def parse(self, response: Response) -> Book:
        return Book("one")


class Upper(Plugin):
    """Changes items, and drops those that are late."""

    async def refine(self, item: Item, response: Response) -> Item | Drop:
        assert response.body  # the page is here, too
        return attrs.evolve(item, title=item.title.upper())


def test_objects_pass_through_refine_hooks_and_reach_sinks() -> None:
    assert result(Typed(), SITE, plugins=[Upper()])[1] == [Book("ONE")]
    assert list(crawl_items(Typed(), settings=Settings(processes=2), transport=FakeSite(SITE).transport)) == [
        Book("one")
    ]


def test_sinks_of_files_get_json_and_the_name_of_the_class(tmp_path: Path) -> None:
    output = tmp_path / "items.jsonl"
    run(Typed(), settings=Settings(processes=2), outputs=[output], transport=FakeSite(SITE).transport)
    assert output.read_bytes() == b'{"title":"one"}\n'


class Local(Typed):
    """Yields an item whose class cannot be found by its name."""

    def parse(self, response: Response) -> Any:
        @attrs.frozen
        class Hidden:
            title: str

        return Hidden("x")


def test_an_item_that_cannot_be_sent_fails_its_page() -> None:
    report, _ = result(Local(), SITE)
    assert report.kinds == {"callback_error.parse": 1}


class Faulty(Spider):
    """Raises an exception."""

    start_urls = (URL,)

    def start(self) -> Iterator[Request]:
        yield Request(URL, self.parse, errback=self.gone)
        yield Request(f"{URL}missing", self.parse, errback=self.gone)

    def parse(self, response: Response) -> Item:
        values: dict[str, int] = {}
        return {"value": values["missing"]}

    def gone(self, failure: Failure) -> Item:
        return {"gone": failure.request.url, "reason": failure.reason}


def test_an_exception_fails_the_page_and_is_logged_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    report, items = result(Faulty(), {"/": "x"})
    assert report.kinds == {"callback_error.parse": 1}
    assert items == [{"gone": f"{URL}missing", "reason": "status_404"}]
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == f"faulty.parse failed for {URL}: KeyError: 'missing'"
    assert record.exc_text is not None
    assert 'return {"value": values["missing"]}' in record.exc_text


class Asking(Spider):
    """Uses the methods of the crawl in callbacks."""

    start_urls = (URL,)

    async def parse(self, response: Response) -> AsyncIterator[Any]:
        first = await self.crawl.fetch(Request(f"{URL}1"))
        found: list[str] = []

        async def fetch(number: int) -> None:
            answer = await self.crawl.fetch(Request(f"{URL}{number}"))
            found.append(answer.css("title::text").get(""))

        async with trio.open_nursery() as nursery:
            for number in (2, 3):
                nursery.start_soon(fetch, number)
        yield {"first": first.css("title::text").get(), "found": sorted(found)}
        now = self.crawl.control.statistics()
        yield {"in flight": now.in_flight, "lanes": list(now.lanes), "pages": self.crawl.stats.pages}
        job = self.crawl.job
        yield {"known": self.crawl.control.explain(URL).is_known, "round": job.round, "durable": job.durable}
        yield {"folder": self.crawl.job.folder, "runs": len(self.crawl.job.runs), "reason": self.crawl.reason}
        yield {"queue": len(self.crawl.control.queue("https://site.test")), "wire": response.wire is not None}
        self.crawl.control.pause("https://site.test")
        self.crawl.control.resume("https://site.test")
        self.crawl.control.set_pace("https://site.test", delay=0.001)
        self.crawl.cookies.set(URL, "sid=1; Path=/")
        yield {"cookies": [cookie.value for cookie in self.crawl.cookies.matching(URL)]}
        self.crawl.add(Request(f"{URL}5", self.parse_added))
        self.crawl.job.report_problem("not enough")
        yield {"sitemaps": await self.crawl.sitemaps_of(URL), "age": self.crawl.clock() > 0}

    def parse_added(self, response: Response) -> Item:
        self.crawl.stop("enough")
        return {"added": response.url, "depth": response.depth}


def test_callbacks_use_the_crawl_as_in_one_process() -> None:
    (one, items_of_one), (report, items) = (result(Asking(), SITE, processes) for processes in (1, 2))
    assert items == items_of_one
    assert {"first": "1", "found": ["2", "3"]} in items
    assert report.problems == one.problems == ["not enough"]
    assert report.finished == "enough"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("start_soon", r"crawl.start_soon\(\) cannot be used in a callback with the setting processes=2"),
        ("before_commit", r"crawl.job.before_commit\(\) cannot be used in a callback"),
        ("mark_sent", r"crawl.control.mark_sent\(\) cannot be used in a callback"),
        ("receive", r"crawl.fetch\(receive=…\) cannot be used in a callback"),
        ("retries", "crawl.control.retries cannot be used in a callback"),
        ("set_pace", "no requests of https://nowhere.test are in memory"),
    ],
)
def test_a_crawl_that_cannot_use_processes_is_refused_with_the_reason(
    name: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(Spider):
        start_urls = (URL,)

        async def parse(self, response: Response) -> None:
            match name:
                case "start_soon":
                    self.crawl.start_soon(trio.sleep, 1)
                case "before_commit":
                    self.crawl.job.before_commit(print, 1)
                case "mark_sent":
                    self.crawl.control.mark_sent()
                case "receive":
                    await self.crawl.fetch(Request(URL), receive=lambda _: trio.sleep(1))
                case "retries":
                    self.crawl.control.retries = self.crawl.control.retries
                case "set_pace":
                    self.crawl.control.set_pace("https://nowhere.test", delay=1)

    assert result(Wrong(), {"/": "x"})[0].failed == 1
    assert words.replace("\\", "") in caplog.text


class Many(Spider):
    """Yields more than fits into the memory that one page has."""

    start_urls = (URL,)

    def parse(self, response: Response) -> Iterator[Any]:
        for number in range(35):
            yield {"number": number}
            yield Request(f"{URL}{number % LEAVES}", self.parse_leaf)

    def parse_leaf(self, response: Response) -> None: ...


def test_a_large_page_is_stored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_results, "SPILL_OVER", 10)
    report, items = result(Many(), SITE)
    assert [item["number"] for item in items] == list(range(35))
    assert report.pages == 1 + LEAVES


class Mortal(Spider):
    """Ends its process at its first pages, or at each page of a URL."""

    start_urls = (URL,)
    deaths: list[str]

    def __init__(self, times: int, launchers: Sequence[ThreadLauncher] = ()) -> None:
        super().__init__()
        self.deaths = []
        self.times = times
        self.launchers = launchers

    def parse(self, response: Response) -> Iterator[Any]:
        for number in range(LEAVES):
            yield Request(f"{URL}{number}", self.parse_leaf)

    def parse_leaf(self, response: Response) -> Item:
        if response.url.endswith("/3") and len(self.deaths) < self.times:
            self.deaths.append(response.url)  # a thread has a shallow copy, so all share this list
            raise Death
        if self.deaths and response.url.endswith("/3") and self.launchers:
            self.launchers[0].replaced.wait(30)  # else the crawl may end before the end of the thread is known
        return {"url": response.url}


def test_pages_of_a_process_that_ends_are_handled_again(
    use_threads: list[ThreadLauncher], caplog: pytest.LogCaptureFixture
) -> None:
    report, items = result(Mortal(1, use_threads), SITE)
    assert len(items) == len({item["url"] for item in items}) == LEAVES
    assert report.requests == 1 + LEAVES + 1  # with robots.txt: no page was fetched again
    assert use_threads[0].started == 3
    assert "a process that runs callbacks has ended (killed by SIGKILL) and is replaced" in caplog.text
    assert report.cpu_seconds > 1  # each thread says that it took 0.5 s; here all have the same number


def test_a_page_that_ends_each_process_fails_alone() -> None:
    report, items = result(Mortal(9), SITE)
    assert report.kinds == {"callback_error.parse_leaf": 1}
    assert len(items) == LEAVES - 1


def test_a_part_of_a_page_that_is_handled_again_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Twice(Many):
        ended: list[int] = []

        def parse(self, response: Response) -> Iterator[Any]:
            yield from super().parse(response)
            if not self.ended:
                self.ended.append(1)
                raise Death

    monkeypatch.setattr(handler_results, "SPILL_OVER", 10)
    one, report = result(Many(), SITE, 1)[0], result(Twice(), SITE)[0]
    assert counts(report) == counts(one)


def test_processes_that_end_at_once_end_the_crawl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_DEATHS", 99)
    with pytest.raises(Exception, match=r"the processes that run callbacks end repeatedly \(killed by SIGKILL\)"):
        result(Mortal(99), SITE)


class Forgetful(Tree):
    """Keeps values in attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.urls: list[str] = []

    def parse(self, response: Response) -> None:
        self.number += 1
        self.urls.append(response.url)


def test_attributes_that_callbacks_change_are_named(caplog: pytest.LogCaptureFixture) -> None:
    result(Forgetful(), {"/": "x"})
    assert "a callback has changed the attribute number of Forgetful: each process has its own" in caplog.text
    assert "a callback has changed the attribute urls of Forgetful" in caplog.text


class Opening(Spider):
    """Sets an attribute in its lifespan."""

    start_urls = (URL,)

    @asynccontextmanager
    async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
        self.database = object()
        yield

    def parse(self, response: Response) -> None: ...


def test_an_attribute_that_a_lifespan_sets_is_refused_before_the_first_request() -> None:
    site = FakeSite({"/": "x"})
    with pytest.raises(ConfigError, match=r"has set Opening\.database, which callbacks in other processes do not have"):
        run(Opening(), settings=Settings(processes=2), transport=site.transport)
    assert site.visits(URL) == []


async def test_a_crawl_in_a_trio_program_is_one_process(caplog: pytest.LogCaptureFixture) -> None:
    report = await crawl(Tree(), settings=Settings(processes=2), transport=FakeSite(SITE).transport)
    assert report.pages == 1 + LEAVES
    assert "callbacks run in one process: only run() and crawler run fork others" in caplog.text


def test_several_crawls_at_once_have_processes_each(use_threads: list[ThreadLauncher]) -> None:
    settings, keeps = Settings(processes=2), (Keep(), Keep())
    sessions = [CrawlSession(Tree(), settings, [keep], [], None) for keep in keeps]
    for session in sessions:
        session.run = partial(session.run, FakeSite(SITE).transport)
    for report in run_several(sessions):
        assert isinstance(report, Report)
        assert report.pages == 1 + LEAVES
    assert [launcher.started for launcher in use_threads] == [2, 2]
    assert keeps[0].values


def test_a_crawl_in_a_program_with_threads_is_one_process(
    caplog: pytest.LogCaptureFixture, use_threads: list[ThreadLauncher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, name="of the test")
    thread.start()
    try:
        report, _ = result(Tree(), SITE)
    finally:
        ended.set()
        thread.join()
    assert report.pages == 1 + LEAVES
    assert not use_threads
    assert "the program has other threads (" in caplog.text
    assert "of the test), so it cannot be forked" in caplog.text


class Waiting(Spider):
    """Waits in callbacks for longer than the crawl runs."""

    start_urls = (URL,)

    async def parse(self, response: Response) -> None:
        self.crawl.stop("enough")
        await trio.sleep(60)


def test_a_callback_that_waits_is_cancelled_at_the_end() -> None:
    began = time.monotonic()
    report, _ = result(Waiting(), {"/": "x"}, settings={"grace": 0.05})
    assert report.finished == "enough"
    assert report.pages == 0
    assert time.monotonic() - began < 20


class Chain(Spider):
    """Each page leads to the next one."""

    name = "chain"
    start_urls = (f"{URL}0",)

    def parse(self, response: Response) -> Iterator[Any]:
        yield {"url": response.url, "size": len(response.body)}
        yield from response.follow_all()


def chain(pages: int, filler: str = "") -> dict[str, str]:
    """Return a site of pages in a row."""
    return {f"/{n}": f"{filler}<a href='/{n + 1}'>next</a><a href='/0'>first</a>" for n in range(pages)}


def test_processes_know_the_links_of_pages_that_others_had(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = itertools.count()
    told: list[list[str]] = []
    take = NewLinks.take

    def note(self: NewLinks, known: Any) -> list[str]:
        found = take(self, known)
        told.append([url.removeprefix(URL) for url in found])
        return found

    monkeypatch.setattr(NewLinks, "take", note)
    monkeypatch.setattr(
        process.ProcessChoice, "choose", lambda self, both: both[next(turns) % 2] if all_ready(both) else None
    )
    report, items = result(Chain(), chain(5))
    assert (report.pages, report.filtered["duplicate"], len(items)) == (5, 5, 5)
    assert told == [[], ["1"], ["2"], ["3"], ["4"]]


def all_ready(processes: Sequence[process.Process]) -> bool:
    """Return whether two processes are ready."""
    return sum(bool(one.pid) for one in processes) == 2


def test_pages_larger_than_the_shared_memory_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_bodies, "SIZE", 4096)
    report, items = result(Chain(), chain(3, "x" * 5000) | {"/3": "small"})
    assert report.pages == 4
    assert [item["size"] > 5000 for item in items].count(True) == 3


async def test_a_log_record_has_been_sent_when_its_callback_ends_the_process() -> None:
    ends, calls = socket.socketpair(), socket.socketpair()
    spider = Chain()
    runner = ChildProcess(spider, [spider], Settings(), mmap.mmap(-1, 4096), ends[1], calls[1])
    with ends[0], calls[0], calls[1]:
        runner.log(wire.Log(b"last words"))
        [message] = await Channel(ends[0], wire.FROM_OTHER).receive()
        runner.channel.close()
    assert message.record == b"last words"


async def answers(spider: Spider, *messages: Any, n: int) -> list[Any]:
    """Return the first `n` messages of a process that gets these ones at once, behind the one that it is ready."""
    ends, calls = socket.socketpair(), socket.socketpair()
    first = Channel(ends[0], wire.FROM_OTHER)
    runner = ChildProcess(spider, [spider], Settings(), mmap.mmap(-1, 4096), ends[1], calls[1])
    found: list[Any] = []
    with calls[0], calls[1]:
        async with trio.open_nursery() as nursery:
            for message in messages:
                first.gather(message)
            first.flush()
            nursery.start_soon(runner.run)
            while len(found) <= n:
                found += await first.receive()
            first.gather(wire.Stop())
            first.flush()
        first.close()
    return found[1:]


async def test_a_page_that_was_cancelled_before_its_turn_is_not_handled() -> None:
    pages = [packing.pack_response(number, Response(f"{URL}{number}")) for number in range(3)]
    found = await answers(Chain(), *pages, wire.Cancel(1), n=2)
    assert sorted(message.number for message in found) == [0, 2]


async def test_links_that_a_process_has_heard_of_are_not_sent() -> None:
    page = Response(URL, 200, {"Content-Type": "text/html"}, "<a href='/1'>1</a><a href='/2'>2</a>")
    [handled] = await answers(Chain(), wire.Known([f"{URL}1"]), packing.pack_response(1, page), n=1)
    assert (handled.part.requests, handled.repeats) == ([(None, 1, [f"{URL}2"])], 1)


@pytest.mark.parametrize(("held", "groups"), [(math.inf, [8]), (-1.0, [1] * 8)])
async def test_results_of_a_turn_are_sent_together_unless_it_takes_long(
    held: float, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [0]
    gather, flush = Channel.gather, Channel.flush

    def count(self: Channel, message: Any) -> None:
        sent[-1] += isinstance(message, wire.Handled)
        gather(self, message)

    def end_group(self: Channel) -> None:
        if sent[-1]:
            sent.append(0)
        flush(self)

    monkeypatch.setattr(Channel, "gather", count)
    monkeypatch.setattr(Channel, "flush", end_group)
    monkeypatch.setattr(child, "HELD", held)
    pages = [packing.pack_response(number, Response(f"{URL}{number}")) for number in range(8)]
    found = await answers(Chain(), *pages, n=8)
    assert sorted(message.number for message in found) == list(range(8))
    assert sent == [*groups, 0]


class Wishing(Spider):
    """Wants its page again, once."""

    start_urls = (URL,)

    def parse(self, response: Response) -> Iterator[Any]:
        if response.attempt == 1:
            yield Retry("not ready", after=0.0)
        yield {"attempt": response.attempt}


def test_a_callback_may_wish_for_another_attempt() -> None:
    report, items = result(Wishing(), {"/": "x"})
    assert (items, report.retries) == ([{"attempt": 2}], 1)


class Odd(BaseException):
    """An exception that ``except Exception`` does not catch."""


def test_a_callback_of_another_process_may_raise_any_exception() -> None:
    class Raises(Tree):
        def parse(self, response: Response) -> Iterator[Any]:
            if response.url.endswith("/3"):
                raise Odd("broken")
            yield from super().parse(response)

    report, items = result(Raises(), SITE)
    assert (report.failed, len(items)) == (1, LEAVES)
    assert report.failures == {"callback_error": 1}


def test_an_interrupt_in_a_callback_of_another_process_interrupts_the_crawl() -> None:
    class Interrupted(Tree):
        def parse(self, response: Response) -> Iterator[Any]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        result(Interrupted(), SITE)
