"""`Crawl`: the facade of a running crawl for spiders and plugins."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from crawler import CrawlFailed, Plugin, Request, Response, RetryPolicy, Settings, Spider, crawl
from crawler.engine.crawl import Crawl
from crawler.engine.wiring import wire
from crawler.hooks.page_effects import PageEffects, current_page
from crawler.store import MemoryStore
from crawler.testing import FakeSite, Page, collect

URL = "https://site.test/"


class One(Spider):
    name = "one"
    start_urls = [URL]
    settings = Settings(obey_robots=False)

    def parse(self, response: Response) -> None: ...


def facade(site: FakeSite | None = None, **settings: Any) -> Crawl:
    spider = One()
    transport = (site or FakeSite({})).transport
    made = wire(spider, [spider], Settings(obey_robots=False, **settings), MemoryStore(), transport)
    assert spider.crawl is made.crawl
    return made.crawl


async def test_a_crawl_has_its_spider_settings_and_plugins(autojump_clock: MockClock) -> None:
    crawl = facade(workers=3)
    assert (crawl.spider.name, crawl.plugins) == ("one", (crawl.spider,))
    assert (crawl.settings.workers, crawl.stats.pages, crawl.reason) == (3, 0, None)
    assert crawl.clock() > 1.7e9


async def test_outside_of_a_page_counters_are_counted_at_once(autojump_clock: MockClock) -> None:
    crawl = facade()
    crawl.count("seen")
    crawl.count("seen", 2)
    crawl.count("a\udcff")
    assert crawl.stats.counters == {"seen": 3, "a\ufffd": 1}


async def test_inside_a_page_counters_and_requests_are_its_effects(autojump_clock: MockClock) -> None:
    crawl = facade()
    effects = PageEffects()
    token = current_page.set(effects)
    try:
        crawl.count("seen", 2)
        crawl.add(Request(URL))
    finally:
        current_page.reset(token)
    assert (effects.counters, [request.url for request in effects.added]) == ({"seen": 2}, [URL])
    assert crawl.stats.counters == {}


@pytest.mark.parametrize(("name", "n"), [(3, 1), ("seen", 1.5), ("seen", "1"), (None, 1)])
async def test_a_counter_has_a_name_and_a_whole_number(autojump_clock: MockClock, name: Any, n: Any) -> None:
    with pytest.raises(TypeError, match=r"count\(\) takes a name and a whole number"):
        facade().count(name, n)


async def test_only_requests_are_added(autojump_clock: MockClock) -> None:
    with pytest.raises(TypeError, match=r"add\(\) takes a Request, not str"):
        facade().add(URL)  # type: ignore[arg-type]


async def test_a_stop_has_the_first_reason(autojump_clock: MockClock) -> None:
    crawl = facade()
    crawl.stop("enough\udcff")
    crawl.stop("later")
    assert crawl.reason == "enough\ufffd"


async def test_the_reason_of_a_stop_is_text(autojump_clock: MockClock) -> None:
    with pytest.raises(TypeError, match="takes the reason as text, not 5"):
        facade().stop(5)  # type: ignore[arg-type]


async def test_another_retry_policy_may_take_the_place_of_the_first(autojump_clock: MockClock) -> None:
    class Never(RetryPolicy):
        def wait(self, request: Request, attempts: int, error: Any) -> None:
            return None

    crawl = facade(FakeSite({"/": Page(status=500)}))
    crawl.control.retries = Never(crawl.settings)
    assert isinstance(crawl.control.retries, Never)
    assert (await crawl.fetch(Request(URL))).status == 500


async def test_a_string_is_not_a_request(autojump_clock: MockClock) -> None:
    with pytest.raises(TypeError, match=r"fetch\(\) takes a Request, as in fetch\(Request\('https://a.test/'\)\)"):
        await facade(FakeSite({"/": "x"})).fetch("https://a.test/")  # type: ignore[arg-type]


async def test_statistics_are_those_of_the_moment(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x"})
    crawl = facade(site, delay=10.0)
    before = crawl.control.statistics()
    assert (before.in_flight, before.waiting, before.next_start, dict(before.limits)) == (0, 0, math.inf, {})
    await crawl.fetch(Request(URL))
    limits = crawl.control.statistics().limits
    assert (list(limits), len(limits)) == (["https://site.test"], 1)
    limit = limits["https://site.test"]
    assert limit.ready_at == pytest.approx(crawl.clock() + 10.0)
    assert (limit.blocked_by, limit.in_flight, limit.delay, limit.policies) == ("delay", 0, 10.0, {})
    assert limit.max_concurrency == crawl.settings.per_host
    assert limits.get("https://elsewhere.test") is None
    with pytest.raises(AttributeError):
        before.in_flight = 1  # type: ignore[misc]


# ---- requests for the scheduler --------------------------------------------------------------------------------------


async def test_a_crawl_does_not_end_before_its_series_and_leaves_out_known_requests(
    autojump_clock: MockClock,
) -> None:
    class Adds(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            crawl.add(Request(f"{URL}{n % 150}") for n in range(300))
            yield

    site = FakeSite({"/": "x"} | {f"/{n}": "x" for n in range(150)})
    found = await collect(One(), site, plugins=[Adds()])
    assert found.report.pages == 151
    assert found.report.filtered == {"duplicate": 150}


async def test_a_job_knows_its_folder_and_its_round(autojump_clock: MockClock, tmp_path: Path) -> None:
    seen: list[Any] = []

    class Looks(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            seen.append((crawl.job.folder, crawl.job.round))
            yield

    class Repeats(Looks):
        repeats = True

    site = FakeSite({"/": "x"})
    for plugin in (Repeats(), Repeats(), Looks(), Repeats()):
        report = await crawl(One(), plugins=[plugin], job=tmp_path / "job", transport=site.transport)
        assert report.pages == 1
    await crawl(One(), plugins=[Repeats()], transport=site.transport)
    folder = tmp_path / "job"
    assert seen == [(folder, 1), (folder, 2), (folder, 2), (folder, 3), (None, 1)]
    assert len(site.log) == 4


async def test_a_series_of_something_else_ends_the_crawl(autojump_clock: MockClock) -> None:
    class Adds(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            crawl.add([URL])
            yield

    with pytest.raises(CrawlFailed, match=r"add\(\) takes requests, not str"):
        await collect(One(), FakeSite({"/": "x"}), plugins=[Adds()])


async def test_a_request_that_is_added_too_late_is_named_in_a_warning(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    spider = One()
    engine = wire(spider, [spider], Settings(obey_robots=False), MemoryStore(), FakeSite({"/": "x"}).transport)
    await engine.run()
    engine.crawl.add(Request(URL + "late"))
    assert f"{URL}late was added after the crawl had ended, so it is not fetched" in caplog.messages
