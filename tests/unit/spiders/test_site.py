"""`SiteSpider`: one item per page, and no page of another site."""

from __future__ import annotations

import logging

import pytest

from crawler import Settings
from crawler.spiders import SiteSpider, site
from crawler.testing import FakeSite, Page, collect

URL = "https://site.test/"


def page(title: str, *hrefs: str) -> str:
    return f"<title>{title}</title>" + "".join(f"<a href='{href}'>x</a>" for href in hrefs)


async def crawl(pages, url=URL, **settings):
    server = FakeSite(pages)
    found = await collect(SiteSpider(url), server, settings=Settings(**settings))
    return {item["url"]: item for item in found.items}, found.report, server


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


async def test_other_hosts_ports_and_subdomains_get_no_requests(autojump_clock):
    others = ["https://other.test/", "https://www.site.test/", "https://site.test:8443/", "https://site.test.other.test/",
              "https://site.test@other.test/"]  # fmt: skip
    items, _, server = await crawl({"/": page("x", *others)})
    assert list(items) == [URL]
    assert {visit.url for visit in server.log} == {URL, f"{URL}robots.txt"}


async def test_the_other_scheme_of_the_same_host_is_the_same_site(autojump_clock):
    items, _, _ = await crawl({"/": page("x", "http://site.test/plain"), "http://site.test/plain": page("y")})
    assert list(items) == [URL, "http://site.test/plain"]


async def test_the_target_of_a_redirected_start_page_is_the_site(autojump_clock):
    items, _, _ = await crawl({
        "/": Page(status=301, headers={"Location": "https://www.site.test/"}),
        "https://www.site.test/": page("home", "/a", "https://site.test/old"),
        "https://www.site.test/a": page("A"),
        "/old": page("old"),
    })  # fmt: skip
    assert list(items) == ["https://www.site.test/", "https://www.site.test/a"]


async def test_a_page_that_redirects_to_another_site_is_not_followed(autojump_clock):
    items, report, server = await crawl({
        "/": page("home", "/away"),
        "/away": Page(status=302, headers={"Location": "https://other.test/"}),
        "https://other.test/": page("other"),
    })  # fmt: skip
    assert list(items) == [URL]
    assert server.visits("https://other.test/") == []
    assert report.filtered == {"scope": 1}
    assert report.failed == 0


async def test_a_site_is_crawled_whole_whatever_its_shape(autojump_clock):
    pages = {f"/{number}": page(str(number), f"/{2 * number}", f"/{2 * number + 1}") for number in range(1, 64)}
    items, report, _ = await crawl({"/": page("0", "/1"), **pages, **{f"/{n}": page(str(n)) for n in range(64, 128)}})
    assert set(items) == {URL, *(f"{URL}{number}" for number in range(1, 128))}
    assert max(item["depth"] for item in items.values()) == 7
    assert report.items == 128


async def test_several_start_pages_are_one_crawl_of_their_sites(autojump_clock):
    server = FakeSite({
        "/": page("home", "https://b.test/only-from-here", "https://other.test/"),
        "https://b.test/": page("b", "https://c.test/c", "https://old.test/x"),
        "https://b.test/only-from-here": page("x"),
        "https://old.test/": Page(status=301, headers={"Location": "https://c.test/"}),
        "https://c.test/": page("c", "https://c.test/c", "https://old.test/x"),
        "https://c.test/c": page("y"),
    })  # fmt: skip
    found = await collect(SiteSpider([URL, "https://b.test", "https://old.test"]), server)
    expected = [URL, "https://b.test/", "https://b.test/only-from-here", "https://c.test/", "https://c.test/c"]
    assert sorted(item["url"] for item in found.items) == sorted(expected)


def test_the_start_page_is_a_web_url():
    assert SiteSpider("HTTPS://Site.test#x").start_urls == [URL]
    with pytest.raises(ValueError, match="not a URL: 'site.test'"):
        SiteSpider("site.test")
    with pytest.raises(ValueError, match="url must have a start page"):
        SiteSpider([])


async def test_media_are_followed_if_that_is_set(autojump_clock):
    pages = {
        "/": "<img src=/1.png srcset='/2.png 2x, https://cdn.test/3.png 3x'><a href='/a'>a</a>",
        "/1.png": Page(b"\x89PNG", headers={"Content-Type": "image/png"}),
        "/2.png": Page(b"\x89PNG", headers={"Content-Type": "image/png"}),
        "/a": "a",
    }
    items, _, _ = await crawl(pages)
    assert sorted(items) == [URL, f"{URL}a"]
    items, report, _ = await crawl(pages, srcset=True)
    assert sorted(items) == [URL, f"{URL}1.png", f"{URL}2.png", f"{URL}a"]
    assert report.counters == {}


# ---- pages that no <a href> leads to ---------------------------------------------------------------------------------

FRAMES = {
    "/": "<frameset><frame src=/menu><frame src=https://other.test/advert></frameset>",
    "/menu": "<base href=/deep/><map><area href=map></map><iframe src=inside></iframe>",
    "/deep/map": Page("map", headers={"Content-Type": "text/html", "Link": "</linked>; rel=next, </raw>; rel=preload"}),
    "/deep/inside": "<link rel=next href=/next><link rel=stylesheet href=/style.css><link rel=alternate type="
    "application/rss+xml href=/feed>",
    "/next": "<noscript><meta http-equiv=refresh content='0;url=/plain'></noscript>",
    "/plain": "<form action=/list><select name=sort><option>up<option>down</select></form>",
    "/list?sort=up": "<form action=/list><button name=page value=2>2</button><button name=page value=3>3</button>",
    "/list?page=2": "<form action=/found><input name=q></form><form action=/sent method=post></form>",
    "/list?page=3": "<form action=/empty><input name=q required></form><form action=/found><input name=q></form>",
    "/found?q=": "<form action=/found><input name=q value=''></form>",
    "/linked": Page("%PDF", headers={"Content-Type": "application/pdf", "Refresh": "0;url=/last"}),
    "/last": "",
}


