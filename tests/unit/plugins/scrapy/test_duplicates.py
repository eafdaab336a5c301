"""`Duplicates`: filters and fingerprinters of a project."""

from __future__ import annotations

import hashlib

import httpx
import pytest
import scrapy
from crawler_plugins.scrapy.duplicates import own_filter
from scrapy import signals
from scrapy.settings import Settings
from support.scrapy_site import SITE, run_scrapy

from crawler import ConfigError

MOVED = {"/old": "/", "/loop": "/loop", "/again": "/"}
PAGES = {"/": "a", "/b?1": "b", "/b?2": "b"}


class Repeats(scrapy.Spider):
    name = "repeats"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        if response.url == f"{SITE}/":
            yield scrapy.Request(f"{SITE}/b?1")
            yield scrapy.Request(f"{SITE}/b?2")
            yield scrapy.Request(f"{SITE}/b?1")
            yield scrapy.Request(f"{SITE}/b?1", dont_filter=True)


class Odd:
    """Refuses what ends with 1."""

    events = []

    @classmethod
    def from_crawler(cls, crawler):
        return cls()

    async def open(self):
        Odd.events.append("open")

    def request_seen(self, request):
        return request.url.endswith("1")

    def log(self, request, spider):
        Odd.events.append(request.url)

    def close(self, reason):
        Odd.events.append(reason)


class ByPath:
    def fingerprint(self, request):
        return hashlib.sha1(request.url.partition("?")[0].encode()).digest()


class Broken:
    def __init__(self):
        raise ValueError("no memory")


async def test_a_filter_of_the_project_takes_the_place_of_the_crawls_own():
    Odd.events.clear()
    ran = await run_scrapy(Repeats, PAGES, {"DUPEFILTER_CLASS": Odd})
    assert sorted(ran.paths) == ["/", "/b?1", "/b?2"]
    assert Odd.events == ["open", f"{SITE}/b?1", f"{SITE}/b?1", "finished"]


async def test_a_fingerprinter_tells_requests_apart():
    ran = await run_scrapy(Repeats, PAGES, {"REQUEST_FINGERPRINTER_CLASS": ByPath})
    assert sorted(ran.paths) == ["/", "/b?1", "/b?1"]
    assert ran.stats["dupefilter/filtered"] == 2


async def test_a_repeat_is_reported():
    dropped = []

    class Hearing(Repeats):
        @classmethod
        def from_crawler(cls, crawler, *args, **kwargs):
            spider = super().from_crawler(crawler, *args, **kwargs)
            crawler.signals.connect(spider.note, signals.request_dropped)
            return spider

        def note(self, request):
            dropped.append(request.url)

    ran = await run_scrapy(Hearing, PAGES)
    assert dropped == [f"{SITE}/b?1"]
    assert sorted(ran.paths) == ["/", "/b?1", "/b?1", "/b?2"]


async def test_no_filter_keeps_each_repeat():
    ran = await run_scrapy(Repeats, PAGES, {"DUPEFILTER_CLASS": "scrapy.dupefilters.BaseDupeFilter"})
    assert sorted(ran.paths) == ["/", "/b?1", "/b?1", "/b?1", "/b?2"]


async def test_a_job_has_a_filter_of_its_own(tmp_path):
    with pytest.raises(ConfigError, match=r"DUPEFILTER_CLASS = .*Odd: a job has a duplicate filter of its own"):
        await run_scrapy(Repeats, PAGES, {"DUPEFILTER_CLASS": Odd}, job=tmp_path / "job")


async def test_a_filter_that_cannot_be_created_is_named():
    with pytest.raises(ConfigError, match="DUPEFILTER_CLASS: ValueError: no memory"):
        await run_scrapy(Repeats, PAGES, {"DUPEFILTER_CLASS": Broken})


def test_the_filters_of_scrapy_are_not_the_projects_own():
    assert own_filter(Settings()) == own_filter(Settings({"DUPEFILTER_CLASS": "scrapy_redis.dupefilter.X"})) == ""
    assert own_filter(Settings({"REQUEST_FINGERPRINTER_CLASS": "my.P"})) == "REQUEST_FINGERPRINTER_CLASS = my.P"


async def test_a_filter_of_the_project_is_asked_about_redirects():
    class Redirected(scrapy.Spider):
        name = "redirected"

        def start_requests(self):
            yield scrapy.Request(f"{SITE}/")
            yield scrapy.Request(f"{SITE}/old")
            yield scrapy.Request(f"{SITE}/loop")
            yield scrapy.Request(f"{SITE}/again", dont_filter=True)

        def parse(self, response):
            yield {"url": response.url.removeprefix(SITE), "dont_filter": response.request.dont_filter}

    moved = {path: httpx.Response(302, headers={"location": to}) for path, to in MOVED.items()}
    ran = await run_scrapy(Redirected, {"/": "a"} | moved, {"REQUEST_FINGERPRINTER_CLASS": ByPath})
    assert sorted(ran.paths) == ["/", "/", "/again", "/loop", "/old"]
    assert sorted(ran.items, key=str) == [{"url": "/", "dont_filter": False}, {"url": "/", "dont_filter": True}]
