"""Pages with very many effects: they are stored before the callback ends and committed only if it succeeds."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio
from support.trees import FREE
from trio.testing import MockClock

from crawler import Item, Plugin, Produced, Request, Response, Retry, Settings, Spider, crawl
from crawler.testing import FakeSite, collect

BATCH, MANY, DIFFERENT = 1_000, 3_500, 3_000
"""Effects that a page hands to the store at once, items and links of the page, and different links."""


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.engine.handler_results.SPILL_OVER", BATCH)


class Large(Spider):
    """Yields many items and many links from one page."""

    start_urls = ["https://site.test/"]
    settings = FREE | Settings(max_pages=1)

    def parse(self, response: Response) -> Iterator[Produced]:
        for n in range(MANY):
            yield {"n": n}
            yield Request(f"https://site.test/{n % DIFFERENT}")
        self.crawl.count("done")


class LargeAsync(Large):
    """Yields the same from an async generator."""

    async def parse(self, response: Response) -> AsyncIterator[Produced]:
        for n in range(MANY):
            yield {"n": n}
            yield Request(f"https://site.test/{n % DIFFERENT}")
        self.crawl.count("done")


class Broken(Large):
    """Raises an exception at the end of the first attempt."""

    def parse(self, response: Response) -> Iterator[Produced]:
        yield from super().parse(response)
        if not self.state.get("tried"):
            raise ZeroDivisionError("in the end")


class Even(Plugin):
    """Changes items, drops some items, and admits only some requests."""

    name = "even"

    async def refine(self, item: Item, response: Response) -> Item:
        return item | {"page": response.url}


@pytest.mark.parametrize("kind", [Large, LargeAsync])
@pytest.mark.parametrize("durable", [False, True])
async def test_every_item_and_request_of_a_large_page_is_kept_once(
    autojump_clock: MockClock, tmp_path: Path, kind: type[Large], durable: bool
) -> None:
    out = tmp_path / "items.jsonl"
    job = tmp_path / "job" if durable else None
    site = FakeSite({"/": "x"})
    report = await crawl(kind(), plugins=[Even()], outputs=[out], job=job, transport=site.transport)
    assert (report.pages, report.items, report.counters) == (1, MANY, {"done": 1})
    assert report.filtered["duplicate"] == MANY - DIFFERENT
    items = [json.loads(line) for line in out.read_text().splitlines()]
    assert items == [{"n": n, "page": "https://site.test/"} for n in range(MANY)]


@pytest.mark.parametrize("durable", [False, True])
async def test_requests_after_the_items_of_a_large_page_are_fetched_though_nothing_else_waits(
    autojump_clock: MockClock, tmp_path: Path, durable: bool
) -> None:
    class Last(Spider):
        start_urls = ["https://site.test/"]
        settings = FREE

        def parse(self, response: Response) -> Iterator[Produced]:
            if response.url == "https://site.test/":
                yield from ({"n": n} for n in range(MANY))
                yield Request("https://site.test/next")

    site = FakeSite({"/": "x", "/next": "y"})
    report = await crawl(Last(), job=tmp_path / "job" if durable else None, transport=site.transport)
    assert (report.finished, report.pages, report.items) == ("finished", 2, MANY)


@pytest.mark.parametrize("durable", [False, True])
async def test_a_large_page_that_raises_at_the_end_leaves_no_effects(
    autojump_clock: MockClock, tmp_path: Path, durable: bool
) -> None:
    out = tmp_path / "items.jsonl"
    site = FakeSite({"/": "x"})
    job = tmp_path / "job" if durable else None
    report = await crawl(Broken(), outputs=[out], job=job, transport=site.transport)
    assert (report.items, report.counters, report.failures) == (0, {}, {"callback_error": 1})
    assert out.read_text() == ""
    assert len(site.log) == 1


async def test_the_effects_of_a_large_page_of_a_job_are_not_held_in_memory(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    class Huge(Large):
        def parse(self, response: Response) -> Iterator[Produced]:
            for n in range(12_000):
                yield {"n": n, "text": "x" * 500}

    tracemalloc.start()
    try:
        report = await crawl(Huge(), job=tmp_path / "job", transport=FakeSite({"/": "x"}).transport)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.items == 12_000
    assert peak < 4_000_000  # all effects together would be 6 MB of text


async def test_refused_requests_of_a_retried_page_are_counted_once(autojump_clock: MockClock) -> None:
    class Again(Spider):
        start_urls = ["https://site.test/"]
        allowed_domains = ["site.test"]
        settings = FREE
        tried = 0

        def parse(self, response: Response) -> Iterator[Produced]:
            self.tried += 1
            yield from (Request(f"https://other.test/{n}") for n in range(1_500))
            if self.tried < 3:
                yield Retry("again")

    report = await crawl(Again(), transport=FakeSite({"/": "x"}).transport)
    assert (report.pages, report.retries, report.filtered) == (1, 2, {"scope": 1_500})


async def test_a_page_that_yields_very_many_values_lets_other_tasks_run(autojump_clock: MockClock) -> None:
    """A file of records of which none can be read yields nothing that is kept."""
    others = 0

    class Nothing(Spider):
        start_urls = ("https://site.test/",)

        async def other(self) -> None:
            nonlocal others
            while True:
                others += 1
                await trio.lowlevel.checkpoint()

        def parse(self, response: Response) -> Iterator[None]:
            self.crawl.start_soon(self.other)
            yield from [None] * (20 * BATCH)

    await collect(Nothing(), FakeSite({"/": "x"}))
    assert others >= 8


@pytest.mark.parametrize("is_async", [False, True])
async def test_callbacks_of_large_pages_run_one_at_a_time_unless_they_may_wait(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, is_async: bool
) -> None:
    """A parsed page takes many times the memory of its body."""
    monkeypatch.setattr("crawler.engine.callbacks.LARGE", 10)
    running = most = 0

    class Pages(Spider):
        start_urls = tuple(f"https://site.test/{n}" for n in range(4))
        settings = FREE

        def parse(self, response: Response) -> Iterator[Produced]:
            nonlocal running, most
            running += 1
            most = max(most, running)
            yield from ({"n": n} for n in range(MANY))
            running -= 1

    class Waiting(Pages):
        async def parse(self, response: Response) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await trio.sleep(1)
            running -= 1

    site = FakeSite({f"/{n}": "x" * 100 for n in range(4)})
    report = await crawl((Waiting if is_async else Pages)(), transport=site.transport)
    assert report.pages == 4
    assert (most > 1) == is_async
