"""Ready-made spiders in a job that is interrupted repeatedly: in the end every item is there, once."""

from __future__ import annotations

import json

import httpx
import pytest
import trio

from crawler import Settings, SitemapSpider, Spider, crawl
from crawler.spiders import ApiSpider
from crawler.testing import FakeSite, Page

SITE = "https://site.test"
XML = {"Content-Type": "application/xml"}
MOMENTS = (0.2, 0.45, 0.7, 0.9, 1.1, 0.6, 0.35, 0.8, 1.3)
"""Seconds after which each run ends without warning; the last run is not interrupted."""


class Maps(SitemapSpider):
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        return {"is": response.text}


class Same(Spider):
    start_urls = [f"{SITE}/"]
    settings = Settings(dedup_content=True)

    def parse(self, response):
        yield {"is": response.text[:6]}
        yield from response.follow_all()


def pages_of_an_api():
    return ApiSpider(url=f"{SITE}/api", items="items", next="page", total="total", size=5)


def all_pages_of_an_api():
    return ApiSpider(url=f"{SITE}/api", items="items", next="page", total="total", size=5, parallel=True)


def api(request: httpx.Request) -> Page:
    number = int(request.url.params.get("page", 1))
    items = [{"is": f"{number}-{place}"} for place in range(5)] if number <= 12 else []
    return Page({"items": items, "total": 60}, delay=0.3)


def site() -> FakeSite:
    entries = [[f"/p{sitemap}x{number}" for number in range(20)] for sitemap in range(3)]
    pages = {page: Page(page, delay=0.3) for sitemap in entries for page in sitemap}
    for number, sitemap in enumerate(entries):
        listed = "".join(f"<url><loc>{page}</loc></url>" for page in sitemap)
        pages[f"/s{number}.xml"] = Page(f"<urlset>{listed}</urlset>", headers=XML, delay=0.5)
    listed = "".join(f"<sitemap><loc>/s{number}.xml</loc></sitemap>" for number in range(3))
    pages["/index.xml"] = Page(f"<sitemapindex>{listed}</sitemapindex>", headers=XML, delay=0.5)
    pages["/robots.txt"] = Page("Sitemap: /index.xml", delay=0.5)
    pages |= {f"/d{number}": Page(f"body {number % 10}", delay=0.1 + number * 7 % 5 * 0.2) for number in range(60)}
    pages["/"] = Page("begin " + "".join(f"<a href='/d{number}'>x</a>" for number in range(60)), delay=0.3)
    return FakeSite(pages | {"/api": api})


@pytest.mark.parametrize(
    ("spider", "expected"),
    [
        (Maps, {f"/p{sitemap}x{number}" for sitemap in range(3) for number in range(20)}),
        (Same, {"begin "} | {f"body {number}" for number in range(10)}),
        (pages_of_an_api, {f"{number}-{place}" for number in range(1, 13) for place in range(5)}),
        (all_pages_of_an_api, {f"{number}-{place}" for number in range(1, 13) for place in range(5)}),
    ],
)
async def test_nothing_is_lost_and_nothing_comes_twice(autojump_clock, tmp_path, spider, expected):
    output, broken_off = tmp_path / "items.jsonl", 0

    def run():
        return crawl(
            spider(),
            settings=Settings(workers=4),
            job=tmp_path / "job",
            outputs=[output],
            transport=site().transport,
        )

    for moment in MOMENTS:
        with trio.move_on_after(moment) as scope:
            await run()
        broken_off += scope.cancelled_caught
    report = await run()
    found = [json.loads(line)["is"] for line in output.read_text().splitlines()]
    assert (len(found), set(found)) == (len(expected), expected)
    assert (report.items, report.failed) == (len(expected), 0)
    assert broken_off >= 4
