"""The plugin `budget`."""

from __future__ import annotations

import pytest
from crawler_plugins.budget import Budget

from crawler import ConfigError, Request, Settings, Spider, crawl
from crawler.hooks.load import construct, load_plugin
from crawler.testing import FakeSite, Page, collect


class Many(Spider):
    """Requests pages of two hosts; a price of its own may be set by page."""

    settings = Settings(obey_robots=False, slow_start=False)

    def __init__(self, count=20, prices=None):
        super().__init__()
        self._count = count
        self._prices = prices or {}

    def start(self):
        for n in range(self._count):
            options = {"plugins": {"budget": {"price": self._prices[n]}}} if n in self._prices else {}
            yield Request(f"https://{'ab'[n % 2]}.test/{n}", **options)

    def parse(self, response):
        yield {"url": response.url}


def site(count=60, body="x" * 10):
    pages = {f"https://{host}.test/{n}": Page(body, delay=0.5) for host in "ab" for n in range(count)}
    return FakeSite(pages)


async def test_no_more_requests_are_sent_than_the_budget_allows_and_the_crawl_stops(autojump_clock):
    pages = site()
    found = await collect(Many(), pages, plugins=[Budget(requests=7)])
    assert len(pages.log) == 7
    assert found.report.pages == 7
    assert (found.report.finished, found.report.exit_code()) == ("budget of the crawl", 3)
    assert found.report.failed == 0


async def test_a_budget_that_is_just_enough_stops_nothing(autojump_clock):
    found = await collect(Many(7), site(), plugins=[Budget(requests=7)])
    assert (found.report.finished, found.report.pages, found.report.exit_code()) == ("finished", 7, 0)


async def test_each_lane_may_have_a_budget_of_its_own(autojump_clock):
    pages = site()
    await collect(Many(), pages, plugins=[Budget(requests=4, per="lane", window=1000, then="pause")],
                  settings=Settings(max_pages=8))  # fmt: skip
    assert sorted(visit.url[8:14] for visit in pages.log) == ["a.test"] * 4 + ["b.test"] * 4


async def test_requests_of_a_paused_crawl_wait_for_the_next_window_and_none_is_lost(autojump_clock):
    pages = site()
    plugin = Budget(requests=5, window=60, then="pause")
    found = await collect(Many(), pages, plugins=[plugin], settings=Settings(attempts=1))
    assert (found.report.pages, found.report.failed) == (20, 0)
    starts = [visit.at for visit in pages.log]
    windows = [[at for at in starts if 60 * n <= at - starts[0] < 60 * (n + 1)] for n in range(4)]
    assert [len(window) for window in windows] == [5, 5, 5, 5]


async def test_a_request_waits_for_any_number_of_windows(autojump_clock):
    pages = site()
    found = await collect(Many(60), pages, plugins=[Budget(requests=1, window=10, then="pause")])
    assert (found.report.pages, found.report.failed) == (60, 0)


async def test_bytes_are_counted_as_they_come(autojump_clock):
    pages = site(body="x" * 1000)
    await collect(Many(), pages, plugins=[Budget(bytes=4500)], settings=Settings(workers=1))
    assert len(pages.log) == 5


async def test_prices_are_those_of_the_option_or_of_the_request(autojump_clock):
    pages = site()
    found = await collect(Many(20, {0: 0.4, 3: 0}), pages, plugins=[Budget(money=1, price=0.1)],
                          settings=Settings(workers=1))  # fmt: skip
    assert len(pages.log) == 8  # 0.4 + 0 + 6 × 0.1
    assert found.report.exit_code() == 3


@pytest.mark.parametrize("price", [-1, 9, "much"])
async def test_a_request_whose_price_is_impossible_fails(autojump_clock, price):
    found = await collect(Many(4, {1: price}), site(), plugins=[Budget(money=5, price=0.1)])
    assert (found.report.pages, found.report.failed) == (3, 1)
    assert found.report.failures == {"hook_error": 1}


async def test_a_job_keeps_the_spent_units_and_loses_no_request(autojump_clock, tmp_path):
    async def run(budget):
        pages = site()
        await crawl(Many(), plugins=[Budget(requests=budget)], job=tmp_path / "job", transport=pages.transport)
        return len(pages.log)

    assert await run(6) == 6
    assert await run(6) == 0
    assert await run(10) == 4
    assert await run(100) == 10


