"""The scope of a crawl: checks of links, checks of start pages, and the counts in the report."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager

import pytest

from crawler import ConfigError, Plugin, Request, Response, Settings, Spider, run, urls
from crawler.scope import Scope
from crawler.testing import FakeSite, Page, collect

URL = "https://site.test/"


class Everything(Spider):
    """Follows every link."""

    start_urls = [URL]

    def parse(self, response):
        yield {"url": response.url}
        yield from response.follow_all()


def links(*hrefs: str) -> str:
    return "".join(f"<a href='{href}'>x</a>" for href in hrefs)


async def crawl(pages, spider=None, **settings):
    """The URLs of the pages, the report, and the site."""
    site = FakeSite(pages)
    found = await collect(spider or Everything(), site, settings=Settings(**settings))
    return sorted(item["url"].removeprefix(URL) for item in found.items), found.report, site


async def test_links_have_to_match_include_and_start_pages_need_not(autojump_clock):
    pages = {"/": links("/docs/a", "/blog/b"), "/docs/a": links("/", "/docs/c", "/docs"), "/docs/c": "c"}
    found, report, site = await crawl(pages, include=["/docs/*"])
    assert found == ["", "docs/a", "docs/c"]
    assert report.filtered == {"include": 2, "duplicate": 1}
    assert report.samples["include"] == [f"{URL}blog/b", f"{URL}docs"]
    assert not site.visits("/blog/b")


async def test_nothing_may_match_exclude(autojump_clock):
    pages = {"/": links("/a", "/a/print", "/b?print=1"), "/a": "a"}
    found, report, _ = await crawl(pages, exclude=["*/print", "re:[?&]print="])
    assert found == ["", "a"]
    assert report.filtered == {"exclude": 2}
    assert report.samples["exclude"] == [f"{URL}a/print", f"{URL}b?print=1"]


async def test_exclude_holds_for_start_pages_too(autojump_clock):
    with pytest.raises(ConfigError, match="the start page is out of scope by setting exclude"):
        await crawl({"/": "x"}, exclude="*")


async def test_a_redirect_to_an_excluded_url_is_not_followed(autojump_clock):
    pages = {"/": links("/a"), "/a": Page(status=302, headers={"Location": "/private/b"}), "/private/b": "b"}
    found, report, site = await crawl(pages, exclude=["/private/*"])
    assert found == [""]
    assert report.filtered == {"exclude": 1}
    assert not site.visits("/private/b")


async def test_a_start_page_may_redirect_to_a_url_that_links_may_not_lead_to(autojump_clock):
    pages = {"/": Page(status=302, headers={"Location": "/home"}), "/home": links("/docs/a", "/home2"), "/docs/a": "a"}
    found, report, _ = await crawl(pages, include=["/docs/*"])
    assert found == ["docs/a", "home"]
    assert report.filtered == {"include": 1}


async def test_requests_that_a_page_makes_without_follow_are_links_too(autojump_clock):
    class ByHand(Spider):
        start_urls = [URL]

        def parse(self, response):
            yield Request(f"{URL}blog")

    _, report, site = await crawl({"/": "x", "/blog": "y"}, ByHand(), include=["/docs/*"])
    assert report.filtered == {"include": 1}
    assert not site.visits("/blog")


async def test_requests_of_a_sink_are_links_and_those_of_a_task_are_start_pages(autojump_clock):
    class Adds(Plugin):
        name = "adds"

        @asynccontextmanager
        async def lifespan(self, crawl):
            crawl.start_soon(self.task)
            yield

        async def task(self):
            self.crawl.add(Request(f"{URL}of-a-task"))

        async def persist(self, batch):
            for row in batch:
                if row.value["url"] == URL:
                    self.crawl.add(Request(f"{URL}of-a-sink"))

    class Two(Everything):
        start_urls = [URL, f"{URL}slow"]
        plugins = [Adds()]

    pages = {"/": "x", "/slow": Page("y", delay=10.0), "/of-a-task": "z", "/of-a-sink": "z"}
    found, report, site = await crawl(pages, Two(), include=["/docs/*"])
    assert found == ["", "of-a-task", "slow"]
    assert report.filtered == {"include": 1}
    assert not site.visits("/of-a-sink")


async def test_file_types_are_fetched_unless_they_are_to_be_skipped(autojump_clock):
    pages = {"/": links("/a.jpg", "/b.PDF", "/c.html", "/d.zip")} | {f"/{name}": "x" for name in
        ("a.jpg", "b.PDF", "c.html", "d.zip")}  # fmt: skip
    found, report, _ = await crawl(pages)
    assert found == ["", "a.jpg", "b.PDF", "c.html", "d.zip"]
    assert report.filtered == {}
    found, report, _ = await crawl(pages, skip_extensions=["media", "pdf"])
    assert found == ["", "c.html", "d.zip"]
    assert report.filtered == {"extension": 2}
    assert report.samples["extension"] == [f"{URL}a.jpg", f"{URL}b.PDF"]


async def test_a_link_that_is_too_long_is_left_out_and_a_start_page_is_not(autojump_clock):
    long = f"{URL}?{'x' * 4096}"

    class Long(Everything):
        start_urls = [long]

    pages = {long: links(f"/{'y' * 4096}", f"/{'z' * (4096 - len(URL))}")}
    found, report, _ = await crawl(pages | {f"/{'z' * (4096 - len(URL))}": "z"}, Long())
    assert len(found) == 2
    assert report.filtered == {"trap_length": 1}
    assert (await crawl(pages, Long(), max_url_length=None))[1].filtered == {}


async def test_a_site_whose_relative_links_lead_ever_deeper_ends(autojump_clock):
    found, report, _ = await crawl({}, endless(lambda path: f"{path}deeper/"))
    assert found == ["", "deeper/", "deeper/deeper/", "deeper/deeper/deeper/"]
    assert report.filtered == {"trap_repeats": 1}
    assert report.samples["trap_repeats"] == [f"{URL}{'deeper/' * 4}"]
    assert report.finished == "finished"


async def test_a_site_that_repeatedly_escapes_its_own_address_ends(autojump_clock):
    def follow(path):
        return f"/login?next={path.replace('%', '%25').replace('?', '%3F')}"

    found, report, _ = await crawl({}, endless(follow))
    assert 2 < len(found) < 10
    assert report.filtered == {"trap_repeats": 1}


async def test_a_form_that_repeatedly_adds_the_same_pair_ends(autojump_clock):
    found, report, _ = await crawl({}, endless(lambda path: f"{path}{'&' if '?' in path else '?'}all=1"))
    assert len(found) == 3
    assert report.filtered == {"trap_query": 1}


async def test_a_page_under_many_sessions_is_fetched_a_few_times(autojump_clock):
    number = Counter()

    def page(request):
        number["pages"] += 1
        return links(f"/a;jsessionid={number['pages']}A", f"/b?PHPSESSID={number['pages']}", "/c?id=1")

    found, report, _ = await crawl(
        dict.fromkeys(["/", *(f"/a;jsessionid={n}A" for n in range(99)), "/b"], page) | {"/c?id=1": "c"}
    )
    assert len(found) == 1 + 5 + 5 + 1
    assert set(report.filtered) == {"trap_session", "duplicate"}


def endless(follow):
    """A spider on a site in which each page links to a new one."""

    class Endless(Everything):
        def parse(self, response):
            yield {"url": response.url}
            yield response.follow(follow(response.url.removeprefix(URL[:-1])))

        async def answer(self, request):
            return Response(request.url, body="x", request=request)

    return Endless()


async def test_a_calendar_without_end_ends_by_its_template(autojump_clock):
    def month(request):
        year, number = (int(request.url.params[name]) for name in ("year", "month"))
        year, number = (year + 1, 1) if number == 12 else (year, number + 1)
        return links(f"/cal?year={year}&month={number}", "/about", f"/event/{year}/{number}")

    pages = {"/": links("/cal?year=2026&month=1"), "/cal": month, "/about": "about"}
    found, report, _ = await crawl(pages, max_per_template=40)
    assert len([url for url in found if url.startswith("cal?")]) == 40
    assert "about" in found
    assert report.filtered["trap_run"] == 1
    assert report.samples["trap_run"] == [f"{URL}cal?year=2029&month=5"]
    assert report.finished == "finished"
    assert report.statuses[404] == 40  # the days, which are no pages here: a template of their own


async def test_by_default_no_page_of_a_large_site_is_lost(autojump_clock):
    count = 500
    pages = {"/": links(*(f"/page/{n}" for n in range(count)))} | {f"/page/{n}": "x" for n in range(count)}
    found, report, _ = await crawl(pages)
    assert len(found) == count + 1
    assert report.filtered == {}
    scope = Scope.of(None, Settings())
    assert not any(scope.overrun(f"{URL}page/{n}", 1) or scope.refuses(f"{URL}page/{n}", 1) for n in range(20_000))


async def test_numbered_start_pages_are_not_counted(autojump_clock):
    class Many(Everything):
        start_urls = [f"{URL}{n}" for n in range(20)]

    found, report, _ = await crawl({f"/{n}": "x" for n in range(20)}, Many(), max_per_template=3)
    assert len(found) == 20
    assert report.filtered == {}


async def test_traps_can_be_let_through(autojump_clock):
    pages = {"/": links("/a/a/a/a/a/a/a/a/a/a/"), "/a/a/a/a/a/a/a/a/a/a/": "x"}
    assert (await crawl(pages))[1].filtered == {"trap_repeats": 1}
    found, report, _ = await crawl(pages, traps=False)
    assert len(found) == 2
    assert report.filtered == {}


@pytest.mark.parametrize(
    "scheme",
    [
        "file:///etc/passwd",
        "data:text/html,<a href=/x>x</a>",
        "javascript:alert(1)",
        "ftp://site.test/a",
        "mailto:a@site.test",
        "blob:https://site.test/1",
        "ws://site.test/",
    ],
)
async def test_only_web_urls_are_ever_followed(autojump_clock, scheme):
    """Not as a link, nor by a base, a redirect, a refresh, a frame or a sitemap line of robots.txt."""
    body = f'<base href="{scheme}">' + "".join(
        f'<{tag} {name}="{scheme}"></{tag}>'
        for tag, name in (("a", "href"), ("area", "href"), ("link", "href"), ("iframe", "src"), ("frame", "src"))
    )
    body += f'<meta http-equiv="refresh" content="0; url={scheme}">'
    site = FakeSite({
        "/": links(scheme, "/moved", "/refresh", "/based"),
        "/moved": Page(status=302, headers={"Location": scheme}),
        "/refresh": Page("x", headers={"Refresh": f"0; url={scheme}", "Link": f"<{scheme}>; rel=next"}),
        "/based": body,
        "/robots.txt": f"User-agent: *\nAllow: /\nSitemap: {scheme}\n",
    })  # fmt: skip
    found = await collect(Everything(), site)
    assert {visit.url for visit in site.log} == {URL, f"{URL}moved", f"{URL}refresh", f"{URL}based", f"{URL}robots.txt"}
    assert {item["url"] for item in found.items} == {URL, f"{URL}refresh", f"{URL}based"}
    assert found.report.failures == {"bad_redirect": 1}


def test_an_invalid_pattern_is_reported_before_the_start(tmp_path):
    class Wrong(Everything):
        settings = Settings(include="docs")

    with pytest.raises(ConfigError, match="setting include: not a pattern: 'docs'"):
        run(Wrong(), job=tmp_path / "job", outputs=[tmp_path / "out.jsonl"])
    assert not list(tmp_path.iterdir())


def test_a_scope_without_limits_is_everything():
    assert Scope().is_everything
    none = Settings(traps=False, max_url_length=None)
    assert Scope.of(None, none).is_everything
    for more in (
        {"traps": True}, {"max_url_length": 9}, {"include": "*"}, {"exclude": "*"}, {"skip_extensions": "pdf"},
        {"max_per_template": 9}, {"max_depth": 3},
    ):  # fmt: skip
        assert not Scope.of(None, none | Settings(**more)).is_everything, more
    assert not Scope.of([], none).is_everything


def test_the_first_reason_counts():
    settings = Settings(max_depth=1, exclude="*x*", include="/y*", skip_extensions="pdf", max_url_length=40)
    scope = Scope.of(["site.test"], settings)
    reasons = [
        scope.refuses(urls.normalize(url), depth)
        for url, depth in [
            ("https://other.test/", 2), ("https://other.test/", 1), (f"{URL}{'x' * 40}", 1), (f"{URL}{'y' * 40}", 1),
            (f"{URL}a.pdf", 1), (f"{URL}y.pdf", 1), (f"{URL}ya/b/a/b/a/b/a", 1), (f"{URL}y", 1),
        ]
    ]  # fmt: skip
    assert reasons == ["depth", "scope", "exclude", "trap_length", "include", "extension", "trap_repeats", None]
