"""Crawls of sites that answer with a wall: a challenge, a login form, a consent form, a shell for scripts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from crawler import Failure, Produced, Report, Request, Response, Settings, Spider, Walled, crawl
from crawler.testing import FakeSite, Page, collect

CLOUDFLARE = Page(
    "<html><title>Just a moment...</title><body><script>window._cf_chl_opt={cType:'managed'}</script></body>",
    status=403,
    headers={"cf-mitigated": "challenge", "content-type": "text/html"},
)
ANUBIS = (
    "<!doctype html><html><head><title>Making sure you&#39;re not a bot!</title></head><body><h1>Making sure</h1>"
    "<script src='/.within.website/x/cmd/anubis/static/js/main.mjs'></script></body></html>"
)
LOGIN = (
    "<html><title>Log in</title><form><input name=user><input type=password name=pass><button>Log in</button></form>"
)
SHELL = (
    "<html><body><noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div>"
    "<script src=/a.js></script>"
)
GOOD = "<html><title>A page</title><p>Something to read.</p>"


class Titles(Spider):
    """Keeps the title of each page, and the kind of each wall."""

    async def parse(self, response: Response) -> Produced:
        yield {"url": response.url, "title": response.css("title::text").get("")}


class Asking(Titles):
    """Asks for the errors of its pages."""

    urls: tuple[str, ...] = ()
    options: dict[str, Any] = {}

    def start(self) -> Produced:
        return [Request(url, errback=self.gave_up, **self.options) for url in self.urls]

    async def gave_up(self, failure: Failure) -> Produced:
        kind = failure.error.kind if isinstance(failure.error, Walled) else repr(failure.error)
        status = None if failure.response is None else failure.response.status
        yield {"wall": kind, "status": status, "says": str(failure.error)}


async def collected(
    spider: Spider, site: FakeSite, settings: Settings | None = None
) -> tuple[list[dict[str, Any]], Report]:
    found = await collect(spider, site, settings=settings)
    return found.items, found.report


@pytest.mark.parametrize(
    ("page", "kind", "status"),
    [(CLOUDFLARE, "challenge", 403), (ANUBIS, "challenge", 200), (SHELL, "javascript", 200)],
    ids=["cloudflare", "anubis", "javascript"],
)
async def test_a_wall_is_no_page_and_its_errback_hears_what_it_is(
    autojump_clock: MockClock, page: Any, kind: str, status: int
) -> None:
    site = FakeSite({"/a": page, "/b": GOOD})
    spider = Asking(urls=("https://site.test/a", "https://site.test/b"))
    items, report = await collected(spider, site)
    assert {item.get("wall") for item in items} == {kind, None}
    assert [item["status"] for item in items if "wall" in item] == [status]
    assert (report.pages, report.failed) == (1, 0)
    assert report.filtered == {f"wall.{kind}": 1}
    assert report.samples[f"wall.{kind}"] == ["https://site.test/a"]
    assert len(site.visits("/a")) == 1


async def test_a_crawl_that_gets_a_challenge_and_nothing_else_has_no_page(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    items, report = await collected(Titles(start_urls=["https://site.test/a"]), FakeSite({"/a": ANUBIS}))
    assert (items, report.pages, report.exit_code()) == ([], 0, 4)
    [line] = [record.getMessage() for record in caplog.records]
    assert line == "no start page gave a page: https://site.test/a was skipped (wall.challenge)"


async def test_challenges_in_place_of_many_pages_are_a_loss(autojump_clock: MockClock) -> None:
    pages: dict[str, Any] = {f"/{n}": GOOD for n in range(20)} | {f"/{n}": ANUBIS for n in range(20, 32)}
    spider = Titles(start_urls=[f"https://site.test/{n}" for n in range(32)])
    items, report = await collected(spider, FakeSite(pages))
    assert len(items) == 20
    assert [(loss.kind, loss.count, loss.total) for loss in report.losses] == [("wall.challenge", 12, 32)]
    assert report.problems[0].startswith("wall.challenge: 12 of 32 pages for parse() (https://site.test/2")
    assert report.exit_code() == 4


async def test_a_login_form_in_place_of_a_page_is_a_wall_and_one_that_was_asked_for_is_a_page(
    autojump_clock: MockClock,
) -> None:
    moved = Page(status=302, headers={"location": "/login?next=%2Faccount"})
    site = FakeSite({"/account": moved, "/login": LOGIN, "/sign-in": LOGIN})
    spider = Titles(start_urls=["https://site.test/account", "https://site.test/sign-in"])
    items, report = await collected(spider, site)
    assert report.filtered == {"wall.login": 1}
    assert [item["url"] for item in items] == ["https://site.test/sign-in"]


@pytest.mark.parametrize("status", [403, 429, 503])
async def test_a_challenge_is_no_ban_no_rate_limit_and_no_outage(autojump_clock: MockClock, status: int) -> None:
    headers = {"cf-mitigated": "challenge", "content-type": "text/html", "retry-after": "3600"}
    pages: dict[str, Any] = {f"/good{n}": GOOD for n in range(10)}
    pages |= {f"/wall{n}": Page("<title>Just a moment...</title>", status=status, headers=headers) for n in range(5)}
    site = FakeSite(pages)
    spider = Titles(start_urls=[f"https://site.test{path}" for path in pages])
    report = await crawl(spider, transport=site.transport)
    assert (report.pages, report.failed, report.filtered) == (10, 0, {"wall.challenge": 5})
    assert {path: len(site.visits(path)) for path in pages} == dict.fromkeys(pages, 1)
    assert trio.current_time() < 120


async def test_each_challenge_makes_the_lane_wait_longer_until_it_serves_a_page(autojump_clock: MockClock) -> None:
    walls: dict[str, Any] = {f"/wall{n}": ANUBIS for n in range(4)}
    site = FakeSite(walls | {"/good": GOOD, "/last": ANUBIS, "/end": GOOD})
    paths = [*walls, "/good", "/last", "/end"]
    spider = Titles(start_urls=[f"https://site.test{path}" for path in paths])
    await crawl(spider, transport=site.transport, settings=Settings(per_host=1, obey_robots=False))
    at = [site.visits(path)[0].at for path in paths]
    assert [round(later - earlier) for earlier, later in pairwise(at)] == [1, 2, 4, 8, 0, 1]


async def test_challenges_to_requests_in_flight_together_are_one_sign(autojump_clock: MockClock) -> None:
    site = FakeSite({f"/{n}": Page(ANUBIS, delay=0.5) for n in range(8)} | {"/good": GOOD})
    spider = Titles(start_urls=[f"https://site.test/{n}" for n in range(8)] + ["https://site.test/good"])
    await crawl(spider, transport=site.transport, settings=Settings(per_host=8, slow_start=False, obey_robots=False))
    assert site.visits("/good")[0].at < 4


@pytest.mark.parametrize(
    ("settings", "options", "statuses"),
    [
        (Settings(accept_walls=("challenge",)), {}, ()),
        (Settings(accept_walls=("all",)), {}, ()),
        (Settings(), {"plugins": {"walls": False}}, ()),
    ],
)
async def test_a_spider_gets_the_walls_that_it_asks_for(
    autojump_clock: MockClock, settings: Settings, options: dict[str, Any], statuses: tuple[int, ...]
) -> None:
    site = FakeSite({"/a": ANUBIS})
    spider = Asking(urls=("https://site.test/a",), options=options)
    items, report = await collected(spider, site, settings=settings)
    assert (report.pages, report.filtered) == (1, {})
    assert items[0]["title"] == "Making sure you're not a bot!"


async def test_a_status_that_is_accepted_reaches_the_callback_with_its_wall(autojump_clock: MockClock) -> None:
    class Handles403(Spider):
        accept_status = (403,)

        async def parse(self, response: Response) -> Produced:
            yield {"wall": response.wall and response.wall.kind, "vendor": response.wall and response.wall.vendor}

    site = FakeSite({"/a": CLOUDFLARE})
    items, report = await collected(Handles403(start_urls=["https://site.test/a"]), site)
    assert items == [{"wall": "challenge", "vendor": "Cloudflare"}]
    assert report.pages == 1


async def test_an_inline_fetch_of_a_wall_raises_the_error_that_names_it(autojump_clock: MockClock) -> None:
    class Inline(Spider):
        async def parse(self, response: Response) -> Produced:
            try:
                await self.crawl.fetch(Request("https://site.test/a"))
            except Walled as wall:
                yield {"kind": wall.kind, "says": str(wall)}
            found = await self.crawl.fetch(Request("https://site.test/a", plugins={"walls": False}))
            yield {"status": found.status}

    site = FakeSite({"/": GOOD, "/a": CLOUDFLARE})
    items, report = await collected(Inline(start_urls=["https://site.test/"]), site)
    assert items[0]["kind"] == "challenge"
    assert "Cloudflare" in items[0]["says"]
    assert items[1] == {"status": 403}
    assert report.filtered == {"wall.challenge": 1}


async def test_a_robots_txt_behind_a_challenge_is_read_as_before(autojump_clock: MockClock) -> None:
    site = FakeSite({"/robots.txt": CLOUDFLARE, "/a": GOOD})
    report = await crawl(Titles(start_urls=["https://site.test/a"]), transport=site.transport)
    assert report.pages == 1