async def test_an_inline_fetch_spends_the_budget_although_its_page_fails(autojump_clock):
    class Failing(Many):
        async def parse(self, response):
            await self.crawl.fetch(Request(response.url + "?inline"))
            raise ValueError("broken")

    pages = FakeSite({f"https://{h}.test/{n}{q}": "x" for h in "ab" for n in range(20) for q in ("", "?inline")})
    plugin = Budget(requests=100)
    await collect(Failing(3), pages, plugins=[plugin])
    assert plugin.state["the crawl"]["requests"] == len(pages.log) == 6


async def test_robots_txt_is_fetched_later_if_the_budget_is_used_up(autojump_clock):
    pages = site()
    found = await collect(Many(4), pages, plugins=[Budget(requests=1, window=10, then="pause")],
                          settings=Settings(obey_robots=True))  # fmt: skip
    assert (found.report.pages, found.report.failed) == (4, 0)


async def test_each_window_has_one_alert(autojump_clock, caplog):
    await collect(Many(), site(), plugins=[Budget(requests=10, window=100, then="pause")])
    lines = [message for message in caplog.messages if message.startswith("budget of") and message.endswith(" left")]
    assert lines == ["budget of the crawl: 2 of 10 requests left"] * 2


def test_budget_is_installed_and_its_options_are_converted_from_text():
    made = construct(load_plugin("budget"), {"requests": "5", "per": "lane", "money": "1.5"}, what="plugin budget")
    assert (made.limits, made.per) == ({"requests": 5, "money": 1.5}, "lane")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "give requests, bytes or money"),
        ({"requests": 0}, "requests must be above 0"),
        ({"money": float("nan")}, "money must be above 0"),
        ({"money": 1, "price": 2}, "price must be from 0 to the whole budget"),
        ({"requests": 1, "per": "host"}, "per must be crawl or lane"),
        ({"requests": 1, "then": "cry"}, "then must be stop or pause"),
        ({"requests": 1, "then": "pause"}, "then=pause needs a window"),
        ({"requests": 1, "window": 0}, "window must be above 0"),
        ({"requests": 1, "threshold": 1}, "threshold must be a share"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        Budget(**options)


async def test_the_report_has_the_used_units(autojump_clock, caplog, tmp_path):
    found = await collect(Many(12), site(), plugins=[Budget(requests=100, money=5, price=0.3)])
    counted = {name: n for name, n in found.report.counters.items() if name.startswith("budget")}
    assert counted == {"budget of the crawl: requests": 12, "budget of the crawl: money": 4}
    assert "budget of the crawl: used 12 of 100 requests, 3.6 of 5 money" in caplog.text
    for pages in (4, 9):  # the counters of a job are those of its last window, not a sum over its runs
        report = await crawl(
            Many(12), plugins=[Budget(requests=100)], job=tmp_path / "job", transport=site().transport,
            settings=Settings(max_pages=pages),
        )  # fmt: skip
    assert report.counters["budget of the crawl: requests"] == 9


async def test_many_lanes_do_not_fill_the_report(autojump_clock):
    urls = [f"https://h{n}.test/" for n in range(120)]

    class Wide(Many):
        def start(self):
            yield from map(Request, urls)

    found = await collect(Wide(), FakeSite(dict.fromkeys(urls, "x")), plugins=[Budget(requests=9, per="lane")])
    assert sum(name.startswith("budget of https://") for name in found.report.counters) == 100


async def test_lanes_and_the_crawl_may_have_budgets_at_once(autojump_clock):
    class LaneBudget(Budget):
        name = "lane_budget"

    pages = site()
    plugins = [Budget(requests=10), LaneBudget(requests=3, per="lane", window=100, then="pause")]
    found = await collect(Many(), pages, plugins=plugins)
    assert found.report.finished == "budget of the crawl"
    assert len(pages.log) == 10
    first = [visit.url[8:14] for visit in pages.log if visit.at < pages.log[0].at + 100]
    assert sorted(first) == ["a.test"] * 3 + ["b.test"] * 3
