"""`SitemapSpider`: the pages that the sitemaps of a site list, each exactly once."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

import pytest
import trio
from support.trees import FREE

from crawler import (
    ConfigError,
    FetchTimeout,
    Plugin,
    Produced,
    Request,
    Response,
    Settings,
    SitemapSpider,
    crawl,
)
from crawler.feeds import SitemapEntry
from crawler.testing import FakeSite, Page, collect

XML = {"Content-Type": "application/xml"}


def urlset(*entries: str) -> Page:
    return Page("<urlset>" + "".join(f"<url>{entry}</url>" for entry in entries) + "</urlset>", headers=XML)


def index(*entries: str) -> Page:
    inside = "".join(f"<sitemap>{entry}</sitemap>" for entry in entries)
    return Page(f"<sitemapindex>{inside}</sitemapindex>", headers=XML)


def listing(*urls: str) -> Page:
    return urlset(*(f"<loc>{url}</loc>" for url in urls))


class Pages(SitemapSpider):
    """Yields one item per page."""

    settings = FREE

    def parse(self, response: Response) -> Produced:
        return {"url": response.url.removeprefix("https://site.test"), "depth": response.depth}

    def parse_other(self, response: Response) -> Produced:
        return {"other": response.url.removeprefix("https://site.test")}


class Named(Plugin):
    """Replaces what a crawl knows of robots.txt: the sitemaps that each site names there."""

    def __init__(self, **named: list[str]) -> None:
        self.named = {f"https://{site.replace('_', '.')}/": urls for site, urls in named.items()}
        self.asked: list[str] = []
        self.fails = 0

    @asynccontextmanager
    async def lifespan(self, crawl) -> AsyncIterator[None]:
        crawl.sitemaps_of = self.sitemaps_of
        yield

    async def sitemaps_of(self, url: str) -> list[str]:
        self.asked.append(url)
        named = self.named.get(url, [])
        if self.fails:
            self.fails -= 1
            raise FetchTimeout("no answer", request=Request(url))
        return named


async def run(spider, pages, **options):
    site = FakeSite({"/a": "a", "/b": "b", "/c": "c"} | pages)
    found = await collect(spider, site, **options)
    return sorted(found.items, key=str), found.report, site


def urls(items):
    return [item["url"] for item in items]


async def test_the_pages_of_a_sitemap(autojump_clock):
    items, report, _ = await run(Pages(sitemap_urls=["https://site.test/s.xml"]), {"/s.xml": listing("/a", "/b", "/a")})
    assert items == [{"url": "/a", "depth": 1}, {"url": "/b", "depth": 1}]
    assert (report.failed, report.filtered) == (0, {"duplicate": 1})


async def test_an_index_is_followed_down_to_the_pages(autojump_clock):
    items, _, _ = await run(
        Pages(sitemap_urls=["https://site.test/index.xml"]),
        {
            "/index.xml": index("<loc>/more.xml</loc>", "<loc>/s.xml.gz</loc>", "<loc>/s.txt</loc>"),
            "/more.xml": index("<loc>/s.xml</loc>", "<loc>/index.xml</loc>"),
            "/s.xml": listing("/a"),
            "/s.xml.gz": Page(gzip.compress(b"<urlset><url><loc>/b</loc></url></urlset>")),
            "/s.txt": Page("https://site.test/c\n", headers={"Content-Type": "text/plain"}),
        },
    )
    assert urls(items) == ["/a", "/b", "/c"]


async def test_the_sitemaps_of_a_site_are_those_that_its_robots_txt_names(autojump_clock):
    named = Named(site_test=["https://site.test/1.xml", "https://site.test/2.xml"])
    items, _, site = await run(
        Pages(start_urls=["https://site.test/any/page?x"]),
        {"/1.xml": listing("/a"), "/2.xml": listing("/b"), "/sitemap.xml": listing("/c")},
        plugins=[named],
    )
    assert urls(items) == ["/a", "/b"]
    assert named.asked == ["https://site.test/"]
    assert not site.visits("/any/page?x")


async def test_without_a_named_sitemap_the_usual_place_is_tried(autojump_clock):
    items, report, _ = await run(
        Pages(start_urls=["https://site.test/", "https://none.test/"]),
        {"/sitemap.xml": listing("/a")},
        plugins=[Named()],
    )
    assert urls(items) == ["/a"]
    assert (report.statuses[404], report.failed) == (1, 0)


@pytest.mark.parametrize(
    ("robots", "found"),
    [("Sitemap: https://site.test/1.xml", "/a"), (Page(status=404), "/b"), ([Page(status=503), "x"], "/b")],
)
async def test_an_unavailable_robots_txt_is_retried_like_a_page(autojump_clock, robots, found):
    named = Named(site_test=["https://site.test/1.xml"])
    named.fails = 1
    pages = {"/1.xml": listing("/a"), "/sitemap.xml": listing("/b"), "/robots.txt": robots}
    items, report, _ = await run(Pages(start_urls=["https://site.test/"]), pages, plugins=[named])
    assert urls(items) == [found]
    assert (report.failed, len(named.asked)) == (0, 1)


async def test_a_site_whose_robots_txt_is_never_had_is_in_the_report(autojump_clock):
    named = Named()
    named.fails = 9
    _, report, _ = await run(
        Pages(start_urls=["https://site.test/"]), {"/robots.txt": Page(status=500)}, plugins=[named]
    )
    assert (report.failures, report.finished) == ({"status_500": 1}, "finished")
    assert report.failed == 1


async def test_a_robots_txt_may_stand_for_a_sitemap(autojump_clock):
    named = Named(site_test=["https://site.test/1.xml"])
    items, _, _ = await run(
        Pages(sitemap_urls=["https://site.test/robots.txt", "https://none.test/robots.txt"]),
        {"/1.xml": listing("/a")},
        plugins=[named],
    )
    assert urls(items) == ["/a"]


async def test_rules_choose_the_callback_and_the_first_that_fits_decides(autojump_clock):
    class Ruled(Pages):
        sitemap_rules = [("/a$", None), (re.compile("/A", re.IGNORECASE), "parse_other"), ("/b", "parse")]

    items, report, site = await run(
        Ruled(sitemap_urls=["https://site.test/s.xml"]), {"/s.xml": listing("/a", "/ab", "/b", "/c"), "/ab": "x"}
    )
    assert items == [{"other": "/ab"}, {"url": "/b", "depth": 1}]
    assert report.counters == {"sitemap entries left out: no rule": 2}
    assert not site.visits("/a")


async def test_only_some_sitemaps_of_an_index_are_followed(autojump_clock):
    items, report, site = await run(
        Pages(sitemap_urls=["https://site.test/index.xml"], sitemap_follow=["/new-"]),
        {"/index.xml": index("<loc>/new-1.xml</loc>", "<loc>/old.xml</loc>"), "/new-1.xml": listing("/a")},
    )
    assert urls(items) == ["/a"]
    assert report.counters == {"sitemap entries left out: not to be followed": 1}
    assert not site.visits("/old.xml")


@pytest.mark.parametrize(
    "since",
    ["2026-01-02", "2026-01-02T00:00:00Z", date(2026, 1, 2), datetime(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC)],  # noqa: DTZ001
)
async def test_only_pages_changed_since_a_date_are_fetched(autojump_clock, since):
    items, report, site = await run(
        Pages(sitemap_urls=["https://site.test/index.xml"], since=since),
        {
            "/index.xml": index(
                "<loc>/1.xml</loc><lastmod>2026-01-02T10:00:00+01:00</lastmod>",
                "<loc>/2.xml</loc><lastmod>2026-01-01T23:59:00Z</lastmod>",
            ),
            "/1.xml": urlset(
                "<loc>/a</loc><lastmod>2026-01-02</lastmod>",
                "<loc>/b</loc><lastmod>2026-01-01</lastmod>",
                "<loc>/c</loc>",
            ),
        },
    )
    assert urls(items) == ["/a", "/c"]
    assert report.counters == {"sitemap entries left out: not changed": 2}
    assert not site.visits("/2.xml")


async def test_entries_of_other_hosts_are_left_out_and_counted(autojump_clock):
    pages = {
        "/s.xml": listing("/a", "https://other.test/x", "https://site.test:8443/x", "http://site.test/b"),
        "https://other.test/x": "x",
        "http://site.test/b": "b",
    }
    items, report, _ = await run(Pages(sitemap_urls=["https://site.test/s.xml"]), pages)
    assert urls(items) == ["/a", "http://site.test/b"]
    assert report.counters == {"sitemap entries left out: other host": 2}
    items, report, _ = await run(Pages(sitemap_urls=["https://site.test/s.xml"], sitemap_any_host=True), pages)
    assert "https://other.test/x" in urls(items)
    assert report.counters == {}


async def test_a_sitemap_elsewhere_speaks_for_the_site_whose_robots_txt_names_it(autojump_clock):
    items, report, _ = await run(
        Pages(start_urls=["https://site.test/"]),
        {
            "https://maps.test/index.xml": index("<loc>/site.xml</loc>"),
            "https://maps.test/site.xml": listing("https://site.test/a", "https://else.test/b"),
        },
        plugins=[Named(site_test=["https://maps.test/index.xml"])],
    )
    assert urls(items) == ["/a"]
    assert report.counters == {"sitemap entries left out: other host": 1}


async def test_a_sitemap_that_has_moved_speaks_for_both_hosts(autojump_clock):
    items, _, _ = await run(
        Pages(sitemap_urls=["https://site.test/s.xml"]),
        {
            "/s.xml": Page(status=301, headers={"Location": "https://www.site.test/s.xml"}),
            "https://www.site.test/s.xml": listing("https://www.site.test/x", "https://site.test/a"),
            "https://www.site.test/x": "x",
        },
    )
    assert urls(items) == ["/a", "https://www.site.test/x"]


async def test_other_languages_are_fetched_if_wanted(autojump_clock):
    pages = {"/s.xml": urlset("<loc>/a</loc><link rel='alternate' hreflang='de' href='/b'/>")}
    items, _, _ = await run(Pages(sitemap_urls=["https://site.test/s.xml"]), pages)
    assert urls(items) == ["/a"]
    items, _, _ = await run(Pages(sitemap_urls=["https://site.test/s.xml"], sitemap_alternates=True), pages)
    assert urls(items) == ["/a", "/b"]


async def test_the_hook_changes_drops_and_takes_over_entries(autojump_clock):
    class Hooked(Pages):
        def entry(self, entry: SitemapEntry) -> SitemapEntry | Request | None:
            if entry.priority == 0.0:
                return None
            if entry.priority == 1.0:
                return Request(entry.url, "parse_other", priority=10)
            return SitemapEntry(url=entry.url.replace("/old/", "/"))

    items, report, _ = await run(
        Hooked(sitemap_urls=["https://site.test/s.xml"]),
        {
            "/s.xml": urlset(
                "<loc>/old/a</loc>", "<loc>/b</loc><priority>1</priority>", "<loc>/c</loc><priority>0</priority>"
            )
        },
    )
    assert items == [{"other": "/b"}, {"url": "/a", "depth": 1}]
    assert report.counters == {"sitemap entries left out: entry()": 1}


async def test_a_sitemap_that_cannot_be_read_to_its_end_is_counted(autojump_clock, caplog):
    items, report, _ = await run(
        Pages(sitemap_urls=["https://site.test/s.xml", "https://site.test/t.xml"]),
        {"/s.xml": "<urlset><url><loc>/a</loc></url><url><loc>", "/t.xml": "<!doctype html>not here"},
        settings=Settings(incomplete="keep"),
    )
    assert urls(items) == ["/a"]
    assert report.counters == {
        "sitemaps with a fault: truncated XML": 1,
        "sitemaps with a fault: HTML instead of a sitemap": 1,
    }
    assert sorted(record.message for record in caplog.records) == [
        "kept what came of a page of https://site.test, 42 bytes: https://site.test/s.xml",
        "the sitemap https://site.test/s.xml was not read completely: truncated XML",
        "the sitemap https://site.test/t.xml was not read completely: HTML instead of a sitemap",
    ]


async def test_a_sitemap_may_be_larger_than_pages_may(autojump_clock):
    body = "<urlset><url><loc>/a</loc></url>" + " " * 5000 + "<url><loc>/b</loc></url></urlset>"
    settings = Settings(max_body=1000)
    items, report, _ = await run(
        Pages(sitemap_urls=["https://site.test/s.xml"]), {"/s.xml": body, "/b": "b" * 5000}, settings=settings
    )
    assert urls(items) == ["/a"]
    assert report.failures == {"body_too_large": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"since": "yesterday"}, "since: expected a date, or a date and time"),
        ({"since": 7}, "since: expected a date, or a date and time"),
        ({"sitemap_rules": [("(", "parse")]}, "sitemap_rules: not a regular expression"),
        ({"sitemap_rules": [("", "parse_othr")]}, r"Pages has no method 'parse_othr' \(did you mean parse_other\?\)"),
        ({"sitemap_rules": ["/a"]}, "sitemap_rules: expected a pair of a pattern and the name of a callback, not '/a'"),
        ({"sitemap_follow": ["["]}, "sitemap_follow: not a regular expression"),
        ({"sitemap_url": ["x"]}, "no argument 'sitemap_url'.*did you mean sitemap_urls"),
    ],
)
def test_an_invalid_argument_is_reported_before_the_start(arguments, words):
    with pytest.raises(ConfigError, match=words):
        Pages(**arguments)


def many(start: int, count: int) -> str:
    return (
        "<urlset>"
        + "".join(f"<url><loc>https://site.test/p/{n}</loc></url>" for n in range(start, start + count))
        + "</urlset>"
    )


async def test_a_job_continues_in_the_middle_of_its_sitemaps(autojump_clock, tmp_path):
    pages = {"/index.xml": index(*(f"<loc>/s{n}.xml</loc>" for n in range(5)))}
    pages |= {f"/s{n}.xml": many(n * 20, 20) for n in range(5)} | {f"/p/{n}": "x" for n in range(100)}
    out, seen = tmp_path / "items.jsonl", []
    for _ in range(20):
        site = FakeSite(pages)
        spider = Pages(sitemap_urls=["https://site.test/index.xml"])
        most = Settings(max_pages=len(seen) + 30, workers=4)
        report = await crawl(spider, settings=most, outputs=[out], job=tmp_path / "job", transport=site.transport)
        seen += [visit.url for visit in site.log if not visit.url.endswith("robots.txt")]
        if report.finished == "finished":
            break
    lines = out.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 100
    assert len(set(seen)) == 106


def test_requests_come_while_the_sitemap_is_read_and_nothing_is_held(monkeypatch):
    monkeypatch.setattr(
        "crawler.urls.MAX_REMEMBERED", 100
    )  # that memory is bounded, too, but by more than this sitemap
    spider = Pages(sitemap_urls=[])
    spider.crawl = type("Crawl", (), {"count": staticmethod(lambda name, n: None)})()
    response = Response("https://site.test/s.xml", body=many(0, 5000))
    tracemalloc.start()
    requests = (request for request in spider.parse_sitemap(response, []) if request is not None)
    first = next(requests)
    count = 1 + sum(1 for _ in requests)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (first.url, count) == ("https://site.test/p/0", 5000)
    assert peak < 2 * 1024 * 1024


@pytest.mark.parametrize(
    ("start", "unit"),
    [
        ("<urlset>", "<a/>"),
        ("<urlset>", " "),
        ("<urlset>", "<url/>"),
        ("<urlset>", "<!---->"),
        ("<urlset>", "<url><loc>http://other.test/</loc></url>"),
        ("<rss><channel>", "<item/>"),
        ("", "\n"),
        ("", "not a URL\n"),
        ("", "http://other.test/\n"),
    ],
)
def test_a_sitemap_without_requests_lets_other_tasks_run_while_it_is_read(start, unit):
    spider = Pages(sitemap_urls=[])
    spider.crawl = type("Crawl", (), {"count": staticmethod(lambda *_: None)})()
    body = (start + unit * (2**20 // len(unit))).encode()
    response = Response("https://site.test/s.xml", body=body)
    response.complete = False  # nothing is closed
    found = list(spider.parse_sitemap(response, []))
    assert set(found) == {None}
    assert len(found) >= 2**20 // 65_536 - 1


async def test_a_spider_that_names_no_sitemap_and_no_site_is_refused():
    with pytest.raises(ConfigError, match="SitemapSpider: set sitemap_urls or start_urls: there is nothing to crawl"):
        await collect(SitemapSpider(), FakeSite({}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sitemap_urls": "/sitemap.xml"}, "SitemapSpider: argument sitemap_urls: not a URL: '/sitemap.xml'"),
        ({"sitemap_urls": [5]}, "SitemapSpider: argument sitemap_urls: a URL must be text, not 5"),
        (
            {"start_urls": ["site.test"]},
            "SitemapSpider: argument start_urls: not a URL: 'site.test' (did you mean https://site.test?)",
        ),
    ],
)
async def test_a_wrong_url_is_refused_before_the_crawl(arguments, message):
    with pytest.raises(ConfigError) as caught:
        SitemapSpider(**arguments)
    assert str(caught.value) == message
    spider = SitemapSpider()
    vars(spider).update(arguments)  # as the constructor of a subclass may set it
    with pytest.raises(ConfigError) as caught:
        await collect(spider, FakeSite({}))
    assert str(caught.value).endswith(message)


TEXT = {"Content-Type": "text/plain"}


@pytest.mark.parametrize("obey_robots", [True, False])
@pytest.mark.parametrize(
    ("robots", "found"),
    [
        (Page("Sitemap: /1.xml\nUser-agent: *\nDisallow: /2.xml", headers=TEXT), ["/a"]),
        (Page(status=404), ["/b"]),
        (Page(status=403), ["/b"]),
        ([Page(status=503), Page("Sitemap: https://site.test/1.xml", headers=TEXT)], ["/a"]),
        ([Page(status=429), Page("Sitemap: https://site.test/1.xml", headers=TEXT)], ["/a"]),
        (Page(status=301, headers={"Location": "/moved.txt"}), ["/c"]),
    ],
)
async def test_a_robots_txt_as_the_crawl_knows_it(autojump_clock, obey_robots, robots, found):
    pages = {
        "/robots.txt": robots,
        "/moved.txt": Page("Sitemap: /3.xml", headers=TEXT),
        "/1.xml": listing("/a"),
        "/sitemap.xml": listing("/b"),
        "/3.xml": listing("/c"),
    }
    start = Pages(start_urls=["https://site.test/any"])
    items, report, _ = await run(start, pages, settings=Settings(obey_robots=obey_robots))
    assert urls(items) == found
    assert (report.failed, report.filtered, report.pages) == (0, {}, 2)


@pytest.mark.parametrize(
    ("last", "found"),
    [
        ("\ufeffSitemap: /1.xml#old\r\nsite-map : https://site.test/2.xml x", ["/a", "/b"]),
        ("User-agent: *\rSITEMAP:/1.xml\r# Sitemap: /2.xml\rNo-Sitemap: /2.xml\nSitemap:\nSitemap: mailto:x", ["/a"]),
    ],
)
async def test_a_robots_txt_that_could_not_be_fetched_is_requested_like_a_page(autojump_clock, last, found):
    named = Named()
    named.fails = 1
    pages = {"/robots.txt": Page(last, headers=TEXT), "/1.xml": listing("/a"), "/2.xml": listing("/b")}
    items, report, _ = await run(Pages(start_urls=["https://site.test/"]), pages, plugins=[named])
    assert urls(items) == found
    assert report.failed == 0


async def test_the_sitemaps_of_a_late_robots_txt_count(autojump_clock):
    late = Page("Sitemap: /1.xml", headers=TEXT)
    pages = {
        "/robots.txt": lambda _: Page(status=503) if trio.current_time() < 60 else late,
        "/1.xml": listing("/a"),
    }
    items, report, site = await run(Pages(start_urls=["https://site.test/"]), pages)
    assert urls(items) == ["/a"]
    assert report.failed == 0
    assert site.visits("/robots.txt")[-1].at > 60


async def test_a_sitemap_of_several_sites_is_read_once_and_speaks_for_all_of_them(autojump_clock):
    shared = {
        f"https://{name}.test/robots.txt": Page("Sitemap: https://cdn.test/s.xml", headers=TEXT) for name in ("a", "b")
    }
    pages = {f"https://{name}.test/p": name for name in ("a", "b", "c")}
    listed = {"https://cdn.test/s.xml": listing(*pages)}
    items, report, _ = await run(Pages(start_urls=["https://a.test/", "https://b.test/"]), shared | pages | listed)
    assert urls(items) == ["https://a.test/p", "https://b.test/p"]
    assert report.counters == {"sitemap entries left out: other host": 1}


@pytest.mark.parametrize(
    ("scope", "left_out"),
    [({"include": ["/a"]}, {"include": 1}), ({"skip_extensions": ["archives", "xml"]}, {"extension": 1})],
)
async def test_the_scope_of_pages_does_not_concern_sitemaps(autojump_clock, scope, left_out):
    other = "https://site.test/b.xml"
    pages = {
        "/index.xml": index("<loc>/old.xml.gz</loc>"),
        "/old.xml.gz": Page(status=301, headers={"Location": "/s.xml.gz"}),
        "/s.xml.gz": listing("/a", other),
    }
    settings = FREE | Settings(**scope)
    items, report, _ = await run(Pages(sitemap_urls=["https://site.test/index.xml"]), pages, settings=settings)
    assert (urls(items), report.filtered) == (["/a"], left_out)


async def test_an_index_without_end_is_a_trap(autojump_clock):
    def deeper(request):
        return index(f"<loc>{request.url.path.removesuffix('s.xml')}more/s.xml</loc>")

    pages = {f"/{'more/' * depth}s.xml": deeper for depth in range(20)}
    _, report, _ = await run(Pages(sitemap_urls=["https://site.test/s.xml"]), pages)
    assert report.filtered == {"trap_repeats": 1}
    assert report.pages == 4


@pytest.mark.parametrize("way", [{"sitemap_urls": ["https://site.test/s.xml"]}, {"start_urls": ["https://site.test/"]}])
async def test_pages_are_one_link_from_the_start_however_many_sitemaps_lead_to_them(autojump_clock, way):
    pages = {
        "/robots.txt": Page("Sitemap: /s.xml", headers=TEXT),
        "/s.xml": index("<loc>/2.xml</loc>"),
        "/2.xml": index("<loc>/3.xml</loc>"),
        "/3.xml": listing("/a"),
    }
    items, report, _ = await run(Pages(**way), pages, settings=FREE | Settings(max_depth=1))
    assert (items, report.filtered) == ([{"url": "/a", "depth": 1}], {})


async def test_sitemaps_that_are_written_the_same_on_several_hosts_list_others(autojump_clock):
    pages = {f"https://{host}.test/sitemap.xml": listing("/p") for host in ("a", "b")}
    pages |= {"https://a.test/p": "one", "https://b.test/p": "two"}
    spider = Pages(start_urls=["https://a.test/", "https://b.test/"])
    items, report, _ = await run(spider, pages, settings=FREE | Settings(dedup_content=True))
    assert urls(items) == ["https://a.test/p", "https://b.test/p"]
    assert report.filtered == {}


async def test_without_a_parse_of_its_own_a_page_is_an_item(autojump_clock):
    pages = {"/sitemap.xml": listing("/a"), "/a": Page("<title> A  b </title>")}
    items, report, _ = await run(SitemapSpider(start_urls=["https://site.test/"]), pages)
    assert items == [{"url": "https://site.test/a", "status": 200, "title": "A b"}]
    assert report.failed == 0


async def test_a_site_without_a_sitemap_is_reported(autojump_clock, caplog):
    items, report, _ = await run(SitemapSpider(start_urls=["https://site.test/"]), {})
    assert (items, report.failed) == ([], 0)
    assert "cannot fetch the sitemap https://site.test/sitemap.xml: status 404" in caplog.text
