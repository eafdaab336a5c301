"""`collect`, `callback_results` and `response_for`: testing a spider in a few lines."""

from __future__ import annotations

import attrs
import httpx
import pytest
import trio

from crawler import ConfigError, Pace, Plugin, Request, Settings, Spider
from crawler.testing import FakeSite, Page, Reply, Wire, callback_results, collect, response_for

URL = "https://site.test/"


@attrs.frozen
class Book:
    title: str
    pages: int = 0


class Books(Spider):
    start_urls = (URL,)

    def parse(self, response):
        for title in response.css("h1::text").getall():
            yield Book(title)
        yield {"url": response.url}
        yield from response.follow_all("a")


class Notes(Plugin):
    def __init__(self):
        self.pages = []

    def parse(self, response):
        self.pages.append(response.url)


# ---- collect ---------------------------------------------------------------------------------------------------------


async def test_items_come_as_the_spider_made_them_in_the_order_of_pages(autojump_clock):
    site = FakeSite({"/": "<h1>one</h1><a href=b>", "/b": "<h1>two</h1>"})
    found = await collect(Books(), site)
    assert found.items == [Book("one"), {"url": URL}, Book("two"), {"url": f"{URL}b"}]
    assert (found.report.pages, found.report.items, found.report.finished) == (2, 4, "finished")


async def test_settings_and_plugins_take_effect(autojump_clock):
    notes = Notes()
    site = FakeSite({"/": "<a href=/b><a href=/c>", "/b": "", "/c": ""})
    found = await collect(
        Books(), site, settings=Settings(pacing={"site.test": Pace(delay=60.0)}, obey_robots=False), plugins=[notes]
    )
    assert sorted(notes.pages) == [URL, f"{URL}b", f"{URL}c"]
    assert [visit.at for visit in site.log] == [0.0, 60.0, 120.0]
    assert found.report.seconds == pytest.approx(120)


async def test_failed_requests_are_in_the_report(autojump_clock):
    found = await collect(Books(), FakeSite({"/": httpx.ConnectError("refused")}))
    assert found.items == []
    assert found.report.failures == {"connect_failed": 1}


async def test_any_httpx_transport_is_a_site(autojump_clock, nursery):
    async def handler(asked):
        return (
            Reply(b"<h1>wire</h1>", headers={"Content-Type": "text/html"}) if asked.target == "/" else Reply(b"", 404)
        )

    for site in (Wire(nursery, handler), FakeSite({"/": "<h1>wire</h1>"}).transport):
        assert (await collect(Books(), site)).items == [Book("wire"), {"url": URL}]


async def test_errors_are_those_of_crawl():
    with pytest.raises(ConfigError, match="not a spider"):
        await collect(Books, FakeSite({}))


async def test_one_spider_can_be_collected_twice(autojump_clock):
    spider = Books()
    for _ in range(2):
        assert (await collect(spider, FakeSite({"/": "<h1>x</h1>"}))).items == [Book("x"), {"url": URL}]


# ---- response_for ----------------------------------------------------------------------------------------------------


def test_a_response_is_html_by_default():
    response = response_for(URL, "<a href=b>ü</a>", status=203, meta={"a": 1}, callback="parse_item")
    assert (response.url, response.status, response.text) == (URL, 203, "<a href=b>ü</a>")
    assert (response.meta, response.request.callback) == ({"a": 1}, "parse_item")
    assert response.hrefs() == [f"{URL}b"]
    assert not response_for(URL, b"{}", headers={"Content-Type": "application/json"}).is_html


def test_the_url_of_a_response_is_canonical():
    assert response_for("HTTPS://Site.test#x").url == URL


# ---- callback_results ------------------------------------------------------------------------------------------------


class Forms(Spider):
    """One callback in every form, each of them giving an item and a request."""

    def generator(self, response):
        yield {"n": 1}
        yield response.follow("b")

    def listed(self, response):
        return [{"n": 1}, response.follow("b")]

    async def coroutine(self, response):
        await trio.lowlevel.checkpoint()
        return [{"n": 1}, None, response.follow("b")]

    async def async_generator(self, response):
        yield {"n": 1}
        await trio.lowlevel.checkpoint()
        yield response.follow("b")

    async def adding(self, response):
        self.crawl.add(response.follow("b"))
        return {"n": 1}

    def one(self, response):
        return {"n": 1}

    def request(self, response):
        return response.follow("b")

    def nothing(self, response):
        return None

    async def nothing_later(self, response):
        return None

    def given(self, response, book: Book, n: int = 0):
        yield book
        yield {"n": n}

    def counting(self, response):
        self.crawl.count("seen")
        self.state["last"] = response.url
        self.state["seen"] = self.state.get("seen", 0) + 1

    async def fetching(self, response):
        answer = await self.crawl.fetch(Request(f"{URL}api"))
        return [{"answer": answer.json(), "status": answer.status}]

    def broken(self, response):
        yield {"n": 1}
        raise RuntimeError("a bug")


@pytest.mark.parametrize("form", ["generator", "listed", "coroutine", "async_generator", "adding"])
async def test_the_results_of_a_callback_of_any_form_are_a_list(form):
    results = await callback_results(Forms(), response_for(URL, callback=form))
    assert results == [{"n": 1}, Request(f"{URL}b").replace(depth=1)]


@pytest.mark.parametrize(("form", "count"), [("one", 1), ("request", 1), ("nothing", 0), ("nothing_later", 0)])
async def test_one_result_or_none_is_a_list_too(form, count):
    assert len(await callback_results(Forms(), response_for(URL, callback=form))) == count


async def test_the_default_callback_is_parse():
    assert await callback_results(Books(), response_for(URL, "<h1>x</h1>")) == [Book("x"), {"url": URL}]


async def test_arguments_of_a_callback_are_converted_by_their_annotations():
    spider = Forms()
    response = response_for(URL, callback=spider.given, cb_kwargs={"book": Book("x", 3), "n": 2})
    assert await callback_results(spider, response) == [Book("x", 3), {"n": 2}]


async def test_counters_and_state_persist_between_calls():
    spider = Forms()
    for _ in range(2):
        assert await callback_results(spider, response_for(URL, callback="counting")) == []
    assert spider.crawl.stats.counters == {"seen": 2}
    assert dict(spider.state) == {"last": URL, "seen": 2}


async def test_a_callback_that_fetches_gets_its_response_from_the_site(autojump_clock):
    site = FakeSite({"/api": Page({"a": 1}, 201, delay=1.0)})
    results = await callback_results(Forms(), response_for(URL, callback="fetching"), site=site)
    assert results == [{"answer": {"a": 1}, "status": 201}]
    assert [visit.url for visit in site.log] == [f"{URL}robots.txt", f"{URL}api"]


async def test_each_call_may_have_another_site(autojump_clock):
    spider = Forms()
    for value in (1, 2):
        [result] = await callback_results(
            spider, response_for(URL, callback="fetching"), site=FakeSite({"/api": Page([value])})
        )
        assert result["answer"] == [value]


async def test_an_exception_of_a_callback_is_raised():
    with pytest.raises(RuntimeError, match="a bug"):
        await callback_results(Forms(), response_for(URL, callback="broken"))


async def test_a_missing_callback_is_an_error_with_a_hint():
    with pytest.raises(LookupError, match=r"^Forms has no method 'generater' \(did you mean generator\?\)$"):
        await callback_results(Forms(), response_for(URL, callback="generater"))
