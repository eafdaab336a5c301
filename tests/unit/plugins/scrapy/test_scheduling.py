"""`Scheduling`: which requests enter the crawl."""

from __future__ import annotations

from types import SimpleNamespace

import httpx
import scrapy
from crawler_plugins.scrapy import ScrapySpider
from scrapy import signals
from scrapy.exceptions import IgnoreRequest
from support.scrapy_site import SITE, run_scrapy

PAGES = {"/": "a", "/b": "b", "/c": "c", "/set": httpx.Response(200, html="x", headers={"set-cookie": "sid=server"})}


class One(scrapy.Spider):
    name = "one"
    start_urls = [f"{SITE}/"]
    allowed_domains = ["site.test"]

    def parse(self, response):
        if response.url.endswith("/"):
            yield from self.more(response)


async def test_dont_filter_and_allow_offsite_pass_the_filter():
    class Elsewhere(One):
        def more(self, response):
            yield scrapy.Request("https://other.test/b")
            yield scrapy.Request("https://other.test/c", meta={"allow_offsite": True})
            yield scrapy.Request("https://third.test/b", dont_filter=True)

    ran = await run_scrapy(Elsewhere, PAGES)
    assert sorted(str(visit.url) for visit in ran.visits[1:]) == ["https://other.test/c", "https://third.test/b"]
    assert ran.report.counters["offsite"] == 1


async def test_a_receiver_of_request_scheduled_refuses_a_request():
    class Some(One):
        def more(self, response):
            yield scrapy.Request(f"{SITE}/b")
            yield scrapy.Request(f"{SITE}/c")

    def refuse(request):
        if request.url.endswith("/b"):
            raise IgnoreRequest

    def listen(bridged):
        bridged.scrapy.signals.connect(refuse, signals.request_scheduled)

    assert (await run_scrapy(Some, PAGES, prepare=listen)).paths == ["/", "/c"]


async def test_a_request_that_cannot_be_sent_is_logged_and_counted(caplog):
    class Bad(One):
        def more(self, response):
            yield scrapy.Request(f"{SITE}/a", method="B C", dont_filter=True)
            yield scrapy.Request(f"{SITE}/b")

    ran = await run_scrapy(Bad, PAGES)
    assert ran.paths == ["/", "/b"]
    assert ran.report.counters["invalid_request"] == 1
    assert "Error downloading <B C https://site.test/a>: method is not an HTTP method" in caplog.text


async def test_cookies_of_a_request_are_sent_with_later_ones():
    class Cookies(One):
        def start_requests(self):
            yield scrapy.Request(f"{SITE}/", cookies={"a": "1"})

        def more(self, response):
            yield scrapy.Request(f"{SITE}/b")
            yield scrapy.Request(f"{SITE}/c", meta={"cookiejar": "other"})

    ran = await run_scrapy(Cookies, PAGES)
    assert {visit.url.path: visit.headers.get("cookie") for visit in ran.visits} == {
        "/": "a=1",
        "/b": "a=1",
        "/c": None,
    }


async def test_a_cookie_without_a_path_is_sent_to_the_folder_of_its_request():
    class Folder(One):
        def start_requests(self):
            yield scrapy.Request(f"{SITE}/shop/a", cookies={"a": "1"})

        def parse(self, response):
            yield scrapy.Request(f"{SITE}/shop/b")
            yield scrapy.Request(f"{SITE}/c")

    ran = await run_scrapy(Folder, dict.fromkeys(("/shop/a", "/shop/b", "/c"), "x"))
    assert {visit.url.path: visit.headers.get("cookie") for visit in ran.visits} == {
        "/shop/a": "a=1",
        "/shop/b": "a=1",
        "/c": None,
    }


async def test_cookies_may_be_a_list_and_may_be_disabled():
    class Listed(One):
        start_urls = [f"{SITE}/set"]

        def start_requests(self):
            yield scrapy.Request(f"{SITE}/set", cookies=[{"name": b"a", "value": 1, "path": "/"}])

        def parse(self, response):
            if response.url.endswith("/set"):
                yield scrapy.Request(f"{SITE}/b")

    def sent(ran):
        return [visit.headers.get("cookie") for visit in ran.visits]

    assert sent(await run_scrapy(Listed, PAGES)) == ["a=1", "a=1; sid=server"]
    assert sent(await run_scrapy(Listed, PAGES, {"COOKIES_ENABLED": False})) == [None, None]


async def test_a_cookie_is_sent_where_it_belongs_and_a_request_shows_what_was_sent(tmp_path):
    class Places(One):
        def start_requests(self):
            given = [
                {"name": "here", "value": "1", "path": "/"},
                {"name": "path", "value": "2", "path": "/other"},
                {"name": "domain", "value": "3", "domain": "example.com"},
                {"name": "secure", "value": "4", "secure": True},
            ]
            yield scrapy.Request("http://site.test/", cookies=given)
            yield scrapy.Request(f"{SITE}/b", cookies={"n": 5, "none": None, "cut": "6;7"}, meta={"cookiejar": 1})
            yield scrapy.Request(f"{SITE}/c", cookies={"d": "8"}, meta={"dont_merge_cookies": True})

        def parse(self, response):
            yield {"sent": response.request.headers.getlist("Cookie"), "given": response.request.cookies}

    for job in (None, tmp_path / "job"):
        ran = await run_scrapy(Places, PAGES, job=job)
        sent = {visit.url.path: visit.headers.get("cookie") for visit in ran.visits}
        assert sent == {"/": "here=1", "/b": "n=5; cut=6", "/c": None}
        shown = sorted([*item["sent"], len(item["given"])] for item in ran.items if item["sent"])
        assert shown == [["here=1", 4], ["n=5; cut=6", 3]]
        assert [item["given"] for item in ran.items if not item["sent"]] == [{"d": "8"}]


async def test_the_crawl_is_queried_about_a_url_until_it_knows_it():
    bridged = ScrapySpider.of(One)
    scheduling = bridged._scheduling
    crawl = SimpleNamespace(job=SimpleNamespace(durable=False))
    await scheduling.open(crawl)
    asked, known = [], set()

    def is_known(url):
        asked.append(url)
        return url in known

    def repeats(*ends, **given):
        is_repeat = scheduling.repeats(is_known, 1)
        return [is_repeat(scrapy.Request(f"{SITE}{end}", **given)) for end in ends]

    assert repeats("/b", "/b#x", "/b") == [False, True, True]
    known.add(f"{SITE}/b")
    assert repeats("/b", "/b#x", "/b") == [True, True, True]
    assert repeats("/b", "/b#x") == [True, True]
    assert asked == [f"{SITE}/b"] * 2  # the second page asked once, the third did not
    assert repeats("/b", dont_filter=True) == repeats("/b", method="POST") == repeats("/b", body="x") == [False]
    await scheduling.open(crawl)  # another crawl
    known.clear()
    assert repeats("/b") == [False]
