"""The plugin `dedup`."""

from __future__ import annotations

import attrs
import pytest
import trio
from crawler_plugins.dedup import Dedup

from crawler import ConfigError, Plugin, Request, Settings, Spider, crawl
from crawler.hooks.load import construct, load_plugin
from crawler.testing import FakeSite, Page, collect


@attrs.frozen
class Book:
    id: int


class Items(Spider):
    """Yields the items of each page, which are the arguments of the spider."""

    settings = Settings(obey_robots=False, per_host=1)

    def __init__(self, *pages):
        super().__init__()
        self._pages = pages
        self.start_urls = [f"https://site.test/{n}" for n in range(len(pages))]

    def parse(self, response):
        yield from self._pages[int(response.url.rpartition("/")[2])]


def site(count=10):
    return FakeSite({f"/{n}": "x" for n in range(count)})


async def test_an_item_that_was_kept_before_is_dropped(autojump_clock):
    pages = ([{"id": 1, "x": 2}, {"x": 2, "id": 1}], [{"id": 1, "x": 2}, {"id": 1, "x": 3}, Book(1)])
    found = await collect(Items(*pages), site(), plugins=[Dedup()])
    assert found.items == [{"id": 1, "x": 2}, {"id": 1, "x": 3}, Book(1)]
    assert found.report.dropped == {"duplicate item": 2}


async def test_fields_identify_an_item(autojump_clock):
    pages = ([{"id": 1, "x": 2}, {"id": 1, "x": 3}, {"x": 1}, {"id": "", "x": 1}, {"id": 0}], [{"id": 0, "x": 1}])
    found = await collect(Items(*pages), site(), plugins=[Dedup(("id",))])
    assert found.items == [{"id": 1, "x": 2}, {"x": 1}, {"id": "", "x": 1}, {"id": 0}]


async def test_an_item_of_a_page_that_failed_is_not_known(autojump_clock):
    class Failing(Items):
        def parse(self, response):
            yield {"id": 1}
            if response.url.endswith("/0"):
                raise ValueError("broken")

    found = await collect(Failing([], []), site(), plugins=[Dedup()])
    assert found.items == [{"id": 1}]
    assert found.report.failed == 1


async def test_pages_that_are_refined_at_the_same_time_keep_an_item_once(autojump_clock):
    class Slow(Plugin):
        async def refine(self, item, response):
            await trio.sleep(item["wait"])

    pages = [[{"id": 1, "wait": 1}, {"id": n, "wait": n}] for n in range(2, 6)]
    found = await collect(
        Items(*pages), site(), plugins=[Slow(), Dedup(("id",))], settings=Settings(per_host=8, slow_start=False)
    )
    assert sorted(item["id"] for item in found.items) == [1, 2, 3, 4, 5]


class Waits(Plugin):
    """Waits for each item, as a plugin that downloads files does."""

    async def refine(self, item, response):
        await trio.sleep(item.get("wait", 1))


PARALLEL = Settings(per_host=8, slow_start=False)


async def test_an_item_is_kept_once_whichever_plugin_follows(autojump_clock):
    pages = [[{"id": 1}], [{"id": 1}, {"id": 2}], [{"id": 2}, {"id": 3}]]
    plugins = [Dedup(), Waits()]
    found = await collect(Items(*pages), site(), plugins=plugins, settings=PARALLEL)
    assert sorted(item["id"] for item in found.items) == [1, 2, 3]
    assert found.report.dropped == {"duplicate item": 2}
    assert len(plugins[0]._claims) == 0


class Large(Spider):
    """Yields the same items on both pages, in another order on the second one."""

    settings = Settings(obey_robots=False, per_host=8, slow_start=False)
    start_urls = ["https://site.test/0", "https://site.test/1"]

    def __init__(self, *, turned):
        super().__init__()
        self._turned = turned

    def parse(self, response):
        yield from ({"id": n} for n in range(60)[:: -1 if self._turned and response.url.endswith("/1") else 1])


@pytest.mark.parametrize("turned", [False, True])
async def test_an_item_is_kept_once_even_if_large_pages_are_handled_concurrently(autojump_clock, monkeypatch, turned):
    monkeypatch.setattr("crawler.engine.handler_results.SPILL_OVER", 10)
    found = await collect(Large(turned=turned), site(), plugins=[Dedup()])
    assert sorted(item["id"] for item in found.items) == list(range(60))
    assert found.report.dropped == {"duplicate item": 60}
    assert found.report.failed == 0


async def test_an_item_that_waits_for_a_page_that_fails_is_kept(autojump_clock):
    class Fails(Plugin):
        async def refine(self, item, response):
            await trio.sleep(5)
            if response.url.endswith("/0"):
                raise ValueError("broken")

    pages = FakeSite({"/0": "x", "/1": Page("x", delay=1)})
    found = await collect(Items([{"id": 1}], [{"id": 1}]), pages, plugins=[Dedup(), Fails()], settings=PARALLEL)
    assert found.items == [{"id": 1}]
    assert found.report.failed == 1


async def test_a_crawl_without_a_job_remembers_no_more_than_its_memory(autojump_clock):
    pages = [[{"id": n} for n in part] for part in ([1, 2, 3], [4], [1], [4])]
    plugin = Dedup(memory=2)
    found = await collect(Items(*pages), site(), plugins=[plugin])
    assert [item["id"] for item in found.items] == [1, 2, 3, 4, 1]
    assert len(plugin.state) <= 3


async def test_a_job_remembers_all_items_of_earlier_runs(autojump_clock, tmp_path):
    async def run(limit):
        spider = Items(*[[{"id": n}, {"id": 0}] for n in range(6)])
        return await crawl(
            spider, plugins=[Dedup(memory=1)], job=tmp_path / "job", transport=site().transport,
            settings=Settings(max_pages=limit),
        )  # fmt: skip

    assert (await run(3)).dropped == {"duplicate item": 3}
    assert (await run(6)).dropped == {"duplicate item": 6}


def test_dedup_is_installed_and_its_options_are_converted_from_text():
    made = construct(load_plugin("dedup"), {"fields": "id,language", "memory": "10"}, what="plugin dedup")
    assert (made.fields, made.memory) == (("id", "language"), 10)


@pytest.mark.parametrize(("options", "words"), [({"memory": 0}, "at least 1 item"), ({"fields": ("",)}, "names")])
def test_bad_options_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        Dedup(**options)


async def test_the_response_may_come_late(autojump_clock):
    pages = FakeSite({"/0": Page("x", delay=5), "/1": "x"})
    found = await collect(Items([{"id": 1}], [{"id": 1}]), pages, plugins=[Dedup()], settings=Settings(per_host=2))
    assert found.items == [{"id": 1}]


async def test_memory_is_bounded_although_pages_with_inline_fetches_fail(autojump_clock):
    class Fetching(Items):
        async def parse(self, response):
            for item in self._pages[int(response.url.rpartition("/")[2])]:
                yield item
            if response.url.endswith("/1"):
                await self.crawl.fetch(Request("https://site.test/9"))
                raise ValueError("broken")

    plugin = Dedup(memory=2)
    await collect(Fetching([{"id": n} for n in range(9)], [{"id": 9}], []), site(), plugins=[plugin])
    assert len(plugin.state) == 2
