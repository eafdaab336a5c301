"""The plugin `expect`."""

from __future__ import annotations

import json

import attrs
import pytest
from crawler_plugins.coverage import Coverage
from crawler_plugins.expect import Expect

from crawler import ConfigError, CrawlFailed, Plugin, Request, Settings, Spider, crawl
from crawler.hooks.load import construct, load_plugin
from crawler.testing import FakeSite, Page, collect


@attrs.frozen
class Book:
    title: str | None


class Books(Spider):
    start_urls = ["https://site.test/a", "https://site.test/b"]
    settings = Settings(obey_robots=False, attempts=1)

    def parse(self, response):
        yield from (Book("x"), Book(None), {"title": "y", "price": 1}, {"title": "z"})


SITE = {"/a": "x", "/b": Page(status=500)}


async def problems(options, *plugins, **settings):
    found = await collect(Books(), FakeSite(SITE), plugins=[*plugins, Expect(**options)], settings=Settings(**settings))
    assert found.report.exit_code("9") == (1 if found.report.problems else 0)
    return [problem.removeprefix("expect: ") for problem in found.report.problems]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"min_items": 4}, []),
        ({"min_items": 5}, ["the number of items is 4 (expected at least 5)"]),
        ({"max_error_rate": 0.5}, []),
        ({"max_error_rate": "49%"}, ["50.0% of the requests failed (expected at most 49.0%)"]),
        ({"finish_reason": ("max_pages", "finished")}, []),
        ({"finish_reason": ("max_pages",)}, ["the crawl ended by finished (expected max_pages)"]),
        ({"coverage": {"title": 0.75, "item.price": "50%", "Book.title": 0.5}}, []),
        ({"coverage": {"title": "76%"}}, ["75.0% of the items have a title (expected at least 76.0%)"]),
        ({"coverage": {"Book.title": 1}}, ["50.0% of the items have a Book.title (expected at least 100.0%)"]),
        ({"coverage": {"cover": 0.1}}, ["0.0% of the items have a cover (expected at least 10.0%)"]),
    ],
)
async def test_each_expectation_that_is_not_met_is_a_problem(autojump_clock, options, expected):
    assert await problems(options, Coverage()) == expected


async def test_all_problems_are_reported(autojump_clock):
    assert len(await problems({"min_items": 9, "max_error_rate": 0, "finish_reason": ("x",)})) == 3


async def test_one_page_of_many_is_too_many_if_none_may_be_lost(autojump_clock):
    site = FakeSite(SITE | {"/b": Page("no", status=403)})
    silent = [Expect(max_loss=0.5), Expect(max_loss=1)]
    assert [(await collect(Books(), site, plugins=[each])).report.problems for each in silent] == [[], []]
    [problem] = (await collect(Books(), site, plugins=[Expect(max_loss="49%")])).report.problems
    assert problem.startswith("expect: refused with status 403: 1 of 2 pages for parse() (https://site.test/b); ")
    assert problem.endswith(" (expected at most 49.0%)")


async def test_a_crawl_without_items_covers_no_field(autojump_clock):
    plugins = [Coverage(), Expect(coverage={"title": 0.1}, max_error_rate=0)]
    found = await collect(Books(), FakeSite({}), plugins=plugins)
    assert found.report.problems == ["expect: there are no items, so none has a title (expected 10.0%)"]


async def test_a_stop_by_a_plugin_is_judged(autojump_clock):
    class Stopping(Plugin):
        def parse(self, response):
            self.crawl.stop("enough")

    assert await problems({"finish_reason": ("finished",)}, Stopping()) == [
        "the crawl ended by enough (expected finished)"
    ]


class Numbers(Spider):
    """Has one item per page."""

    settings = Settings(obey_robots=False, per_host=1)

    def __init__(self, count):
        super().__init__()
        self._count = count

    def start(self):
        for n in range(self._count):
            yield Request(f"https://site.test/{n}")

    def parse(self, response):
        yield {"url": response.url}


async def made(tmp_path, count, plugin, *, job=None, max_pages=None):
    site = FakeSite({f"/{n}": "x" for n in range(100)})
    report = await crawl(
        Numbers(count), plugins=[plugin], job=job, transport=site.transport, settings=Settings(max_pages=max_pages)
    )
    return report.problems