async def test_every_page_that_needs_no_script_is_reached(autojump_clock):
    items, report, server = await crawl(FRAMES)
    assert set(items) == {URL.removesuffix("/") + path for path in FRAMES}
    assert items[URL]["links"] == 0
    assert items[f"{URL}last"]["depth"] == 4
    assert report.counters == {"links to other sites": 1}
    assert all(len(server.visits(url)) == 1 for url in items)
    assert len(server.log) == len(FRAMES) + 1


async def test_only_links_are_followed_without_the_setting(autojump_clock):
    items, _, _ = await crawl(
        {**FRAMES, "/": FRAMES["/"].replace("</frameset>", "") + "<a href=/menu>"}, thorough=False
    )
    assert set(items) == {URL}
    items, _, _ = await crawl({"/": "<a href=/a>a</a><link rel=next href=/b>", "/a": "", "/b": ""}, thorough=False)
    assert set(items) == {URL, f"{URL}a"}


async def test_pages_without_links_keep_the_rules_of_links(autojump_clock):
    pages = {
        "/": "<iframe src=/a></iframe><iframe src=/b></iframe><form action=/c rel=nofollow></form><form action=/d>",
        **dict.fromkeys(("/a", "/b", "/c", "/d"), ""),
        "/robots.txt": Page("User-agent: *\nDisallow: /a", headers={"Content-Type": "text/plain"}),
    }
    items, report, _ = await crawl(pages, exclude="/b", obey_nofollow=True)
    assert set(items) == {URL, f"{URL}d"}
    assert report.filtered == {"robots": 1, "exclude": 1}
    head = Page("<iframe src=/a></iframe><form action=/d></form>", headers={"X-Robots-Tag": "nofollow"})
    items, report, _ = await crawl({"/": head}, obey_nofollow=True)
    assert set(items) == {URL}
    assert report.filtered == {"nofollow": 2}


async def test_forms_that_lead_to_forms_without_end_are_bounded(autojump_clock, monkeypatch):
    monkeypatch.setattr(site, "MAX_FORM_URLS", 3)
    pages = {f"/?n={n}": f"<form action=/><input type=hidden name=n value={n + 1}></form>" for n in range(9)}
    items, report, _ = await crawl({"/": pages["/?n=0"], **pages}, traps=False)
    assert list(items) == [URL, f"{URL}?n=1", f"{URL}?n=2", f"{URL}?n=3"]
    assert report.counters == {"forms beyond the limit": 1}


async def test_a_search_box_of_each_page_is_sent_from_a_few_pages(autojump_clock):
    box = "<form><input name=q></form>"
    pages = {f"/{n}": f"{box}<a href=/{n + 1}>next</a>" for n in range(9)}
    items, report, _ = await crawl({"/": box + "<a href=/0>", **pages, **{f"{path}?q=": "" for path in ("/", *pages)}})
    assert [url.removeprefix(URL) for url in items if url.endswith("?q=")] == ["?q=", "0?q=", "1?q=", "2?q=", "3?q="]
    assert report.counters == {"forms that lead back to their page": 5}


@pytest.mark.parametrize(
    ("start", "line"),
    [
        (
            "<script src=app.js></script><div id=app>",
            "has no links: is it made by scripts? A sitemap or an API may list",
        ),
        ("<p>under construction", "has no links"),
        (page("x", "https://other.test/", "#top"), "has no links to other pages of its site"),
        (page("x", "/", "javascript:go()"), "has no links to other pages of its site"),
        (Page("%PDF", headers={"Content-Type": "application/pdf"}), "is not HTML: it has no links"),
        (page("x", "/a"), None),
        ("<iframe src=/a></iframe>", None),
        ("<form action=/a></form>", None),
    ],
)
async def test_a_start_page_that_leads_nowhere_is_reported_in_one_line(autojump_clock, caplog, start, line):
    caplog.set_level(logging.WARNING)
    await crawl({"/": start, "/a": ""})
    expected = [] if line is None else [f"the start page {URL} {line}"]
    assert [message[: len(expected[0])] if expected else message for message in caplog.messages] == expected
    caplog.clear()
    await crawl({"/": start}, max_depth=0)
    assert caplog.messages == []


async def test_a_field_with_the_content_of_each_page(autojump_clock):
    pages = {"/": "<title>T</title><nav><a href=/a>a</a></nav><main>b <i>c</i></main>", "/a": "<main>d</main>"}
    common = {"status": 200, "links": 1}
    found = await collect(SiteSpider(URL, content="markdown"), FakeSite(pages))
    assert found.items[0] == {"url": URL, "title": "T", "depth": 0, "markdown": "b *c*"} | common
    assert [item["markdown"] for item in found.items] == ["b *c*", "d"]
    found = await collect(SiteSpider(URL, content="links"), FakeSite(pages))
    assert [item["links"] for item in found.items] == [[f"{URL}a"], []]


def test_an_unknown_content_is_refused():
    with pytest.raises(ValueError, match="markdown, text, article, links, not 'html'"):
        SiteSpider(URL, content="html")
