"""`stream` and `run`: the entry points."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio
from support.trees import FREE, Follow, tree
from trio.testing import MockClock

from crawler import ConfigError, CrawlFailed, Produced, Response, Settings, crawl, run, stream
from crawler.testing import FakeSite, Page


async def test_items_arrive_one_by_one_and_the_report_at_the_end(autojump_clock: MockClock) -> None:
    async with stream(Follow(), transport=tree(3, 2).transport) as items:
        found = [item["url"] async for item in items]
    assert len(found) == 13
    assert items.report is not None
    assert items.report.pages == 13


async def test_a_slow_reader_slows_the_crawl(autojump_clock: MockClock) -> None:
    site = tree(10, 3, most=0.01)
    async with stream(Follow(), settings=Settings(sink_lag=10), transport=site.transport) as items:
        count = 0
        async for _ in items:
            count += 1
            await trio.sleep(1)
            if count == 5:
                break
        assert len(site.log) < 200


async def test_leaving_the_block_ends_the_crawl_at_once(autojump_clock: MockClock) -> None:
    tasks = trio.lowlevel.current_statistics().tasks_living
    started = trio.current_time()
    async with stream(Follow(), transport=tree(5, 5, most=100).transport) as items:
        async for _ in items:
            break
        left = trio.current_time()
    assert trio.current_time() - left <= 1
    assert left - started <= 200
    assert trio.lowlevel.current_statistics().tasks_living == tasks


async def test_an_exception_of_the_block_is_raised_unchanged(autojump_clock: MockClock) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with stream(Follow(), transport=tree(3, 2).transport) as items:
            async for _ in items:
                raise KeyError("mine")


async def test_a_failed_crawl_raises_in_the_loop(autojump_clock: MockClock) -> None:
    class Broken(Follow):
        def start(self) -> Produced:
            yield from super().start()  # type: ignore[misc]
            raise OSError("no more seeds")

    with pytest.raises(CrawlFailed, match="OSError: no more seeds"):
        async with stream(Broken(), transport=tree(1, 1).transport) as items:
            async for _ in items:
                pass


async def test_a_loop_over_stream_itself_says_what_to_write() -> None:
    with pytest.raises(TypeError, match="open it before you loop over it: async with stream.spider. as items"):
        async for _ in stream(Follow()):  # type: ignore[misc]
            pass


async def test_invalid_settings_are_raised_before_the_crawl_starts(autojump_clock: MockClock) -> None:
    with pytest.raises(ConfigError):
        async with stream("no spider"):  # type: ignore[arg-type]
            pass


def test_run_may_be_called_any_number_of_times_and_from_a_thread() -> None:
    reports: list[Any] = []

    def once() -> None:
        reports.append(run(Follow(), transport=FakeSite({"/": "x"}).transport))

    once()
    once()
    thread = threading.Thread(target=once)
    thread.start()
    thread.join()
    assert [report.pages for report in reports] == [1, 1, 1]


def test_run_raises_the_exceptions_of_crawl() -> None:
    class Broken(Follow):
        def start(self) -> Produced:
            raise OSError("x")

    with pytest.raises(CrawlFailed):
        run(Broken(), transport=FakeSite({}).transport)


async def test_a_report_has_the_documented_keys(autojump_clock: MockClock) -> None:
    report = await crawl(Follow(), settings=FREE, transport=tree(2, 1).transport)
    assert {
        "finished", "pages", "items", "requests", "retries", "failed", "filtered", "counters", "bytes", "seconds",
        "cpu_seconds", "peak_rss", "statuses", "lanes",
    } <= report.to_dict().keys()  # fmt: skip
    assert {"requests", "refusals", "waited", "quotas"} <= report.lanes["https://site.test"].keys()
    assert report.to_json().startswith(b"{")


@pytest.mark.parametrize("tolerate", ["x", "-1", "101%", "nan", ""])
async def test_an_invalid_tolerance_is_rejected(autojump_clock: MockClock, tolerate: str) -> None:
    report = await crawl(Follow(), transport=tree(1, 1).transport)
    with pytest.raises(ConfigError, match="not a number of failures"):
        report.exit_code(tolerate)


async def test_a_response_has_its_attempt_elapsed_time_and_source(autojump_clock: MockClock) -> None:
    seen: list[tuple[float, int, str]] = []

    class Look(Follow):
        def parse(self, response: Response) -> Produced:
            seen.append((round(response.elapsed, 3), response.attempt, response.source))

    await crawl(Look(), transport=FakeSite({"/": [Page(status=500), Page("x", delay=2)]}).transport)
    assert seen == [(2.0, 2, "network")]
