"""Plugins of the crawl stand for the cache of Scrapy and for scrapy-playwright."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import scrapy
from crawler_plugins.archive.cache import Cache
from crawler_plugins.archive.http_cache import HttpCache
from crawler_plugins.browser import Browser, browser_plugin
from crawler_plugins.scrapy.equivalents import equivalents, rendering, uses_playwright
from scrapy.settings import Settings
from support.scrapy_site import SITE, run_scrapy

HANDLER = "scrapy_playwright.handler.ScrapyPlaywrightDownloadHandler"


class One(scrapy.Spider):
    name = "one"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        yield {"text": response.css("h1::text").get(), "flags": response.flags}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


async def test_a_page_of_an_earlier_run_is_answered_from_the_cache():
    settings = {"HTTPCACHE_ENABLED": True}
    first = await run_scrapy(One, {"/": "<h1>first</h1>"}, settings)
    second = await run_scrapy(One, {"/": "<h1>second</h1>"}, settings)
    assert [first.items, second.items] == [[{"text": "first", "flags": flags}] for flags in ([], ["cached"])]
    assert second.visits == []


async def test_a_page_whose_bytes_are_reported_is_kept_in_the_cache():
    class Listens(One):
        heard = []

        @classmethod
        def from_crawler(cls, crawler, *args, **kwargs):
            spider = super().from_crawler(crawler, *args, **kwargs)
            crawler.signals.connect(spider.hear, scrapy.signals.bytes_received)
            return spider

        def hear(self, data, request, spider):
            self.heard.append(data)

    for flags in ([], ["cached"]):
        ran = await run_scrapy(Listens, {"/": "<h1>first</h1>"}, {"HTTPCACHE_ENABLED": True})
        assert ran.items == [{"text": "first", "flags": flags}]
    assert b"".join(Listens.heard) == b"<h1>first</h1>"


async def test_dont_cache_fetches_a_page():
    class Fresh(One):
        def start_requests(self):
            yield scrapy.Request(f"{SITE}/", meta={"dont_cache": True})

    settings = {"HTTPCACHE_ENABLED": True}
    for word in ("first", "second"):
        assert (await run_scrapy(Fresh, {"/": f"<h1>{word}</h1>"}, settings)).items[0]["text"] == word


def test_settings_of_the_cache_are_options_of_the_plugin(tmp_path):
    given = {"HTTPCACHE_ENABLED": True, "HTTPCACHE_DIR": str(tmp_path / "c"), "HTTPCACHE_IGNORE_HTTP_CODES": [404]}
    [cache] = equivalents(Settings({**given, "HTTPCACHE_EXPIRATION_SECS": 60}))
    assert isinstance(cache, Cache)
    assert (cache.path.parent, cache.ignore_statuses, cache.max_age) == (tmp_path / "c", {404}, 60)
    [cache] = equivalents(Settings({**given, "HTTPCACHE_POLICY": "scrapy.extensions.httpcache.RFC2616Policy"}))
    assert isinstance(cache, HttpCache)
    assert equivalents(Settings()) == []


def test_playwright_is_the_plugin_browser(monkeypatch):
    settings = Settings({"DOWNLOAD_HANDLERS": {"https": HANDLER}})
    monkeypatch.setattr(browser_plugin, "find_executable", lambda _: "/usr/bin/chromium")
    [browser] = equivalents(settings)
    assert isinstance(browser, Browser)
    assert browser.every == "asked"
    assert not uses_playwright(Settings())


def method(name, *args):
    return SimpleNamespace(method=name, args=args)


@pytest.mark.parametrize(
    ("meta", "options"),
    [
        ({}, None),
        ({"playwright": False}, None),
        ({"playwright": True}, {}),
        ({"playwright": True, "playwright_page_methods": [method("wait_for_selector", "div.a")]}, {"wait": "div.a"}),
        ({"playwright": True, "playwright_page_methods": {"x": method("wait_for_timeout", 500)}}, {"wait": 0.5}),
        (
            {"playwright": True, "playwright_page_methods": [method("click", "a"), method("fill", "#q", "word")]},
            {"actions": ["click 'a'", "type '#q' 'word'"]},
        ),
    ],
)
def test_keys_of_playwright_are_options_of_a_request(meta, options):
    assert rendering(meta) == options


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"playwright_include_page": True}, "playwright_include_page"),
        ({"playwright_page_methods": [method("drag_and_drop", "a", "b")]}, "the plugin browser has no drag_and_drop"),
    ],
)
def test_unsupported_features_of_a_browser_are_named(meta, words):
    with pytest.raises(ValueError, match=words):
        rendering({"playwright": True, **meta})
