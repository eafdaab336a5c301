"""Resumed jobs in virtual time: what the next run finds, and what it does not repeat."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import trio
from support.trees import FREE
from trio.testing import MockClock

from crawler import CrawlFailed, Drop, Item, Pace, Plugin, Produced, Request, Response, Row, Settings, Spider, crawl
from crawler.store.job_folder import connect_without_wal
from crawler.testing import FakeSite, Page

LONE = "half a \ud83d"
"""A text that ends in the middle of a character."""


async def test_words_with_lone_surrogates_are_counted_and_do_not_stop_a_job(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    class Words(Spider):
        start_urls = ["https://site.test/"]
        settings = FREE

        def parse(self, response: Response) -> Produced:
            self.crawl.count(LONE)
            yield {"n": 1}
            yield Request("https://site.test/next")
            self.crawl.stop(LONE)

    class Picky(Plugin):
        name = "picky"

        def admit(self, request: Request) -> Drop | None:
            return Drop(LONE) if request.depth else None

        async def refine(self, item: Item, response: Response) -> Drop:
            return Drop(LONE)

    for _ in range(2):
        report = await crawl(Words(), plugins=[Picky()], job=tmp_path / "job", transport=FakeSite({"/": "x"}).transport)
        told = json.loads(report.to_json())
        assert told["counters"] == told["filtered"] == told["dropped"] == {"half a \N{REPLACEMENT CHARACTER}": 1}


async def test_a_wall_clock_that_is_set_back_between_two_runs_delays_no_request(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slowly(Spider):
        start_urls = [f"https://site.test/{n}" for n in range(3)]
        settings = FREE | Settings(delay=10.0)

        def parse(self, response: Response) -> None: ...

    now = 1_800_000_000.0
    monkeypatch.setattr("crawler.clock.time", SimpleNamespace(time=lambda: now))
    site = FakeSite(dict.fromkeys(("/0", "/1", "/2"), "x"))
    await crawl(Slowly(), settings=Settings(max_pages=1), job=tmp_path / "job", transport=site.transport)
    now -= 86_400.0
    began = trio.current_time()
    await crawl(Slowly(), job=tmp_path / "job", transport=site.transport)
    assert [visit.at - began for visit in site.log[1:]] == [10.0, 20.0]


class Long(Spider):
    """Yields more start requests than may be pending at a time."""

    settings = FREE

    def start(self) -> Iterator[Request]:
        yield from (Request(f"https://site.test/{n}") for n in range(1_100))

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url}


class LongAsync(Long):
    """Yields start requests one by one."""

    async def start(self) -> AsyncIterator[Request]:
        for n in range(300):
            yield Request(f"https://site.test/{n}")


@pytest.mark.parametrize(("kind", "total"), [(Long, 1_100), (LongAsync, 300)])
async def test_the_next_run_makes_the_start_requests_that_a_stop_left(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Long], total: int
) -> None:
    monkeypatch.setattr("crawler.engine.new_requests.MAX_STARTS", 1_000)
    site = FakeSite({f"/{n}": "x" for n in range(total)})
    for most in (20, 50, None):
        report = await crawl(kind(), settings=Settings(max_pages=most), job=tmp_path / "job", transport=site.transport)
    assert (report.pages, report.items, len(site.log)) == (total, total, total)


class Unfiltered(Spider):
    """Yields start requests that are never dropped as duplicates."""

    settings = FREE

    def start(self) -> Produced:
        for n in range(3):
            yield Request(f"https://site.test/{n}", dont_filter=True)

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url}


class UnfilteredAsync(Unfiltered):
    """Yields the same requests one by one."""

    async def start(self) -> AsyncIterator[Request]:
        for request in super().start():
            yield request


@pytest.mark.parametrize("kind", [Unfiltered, UnfilteredAsync])
async def test_a_kill_before_the_first_response_duplicates_no_request(
    autojump_clock: MockClock, tmp_path: Path, kind: type[Unfiltered]
) -> None:
    async def first(request: httpx.Request) -> str:
        """Copy the job as a kill at this moment would leave it."""
        await trio.sleep(1)
        if not (tmp_path / "killed").exists():
            shutil.copytree(tmp_path / "job", tmp_path / "killed")
        return "x"

    site = FakeSite(dict.fromkeys(("/0", "/1", "/2"), first))
    await crawl(kind(), job=tmp_path / "job", transport=site.transport)
    report = await crawl(kind(), job=tmp_path / "killed", transport=site.transport)
    assert (report.pages, report.items) == (3, 3)
    assert len(site.log) == 6  # each request once per job


class Detour(Spider):
    """Fetches from another host inline, once per page."""

    start_urls = [f"https://site.test/{n}" for n in range(3)]
    settings = FREE | Settings(pacing={"site.test": Pace(delay=20.0), "api.test": Pace(delay=7.0)})

    async def parse(self, response: Response) -> Produced:
        answer = await self.crawl.fetch(Request("https://api.test/"))
        return {"url": response.url, "status": answer.status}


async def test_the_next_run_keeps_the_retry_after_of_a_host_that_is_only_fetched_inline(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    refusal = Page(status=429, headers={"Retry-After": "600"})
    site = FakeSite({"/0": "x", "/1": "x", "/2": "x", "https://api.test/": [refusal, "x"]})
    await crawl(Detour(), settings=Settings(max_seconds=10, grace=0), job=tmp_path / "job", transport=site.transport)
    report = await crawl(Detour(), job=tmp_path / "job", transport=site.transport)
    assert report.items == 3
    first, second, *_ = [visit.at for visit in site.visits("https://api.test/")]
    assert second - first >= 600


async def test_after_a_kill_a_host_that_is_fetched_inline_waits_one_delay(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    def answer(request: httpx.Request) -> str:
        if not (tmp_path / "killed").exists():
            shutil.copytree(tmp_path / "job", tmp_path / "killed")
        return "x"

    site = FakeSite({"/0": "x", "/1": "x", "/2": "x", "https://api.test/": answer})
    await crawl(Detour(), settings=Settings(max_pages=1), job=tmp_path / "job", transport=site.transport)
    began = trio.current_time()
    await crawl(
        Detour(), settings=Settings(pacing={"site.test": Pace(delay=0.0)}), job=tmp_path / "killed",
        transport=site.transport,
    )  # fmt: skip
    assert [visit.at - began for visit in site.visits("https://api.test/")[1:]] == [7.0, 14.0, 21.0]


async def test_a_position_that_is_not_json_is_reported_with_its_plugin(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    class Lost(Plugin):
        name = "lost"

        async def persist(self, batch: Sequence[Row]) -> object:
            return object()

    with pytest.raises(CrawlFailed, match="lost.persist returned a position that cannot be written as JSON"):
        await crawl(LongAsync(), outputs=[Lost()], job=tmp_path / "job", transport=FakeSite({"/0": "x"}).transport)


async def test_the_name_of_an_output_need_not_be_valid_text(autojump_clock: MockClock, tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b"\xff.jsonl")
    site = FakeSite({f"/{n}": "x" for n in range(300)})
    for most in (10, None):
        await crawl(
            LongAsync(), settings=Settings(max_pages=most), outputs=[out], job=tmp_path / "job",
            transport=site.transport,
        )  # fmt: skip
    assert len(out.read_text().splitlines()) == 300


async def test_a_job_is_on_the_disk_a_second_after_its_start_and_then_every_thirty_seconds(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """The database without its write-ahead log says how many items and how much of each output are on the disk."""
    seen: list[tuple[float, int]] = []

    def look(request: httpx.Request) -> str:
        with closing(connect_without_wal(tmp_path / "job")) as database:
            meta = dict(database.execute("SELECT name, value FROM meta"))
            [(cursor,)] = database.execute("SELECT cursor FROM sink")
        assert cursor <= meta.get("logged", 0)
        seen.append((trio.current_time(), meta.get("logged", 0)))
        return "x"

    class Numbers(Spider):
        start_urls = [f"https://site.test/{n}" for n in range(200)]
        settings = FREE | Settings(delay=0.5)

        def parse(self, response: Response) -> Produced:
            yield {"url": response.url}

    site = FakeSite({f"/{n}": look for n in range(200)})
    await crawl(Numbers(), outputs=[tmp_path / "numbers.jsonl"], job=tmp_path / "job", transport=site.transport)
    times = [next(at for at, n in seen if n >= count) for count in sorted({n for _, n in seen})]
    assert times[0] == 0.0  # it has its tables and its outputs before the first request
    assert times[1] <= 1.5
    assert times[-1] > 60
    assert all(later - earlier <= 30.5 for earlier, later in itertools.pairwise(times))
