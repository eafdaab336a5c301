"""`ScrapySpider`: the spiders of Scrapy run as they are."""

from __future__ import annotations

import logging

import httpx
import pytest
import scrapy
from crawler_plugins.scrapy.settings import ignored_settings
from scrapy.http import FormRequest, JsonRequest
from scrapy.linkextractors import LinkExtractor
from scrapy.loader import ItemLoader
from scrapy.settings import Settings
from scrapy.spiders import CrawlSpider, CSVFeedSpider, Rule, SitemapSpider, XMLFeedSpider
from support.scrapy_site import SITE, run_scrapy

QUOTES = {
    "/": "<div class=quote><span>One</span></div><li class=next><a href='/page/2/'>Next</a></li>",
    "/page/2/": "<div class=quote><span>Two</span></div>",
}


class Quotes(scrapy.Spider):
    name = "quotes"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        for quote in response.css("div.quote"):
            yield {"text": quote.css("span::text").get()}
        yield from response.follow_all(css="li.next a")


async def test_a_spider_crawls_its_pages_and_yields_items():
    ran = await run_scrapy(Quotes, QUOTES)
    assert ran.items == [{"text": "One"}, {"text": "Two"}]
    assert ran.paths == ["/", "/page/2/"]
    assert ran.stats["item_scraped_count"] == 2
    assert ran.stats["finish_reason"] == "finished"
    assert ran.report.spider == "quotes"


async def test_start_requests_work_although_scrapy_has_dropped_them():
    class Old(Quotes):
        start_urls = []

        def start_requests(self):
            yield scrapy.Request(f"{SITE}/page/2/", callback=self.parse)

    assert (await run_scrapy(Old, QUOTES)).items == [{"text": "Two"}]


async def test_start_requests_may_call_those_of_the_base_class():
    class Old(Quotes):
        def start_requests(self):
            for request in super().start_requests():
                yield request.replace(url=f"{SITE}/page/2/")

    assert (await run_scrapy(Old, QUOTES)).items == [{"text": "Two"}]


async def test_an_async_start_is_awaited():
    class New(Quotes):
        async def start(self):
            yield scrapy.Request(f"{SITE}/page/2/")

    assert (await run_scrapy(New, QUOTES)).items == [{"text": "Two"}]


async def test_a_crawl_spider_follows_its_rules():
    class Rules(CrawlSpider):
        name = "rules"
        allowed_domains = ["site.test"]
        start_urls = [f"{SITE}/"]
        rules = (Rule(LinkExtractor(allow=r"/item/"), callback="parse_item"), Rule(LinkExtractor(allow=r"/list")))

        def parse_item(self, response):
            yield {"url": response.url, "text": response.meta["link_text"], "depth": response.meta["depth"]}

    pages = {
        "/": "<a href='/item/1'>A</a><a href='/list'>L</a><a href='https://other.test/item/3'>x</a>",
        "/list": "<a href='/item/2'>B</a><a href='/item/1'>A</a>",
        "/item/1": "one",
        "/item/2": "two",
    }
    ran = await run_scrapy(Rules, pages)
    assert sorted(ran.items, key=lambda item: item["url"]) == [
        {"url": f"{SITE}/item/1", "text": "A", "depth": 1},
        {"url": f"{SITE}/item/2", "text": "B", "depth": 2},
    ]
    assert ran.stats["offsite/filtered"] == 1


async def test_a_sitemap_spider_reads_the_sitemap():
    class Map(SitemapSpider):
        name = "map"
        sitemap_urls = [f"{SITE}/sitemap.xml"]
        sitemap_rules = [("/page/", "parse_page")]

        def parse_page(self, response):
            yield {"url": response.url}

    urls = f"<url><loc>{SITE}/page/2/</loc></url><url><loc>{SITE}/other</loc></url>"
    xml = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'
    sitemap = httpx.Response(200, text=xml, headers={"content-type": "application/xml"})
    assert (await run_scrapy(Map, {**QUOTES, "/sitemap.xml": sitemap})).items == [{"url": f"{SITE}/page/2/"}]


async def test_feed_spiders_read_xml_and_csv():
    class Xml(XMLFeedSpider):
        name = "xml"
        start_urls = [f"{SITE}/feed.xml"]
        itertag = "item"

        def parse_node(self, response, node):
            yield {"link": node.xpath("link/text()").get()}

    class Csv(CSVFeedSpider):
        name = "csv"
        start_urls = [f"{SITE}/feed.csv"]

        def parse_row(self, response, row):
            yield dict(row)

    xml = httpx.Response(200, text="<rss><item><link>a</link></item></rss>", headers={"content-type": "text/xml"})
    csv = httpx.Response(200, text="name,price\nbook,3\n", headers={"content-type": "text/csv"})
    assert (await run_scrapy(Xml, {"/feed.xml": xml})).items == [{"link": "a"}]
    assert (await run_scrapy(Csv, {"/feed.csv": csv})).items == [{"name": "book", "price": "3"}]


@pytest.mark.filterwarnings("ignore::scrapy.exceptions.ScrapyDeprecationWarning")
async def test_forms_json_and_cb_kwargs_arrive():
    class Forms(scrapy.Spider):
        name = "forms"
        start_urls = [f"{SITE}/"]

        def parse(self, response):
            yield FormRequest.from_response(response, formdata={"user": "me"}, callback=self.after, meta={"n": [1]})
            yield JsonRequest(f"{SITE}/api", data={"q": 1}, callback=self.api, cb_kwargs={"page": 2})

        def after(self, response):
            yield {"sent": response.request.body.decode(), "n": response.meta["n"]}

        def api(self, response, page):
            yield {"json": response.json(), "page": page, "type": type(response.request).__name__}

    pages = {
        "/": "<form action=/login method=post><input name=user><input name=token value=t></form>",
        "/login": "in",
        "/api": lambda request: httpx.Response(200, json={"got": request.content.decode()}),
    }
    ran = await run_scrapy(Forms, pages)
    assert {"sent": "token=t&user=me", "n": [1]} in ran.items
    assert {"json": {"got": '{"q": 1}'}, "page": 2, "type": "JsonRequest"} in ran.items