async def test_crawls_are_compared_by_their_history(autojump_clock, tmp_path):
    history = tmp_path / "items.json"

    async def run(count):
        return await made(tmp_path, count, Expect(max_drop="20%", history=history))

    assert await run(10) == []
    assert await run(8) == []
    assert await run(6) == [
        "expect: this run has 6 items, 25% fewer than the 8 of the last one (expected at most 20% fewer)"
    ]
    assert json.loads(history.read_bytes()) == {"items": 8}
    assert len(await run(0)) == 0  # it sends no request
    assert await run(7) == []


async def test_runs_of_a_job_are_compared_by_its_state(autojump_clock, tmp_path):
    async def run(pages):
        return await made(tmp_path, 20, Expect(max_drop=0.2), job=tmp_path / "job", max_pages=pages)

    assert await run(10) == []
    assert await run(18) == []
    assert await run(None) == [
        "expect: this run has 2 items, 75% fewer than the 8 of the last one (expected at most 20% fewer)"
    ]
    assert await run(None) == []  # there is nothing to fetch


async def test_a_run_is_compared_with_a_run_without_the_plugin(autojump_clock, tmp_path):
    site = FakeSite({f"/{n}": "x" for n in range(100)})
    await crawl(Numbers(20), job=tmp_path / "job", transport=site.transport, settings=Settings(max_pages=16))
    assert await made(tmp_path, 20, Expect(max_drop=0.2), job=tmp_path / "job") == [
        "expect: this run has 4 items, 75% fewer than the 16 of the last one (expected at most 20% fewer)"
    ]


async def test_a_run_that_was_cut_off_is_judged_together_with_the_next_one(autojump_clock, tmp_path):
    class Cut(Expect):
        name = "expect"

        def measure(self, usage):
            if usage.requests > 2:
                raise ValueError("broken")

    options = {"job": tmp_path / "job"}
    assert await made(tmp_path, 20, Expect(max_drop=0.2), max_pages=10, **options) == []
    with pytest.raises(CrawlFailed):
        await made(tmp_path, 20, Cut(max_drop=0.2), max_pages=18, **options)
    kept = 18 - 10
    assert await made(tmp_path, 20, Expect(max_drop=0.2), max_pages=18, **options) == []
    (problem,) = await made(tmp_path, 20, Expect(max_drop=0.2), **options)
    assert f"this run has 2 items, {1 - 2 / kept:.0%} fewer than the {kept} of the last one" in problem


def test_expect_is_installed_and_its_options_are_converted_from_text():
    texts = {"min_items": "3", "coverage.title": "0.95", "coverage.Book.price": "5%", "max_drop": "20%"}
    plugin = construct(load_plugin("expect"), texts | {"finish_reason": "finished,max_pages"}, what="plugin expect")
    assert plugin.coverage == {"title": 0.95, "Book.price": 0.05}
    assert (plugin.min_items, plugin.max_drop, plugin.finish_reason) == (3, 0.2, ("finished", "max_pages"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "give at least one expectation"),
        ({"min_items": "-1"}, "min_items must be 0 or more"),
        ({"max_error_rate": "2"}, "max_error_rate must be a share, such as 0.2 or 20%, not '2'"),
        ({"max_error_rate": "nan"}, "must be a share"),
        ({"max_loss": "2"}, "max_loss must be a share, such as 0.2 or 20%, not '2'"),
        ({"max_drop": "120%"}, "max_drop must be a share"),
        ({"coverage.title": "most"}, r"coverage\.title must be a share"),
        ({"min_items": "1", "history": "x.json"}, "history is only used with max_drop"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        construct(Expect, options, what="plugin expect")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"coverage": {"title": 1}}, "coverage.title needs the plugin coverage: enable it, too"),
        ({"max_drop": 0.2}, "max_drop needs a job, or expect.history=FILE.json"),
        ({"max_drop": 0.2, "history": "bad"}, "is not a history of this plugin"),
        ({"max_drop": 0.2, "history": "none/x"}, "no such folder"),
    ],
)
async def test_a_missing_requirement_is_reported_before_the_first_request(autojump_clock, tmp_path, options, words):
    (tmp_path / "bad").write_text("[]")
    site = FakeSite(SITE)
    if "history" in options:
        options = options | {"history": tmp_path / options["history"]}
    with pytest.raises(ConfigError, match=words):
        await collect(Books(), site, plugins=[Expect(**options)])
    assert site.log == []
