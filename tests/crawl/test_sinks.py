"""Sinks: blocking ones run in a thread, slow ones get few large batches, and any plugin with `persist` is one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from crawler import CrawlFailed, Plugin, Response, Row, Settings, Sink, Spider, crawl
from crawler.sinks import Held
from crawler.store.memory import MemoryStore
from crawler.testing import FakeSite

PAGES = 300


class Numbers(Spider):
    """Yields one item per page."""

    start_urls = [f"https://numbers.test/{number}" for number in range(PAGES)]

    def parse(self, response: Response) -> Iterator[object]:
        yield {"url": response.url}


SITE = {f"/{number}": "<p>x</p>" for number in range(PAGES)} | {"/robots.txt": ""}


class Recorder(Sink):
    """Records its batches, and the thread that stores them."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()

    def keep(self, batch: Sequence[Row]) -> int:
        self.threads.add(threading.get_ident())
        self.batches.append([row.item["url"] for row in batch])
        return sum(map(len, self.batches))

    @property
    def urls(self) -> list[str]:
        return [url for batch in self.batches for url in batch]


class Blocking(Recorder):
    def persist(self, batch: Sequence[Row]) -> int:
        time.sleep(self.seconds)
        return self.keep(batch)


class Waiting(Recorder):
    async def persist(self, batch: Sequence[Row]) -> int:
        await trio.sleep(self.seconds)
        return self.keep(batch)


async def run(sink: Plugin, **settings: object) -> None:
    report = await crawl(
        Numbers(),
        plugins=[sink],
        settings=Settings(**settings),
        transport=FakeSite(SITE, host="https://numbers.test").transport,
    )
    assert report.pages == PAGES


async def test_a_plain_function_runs_in_a_worker_thread():
    sink = Blocking()
    await run(sink)
    assert threading.get_ident() not in sink.threads
    assert sorted(sink.urls) == sorted(Numbers.start_urls)


async def test_an_async_function_runs_on_the_event_loop(autojump_clock: MockClock):
    sink = Waiting()
    await run(sink)
    assert sink.threads == {threading.get_ident()}
    assert sorted(sink.urls) == sorted(Numbers.start_urls)


async def test_a_blocking_sink_does_not_block_the_event_loop():
    step = threading.Condition()

    class WaitsForTheLoop(Blocking):
        """Blocks until the loop has taken one more step."""

        def persist(self, batch: Sequence[Row]) -> int:
            with step:
                assert step.wait(timeout=20)
            return self.keep(batch)

    async def watch() -> None:
        while True:
            with step:
                step.notify_all()
            await trio.sleep(0.005)

    sink = WaitsForTheLoop()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await run(sink)
        nursery.cancel_scope.cancel(reason="the crawl has ended")
    assert sorted(sink.urls) == sorted(Numbers.start_urls)


async def test_a_slow_sink_gets_few_large_batches(autojump_clock: MockClock):
    slow, fast = Waiting(1.0), Waiting(0.0)
    await run(slow, per_host=1, slow_start=False, delay=0.1)
    await run(fast, per_host=1, slow_start=False, delay=0.1)
    assert len(fast.batches) > 200
    assert len(slow.batches) < PAGES * 0.1 / 1.0 * 1.2
    assert slow.urls == fast.urls


async def test_items_do_not_wait_for_a_batch_when_the_crawl_has_ended(autojump_clock: MockClock):
    sink = Waiting(0.2)
    began = trio.current_time()
    await run(sink, workers=1, per_host=1)
    assert trio.current_time() - began <= 0.2 * len(sink.batches) + 0.25 * (len(sink.batches) - 1) + 0.001


async def test_a_blocking_sink_that_raises_gets_the_batch_again():
    class Flaky(Blocking):
        failures = 1

        def persist(self, batch: Sequence[Row]) -> int:
            if self.failures:
                self.failures -= 1
                raise OSError("database is locked")
            return super().persist(batch)

    sink = Flaky()
    await run(sink)
    assert sorted(sink.urls) == sorted(Numbers.start_urls)


async def test_a_sink_that_cannot_continue_ends_the_crawl():
    class Gone(Sink):
        def persist(self, batch: Sequence[Row]) -> None:
            raise CrawlFailed("the table was dropped")

    with pytest.raises(CrawlFailed, match="the table was dropped"):
        await crawl(Numbers(), plugins=[Gone()], transport=FakeSite(SITE, host="https://numbers.test").transport)