async def test_items_loaders_and_pipelines_make_an_item():
    class Book(scrapy.Item):
        title = scrapy.Field()
        price = scrapy.Field(serializer=lambda value: f"£{value}")

    class Books(scrapy.Spider):
        name = "books"
        start_urls = [f"{SITE}/"]

        def parse(self, response):
            loader = ItemLoader(Book(), response=response)
            loader.add_css("title", "h1::text")
            loader.add_value("price", 3)
            yield loader.load_item()

    class First:
        def process_item(self, item):
            item["title"] = item["title"][0]
            return item

    ran = await run_scrapy(Books, {"/": "<h1>Title</h1>"}, {"ITEM_PIPELINES": {First: 1}})
    assert ran.items == [{"title": "Title", "price": "£[3]"}]


async def test_custom_settings_and_arguments_reach_the_spider():
    class Mine(Quotes):
        custom_settings = {"DOWNLOAD_DELAY": 0.5, "USER_AGENT": "MyBot/1"}

    seen = {}

    def keep(bridged):
        seen["delay"] = bridged.settings.delay

    ran = await run_scrapy(Mine, QUOTES, {"DOWNLOAD_DELAY": "0"}, {"tag": "x"}, prepare=keep)
    assert ran.spider.tag == "x"
    assert seen["delay"] == 0.0  # the caller's takes precedence
    assert {visit.headers["user-agent"] for visit in ran.visits} == {"MyBot/1"}


async def test_results_that_precede_an_exception_are_kept():
    class Half(Quotes):
        def parse(self, response):
            yield {"text": "kept"}
            raise ValueError("broken")

    ran = await run_scrapy(Half, QUOTES)
    assert ran.items == [{"text": "kept"}]
    assert ran.stats["spider_exceptions/ValueError"] == 1


async def test_a_lambda_is_a_callback_without_a_job():
    class Lambda(scrapy.Spider):
        name = "lambda"

        def start_requests(self):
            yield scrapy.Request(f"{SITE}/", callback=lambda response: [{"url": response.url}])

    assert (await run_scrapy(Lambda, QUOTES)).items == [{"url": f"{SITE}/"}]


async def test_a_value_in_meta_is_the_same_object_without_a_job():
    shared = []

    class Shared(scrapy.Spider):
        name = "shared"

        def start_requests(self):
            yield scrapy.Request(f"{SITE}/", meta={"list": shared})

        def parse(self, response):
            response.meta["list"].append(response.url)

    await run_scrapy(Shared, QUOTES)
    assert shared == [f"{SITE}/"]


async def test_a_callback_that_no_method_is_ends_a_job_with_its_name(tmp_path):
    class Lambda(scrapy.Spider):
        name = "lambda"
        start_urls = [f"{SITE}/"]

        def parse(self, response):
            yield scrapy.Request(f"{SITE}/page/2/", callback=lambda _: None)

    ran = await run_scrapy(Lambda, QUOTES, job=tmp_path / "job")
    assert ran.stats["spider_exceptions/TypeError"] == 1


@pytest.mark.parametrize("dump", [True, False])
async def test_stats_dump_logs_the_stats_of_the_project_and_is_not_a_setting_without_effect(caplog, dump):
    class Counting(Quotes):
        def parse(self, response):
            self.crawler.stats.inc_value("books/seen")

    caplog.set_level("INFO", "scrapy.statscollectors")
    ran = await run_scrapy(Counting, QUOTES, {"STATS_DUMP": dump})
    assert ran.stats["books/seen"] == 1
    assert ("'books/seen': 1" in caplog.text) is dump
    assert list(ignored_settings(Settings({"STATS_DUMP": dump}))) == []


@pytest.mark.parametrize(
    ("name", "level"), [("DOWNLOAD_BIND_ADDRESS", logging.WARNING), ("COOKIES_DEBUG", logging.INFO)]
)
async def test_a_setting_without_which_other_requests_are_sent_is_a_warning(name, level, caplog):
    caplog.set_level(logging.INFO)
    await run_scrapy(Quotes, {"/": "x"}, {name: True})
    assert [record.levelno for record in caplog.records if f"setting {name} has" in record.getMessage()] == [level]


async def test_urls_that_are_too_long_are_counted_as_in_scrapy():
    class Long(Quotes):
        def parse(self, response):
            yield scrapy.Request(response.urljoin("a" * 100))

    ran = await run_scrapy(Long, {"/": "x"}, {"URLLENGTH_LIMIT": 50})
    assert ran.stats["urllength/request_ignored_count"] == 1
    assert ran.paths == ["/"]


async def test_deeper_pages_come_later_with_a_depth_priority():
    class Deep(Quotes):
        def parse(self, response):
            self.seen = [*getattr(self, "seen", []), (response.url[-1], response.request.priority)]
            yield from (
                scrapy.Request(response.urljoin(name)) for name in {"/": "ab", "a": "c"}.get(response.url[-1], "")
            )

    ran = await run_scrapy(Deep, dict.fromkeys(("/", "/a", "/b", "/c"), "x"), {"DEPTH_PRIORITY": 2})
    assert sorted(ran.spider.seen) == [("/", 0), ("a", -2), ("b", -2), ("c", -4)]
