"""`SiteSpider`: one item per page, and no page of another site."""

from __future__ import annotations

import pytest

from crawler import Settings
from crawler.spiders import SiteSpider
from crawler.testing import FakeSite, Page, collect

URL = "https://site.test/"


def page(title: str, *hrefs: str) -> str:
    return f"<title>{title}</title>" + "".join(f"<a href='{href}'>x</a>" for href in hrefs)


async def crawl(pages, url=URL):
    site = FakeSite(pages)
    found = await collect(SiteSpider(url), site)
    return {item["url"]: item for item in found.items}, found.report, site


async def test_an_item_a_page(autojump_clock):
    items, report, _ = await crawl({
        "/": page(" The \n shop ", "/a", "/a#top", "https://other.test/", "mailto:x@site.test"),
        "/a": page("A", "/", "/b"),
        "/b": Page("plain", headers={"Content-Type": "text/plain"}),
    })  # fmt: skip
    assert items == {
        URL: {"url": URL, "status": 200, "title": "The shop", "depth": 0, "links": 2},
        f"{URL}a": {"url": f"{URL}a", "status": 200, "title": "A", "depth": 1, "links": 2},
        f"{URL}b": {"url": f"{URL}b", "status": 200, "title": None, "depth": 2, "links": 0},
    }
    assert report.counters == {"links to other sites": 1}


@pytest.mark.parametrize("title", ["", "<title></title>", "<title> \n </title>"])
async def test_a_page_without_title(autojump_clock, title):
    items, _, _ = await crawl({"/": f"{title}x"})
    assert items[URL]["title"] is None


async def test_the_title_is_that_of_the_page_and_not_of_a_drawing(autojump_clock):
    items, _, _ = await crawl({"/": "<body><svg><title>icon</title></svg><p>x"})
    assert items[URL]["title"] is None


async def test_other_hosts_ports_and_subdomains_are_not_asked(autojump_clock):
    others = ["https://other.test/", "https://www.site.test/", "https://site.test:8443/", "https://site.test.other.test/",
              "https://site.test@other.test/"]  # fmt: skip
    items, _, site = await crawl({"/": page("x", *others)})
    assert list(items) == [URL]
    assert {visit.url for visit in site.log} == {URL, f"{URL}robots.txt"}


async def test_the_other_scheme_of_the_same_host_is_the_same_site(autojump_clock):
    items, _, _ = await crawl({"/": page("x", "http://site.test/plain"), "http://site.test/plain": page("y")})
    assert list(items) == [URL, "http://site.test/plain"]


async def test_where_the_start_page_redirects_to_is_the_site(autojump_clock):
    items, _, _ = await crawl({
        "/": Page(status=301, headers={"Location": "https://www.site.test/"}),
        "https://www.site.test/": page("home", "/a", "https://site.test/old"),
        "https://www.site.test/a": page("A"),
        "/old": page("old"),
    })  # fmt: skip
    assert list(items) == ["https://www.site.test/", "https://www.site.test/a"]


async def test_a_page_that_redirects_to_another_site_is_not_followed(autojump_clock):
    items, report, site = await crawl({
        "/": page("home", "/away"),
        "/away": Page(status=302, headers={"Location": "https://other.test/"}),
        "https://other.test/": page("other"),
    })  # fmt: skip
    assert list(items) == [URL]
    assert site.visits("https://other.test/") == []
    assert report.filtered == {"scope": 1}
    assert report.failed == 0


async def test_a_site_is_crawled_whole_whatever_its_shape(autojump_clock):
    pages = {f"/{number}": page(str(number), f"/{2 * number}", f"/{2 * number + 1}") for number in range(1, 64)}
    items, report, _ = await crawl({"/": page("0", "/1"), **pages, **{f"/{n}": page(str(n)) for n in range(64, 128)}})
    assert set(items) == {URL, *(f"{URL}{number}" for number in range(1, 128))}
    assert max(item["depth"] for item in items.values()) == 7
    assert report.items == 128


def test_the_start_page_is_a_web_url():
    assert SiteSpider("HTTPS://Site.test#x").start_urls == [URL]
    with pytest.raises(ValueError, match="not a URL: 'site.test'"):
        SiteSpider("site.test")


async def test_media_are_followed_if_that_is_set(autojump_clock):
    pages = {
        "/": "<img src=/1.png srcset='/2.png 2x, https://cdn.test/3.png 3x'><a href='/a'>a</a>",
        "/1.png": Page(b"\x89PNG", headers={"Content-Type": "image/png"}),
        "/2.png": Page(b"\x89PNG", headers={"Content-Type": "image/png"}),
        "/a": "a",
    }
    items, _, _ = await crawl(pages)
    assert sorted(items) == [URL, f"{URL}a"]
    found = await collect(SiteSpider(URL), FakeSite(pages), settings=Settings(srcset=True))
    assert sorted(item["url"] for item in found.items) == [URL, f"{URL}1.png", f"{URL}2.png", f"{URL}a"]
    assert found.report.counters == {}