async def test_any_plugin_with_the_hook_is_a_sink(autojump_clock: MockClock, tmp_path):
    class Plain(Plugin):
        seen: list[object]

        async def persist(self, batch: Sequence[Row]) -> int:
            self.seen.append((self.resumes, self.position))
            return len(batch)

    first, second = Plain(), Plain()
    first.seen, second.seen = [], []
    settings = Settings(max_pages=50)
    await crawl(
        Numbers(),
        plugins=[first],
        settings=settings,
        transport=FakeSite(SITE, host="https://numbers.test").transport,
        job=tmp_path / "job",
    )
    await crawl(
        Numbers(),
        plugins=[second],
        transport=FakeSite(SITE, host="https://numbers.test").transport,
        job=tmp_path / "job",
    )
    assert first.seen[0] == (False, None)
    resumed, position = second.seen[0]
    assert resumed is True
    assert position > 0


class Collecting(Sink):
    """Writes objects of ten rows, and what is left when the crawl has ended; a kill loses what it holds."""

    def __init__(self, objects: dict[str, list[str]]) -> None:
        self.objects = objects
        self.rows: list[Row] = []

    async def persist(self, batch: Sequence[Row]) -> Held:
        self.rows += batch
        while len(self.rows) >= 10:
            self._write(self.rows[:10])
            del self.rows[:10]
        return Held(len(self.rows), self.position)

    async def flush(self) -> Any:
        if self.rows:
            self._write(self.rows)
        return self.position

    def _write(self, rows: Sequence[Row]) -> None:
        self.position = (self.position or 0) + 1
        self.objects[f"part {self.position}"] = [row.item["url"] for row in rows]


@pytest.mark.parametrize("pages", [1, 9, 10, 15, 25])
async def test_rows_that_a_sink_holds_come_again_after_a_kill(autojump_clock: MockClock, tmp_path, pages: int):
    async def run(sink: Sink, **settings: Any) -> None:
        site = FakeSite(SITE, host="https://numbers.test")
        await crawl(
            Numbers(),
            plugins=[sink],
            settings=Settings(per_host=1, **settings),
            transport=site.transport,
            job=tmp_path / "job",
        )

    class Killed(Collecting):
        async def flush(self) -> Any:
            raise CrawlFailed("killed")

    objects: dict[str, list[str]] = {}
    with pytest.raises(CrawlFailed, match="killed"):
        await run(Killed(objects), max_pages=pages)
    assert sum(map(len, objects.values())) == pages // 10 * 10
    await run(Collecting(objects))
    assert sorted(url for urls in objects.values() for url in urls) == sorted(Numbers.start_urls)
    assert {len(urls) for name, urls in objects.items()} == {10}


async def test_a_slow_sink_slows_the_crawl_and_memory_stays_bounded(autojump_clock: MockClock):
    lags = []

    class Late(Waiting):
        async def persist(self, batch: Sequence[Row]) -> int:
            lags.append(self.crawl.stats.items - sum(map(len, self.batches)))
            return await super().persist(batch)

    sink = Late(5.0)
    began = trio.current_time()
    await run(sink, sink_lag=20, workers=4)
    assert max(lags) <= 20 + 2 * 64  # one commit beyond the limit, and one that waits for it
    assert trio.current_time() - began >= 5.0 * len(sink.batches) >= 5.0 * PAGES / 150


async def test_items_gather_for_a_sink_that_wants_large_batches(autojump_clock: MockClock):
    sink = Waiting(0.0)
    sink.gather = 5.0
    await run(sink, per_host=1, slow_start=False, delay=0.1)
    assert len(sink.batches) <= PAGES * 0.1 / 5.0 + 2


@pytest.mark.parametrize("sink_lag", [1, 10_000])
async def test_items_that_are_committed_while_the_log_is_read_are_stored(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, sink_lag: int
):
    async def read_late(store: MemoryStore, after: int, n: int) -> list[Row]:
        rows = await read(store, after, n)
        await trio.sleep(1.0)  # the answer is on its way: meanwhile pages are committed, and perhaps the last one
        return rows

    read = MemoryStore.read
    monkeypatch.setattr(MemoryStore, "read", read_late)
    sink = Waiting()
    with trio.fail_after(1_000.0):
        await run(sink, per_host=8, sink_lag=sink_lag)
    assert sorted(sink.urls) == sorted(Numbers.start_urls)
