"""A link of a page that is not UTF-8 leads to the same URL, whatever API finds it and whatever spider follows it."""

from __future__ import annotations

import pytest
from support.trees import FREE

from crawler import CrawlSpider, Rule, Settings, Spider
from crawler.spiders import SiteSpider
from crawler.testing import FakeSite, Page, collect

URL = "https://site.test/"
TARGET = f"{URL}to?q=%FF"
"""The URL that a browser requests: the query is in the encoding of the page, windows-1251."""
OTHER = f"{URL}other"


class Follow(Spider):
    start_urls = [URL]

    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all()


class Areas(Follow):
    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all(css="area")


class Rules(CrawlSpider):
    start_urls = [URL]
    rules = [Rule(callback="parse_page")]

    def parse_page(self, response):
        return {"url": response.url}


class RulesWithText(Rules):
    rules = [Rule(callback="parse_page", text=".*")]


class Forms(Follow):
    def parse(self, response):
        yield {"url": response.url}
        if response.url == URL:
            yield response.form().submit(dont_filter=True)


def page(markup: str) -> Page:
    return Page(f"<meta charset=windows-1251>{markup}".encode("windows-1251"))


async def found(spider, markup, **settings):
    site = FakeSite({"/": page(markup), "/to": "to", "/other": "other"})
    collected = await collect(spider, site, settings=FREE | Settings(**settings))
    return sorted({visit.url for visit in site.log} - {URL}), collected.report


@pytest.mark.parametrize(
    ("spider", "markup"),
    [
        (Follow, "<a href='/to?q=я'>x</a>"),
        (Areas, "<map><area href='/to?q=я'></map>"),
        (Rules, "<a href='/to?q=я'>x</a>"),
        (Rules, "<map><area href='/to?q=я'></map>"),
        (RulesWithText, "<a href='/to?q=я'>x</a>"),
        (Forms, "<form method=post action='/to?q=я'></form>"),
    ],
)
async def test_links(autojump_clock, spider, markup):
    assert (await found(spider(), markup))[0] == [TARGET]


async def test_pictures(autojump_clock):
    markup = "<img src='/to?q=я' srcset='/to?q=я 2x'>"
    assert (await found(SiteSpider(URL), markup, srcset=True))[0] == [TARGET]


async def test_refreshes(autojump_clock):
    asked, report = await found(Follow(), "<meta http-equiv=refresh content='0; url=/to?q=я'>", follow_refresh=1.0)
    assert (asked, report.redirects) == ([TARGET], 1)


@pytest.mark.parametrize("spider", [Follow, Rules, RulesWithText, lambda: SiteSpider(URL)])
async def test_nofollow_links_are_compared_in_the_same_encoding(autojump_clock, spider):
    markup = "<a rel=nofollow href='/to?q=я'>x</a><a href='/other'>y</a>"
    asked, report = await found(spider(), markup, obey_nofollow=True)
    assert asked == [OTHER]
    assert (report.filtered, report.samples["nofollow"]) == ({"nofollow": 1}, [TARGET])
