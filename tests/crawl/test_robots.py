"""robots.txt in a crawl: which lane fetches it, how long it is used, and what applies if it cannot be fetched."""

from __future__ import annotations

import itertools
import logging
import math
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from support.internet import Internet, Pages, between
from support.trees import Follow
from trio.testing import MockClock

from crawler import (
    BadStatus,
    BrokenExchange,
    ConnectFailed,
    Failure,
    Produced,
    Request,
    Response,
    Settings,
    Spider,
    crawl,
)
from crawler.http.robots import MAX_ROBOTS_SIZE
from crawler.spiders import SiteSpider
from crawler.store.inspect import failed_requests, retry_failed
from crawler.testing import FakeSite, Page, collect

HOUR = 3600.0
DAY = 24 * HOUR


class Many(Spider):
    """Requests a number of pages of one site at once; yields an item for each page and each failure."""

    count: int = 5
    lanes: int = 0

    def start(self) -> Produced:
        for number in range(self.count):
            lane = f"lane {number % self.lanes}" if self.lanes else None
            yield Request(f"https://site.test/{number}", errback=self.without, lane=lane)

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url}

    def without(self, failure: Failure) -> Produced:
        yield {"failed": failure.reason, "by": getattr(failure.error, "by", None)}


def pages(robots: Any, count: int = 5, **more: Any) -> FakeSite:
    return FakeSite({f"/{number}": "x" for number in range(count)} | {"/robots.txt": robots} | more)


def asked(site: FakeSite, url: str = "/robots.txt") -> list[float]:
    """Return the times at which a robots.txt was requested, in seconds since the first request."""
    return [visit.at - site.log[0].at for visit in site.visits(url)]


class Permitted(Spider):
    """Requests pages that robots.txt forbids, some of which their owner has allowed."""

    start_urls = ("https://site.test/0",)

    async def parse(self, response: Response) -> Produced:
        yield {"url": response.url}
        if response.depth == 0:
            yield response.follow("/1", ignore_robots=True)
            yield response.follow("/2")
            inline = await self.crawl.fetch(Request("https://site.test/3", ignore_robots=True))
            yield {"url": inline.url}


async def test_a_request_may_ignore_a_prohibition_and_keeps_the_delay(autojump_clock: MockClock) -> None:
    site = pages(Page("User-agent: *\nDisallow: /1\nDisallow: /2\nDisallow: /3\nCrawl-delay: 20"))
    found = await collect(Permitted(), site)
    assert sorted(item["url"][-1] for item in found.items) == ["0", "1", "3"]
    assert found.report.filtered["robots"] == 1
    ats = [visit.at for visit in site.log[1:]]
    assert min(later - earlier for earlier, later in itertools.pairwise(ats)) >= 20.0


# ---- which lane fetches it -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lanes", [0, 3])
async def test_robots_txt_is_fetched_once_and_all_requests_of_its_origin_wait(
    autojump_clock: MockClock, lanes: int
) -> None:
    site = pages(Page("User-agent: *\nDisallow: /3", delay=30.0))
    found = await collect(Many(lanes=lanes), site)
    assert asked(site) == [0.0]
    assert min(visit.at for visit in site.log[1:]) - site.log[0].at >= 30.0
    assert (found.report.pages, found.report.filtered["robots"]) == (4, 1)


async def test_lanes_that_wait_for_another_wait_between_its_attempts_too(autojump_clock: MockClock) -> None:
    site = pages([Page(status=503, headers={"Retry-After": "60"}), Page("", delay=5.0)])
    found = await collect(Many(lanes=3), site)
    assert [round(at) for at in asked(site)] == [0, 60]
    assert found.report.pages == 5


async def test_each_scheme_and_port_has_its_own_robots_txt(autojump_clock: MockClock) -> None:
    urls = ["http://site.test/a", "https://site.test/a", "https://site.test:8443/a"]
    closed = {f"{url[:-1]}robots.txt": "User-agent: *\nDisallow: /" for url in urls[1:]}

    class Given(Many):
        def start(self) -> Produced:
            return [Request(url) for url in urls]

    site = FakeSite(dict.fromkeys(urls, "x") | closed)
    report = (await collect(Given(), site)).report
    assert (report.pages, report.filtered["robots"]) == (1, 2)


async def test_refused_requests_reach_errbacks_and_are_counted_and_sampled(autojump_clock: MockClock) -> None:
    found = await collect(Many(count=9), pages("User-agent: *\nDisallow: /", 9))
    assert found.items == [{"failed": "refused", "by": "robots"}] * 9
    assert (found.report.failed, found.report.filtered) == (0, {"robots": 9})
    assert len(set(found.report.samples["robots"])) == 5


# ---- how long it is used (2.4) ---------------------------------------------------------------------------------------

SLOW = "User-agent: *\nCrawl-delay: 7200\n"


async def test_robots_txt_is_fetched_again_after_a_day_and_its_new_rules_apply(autojump_clock: MockClock) -> None:
    site = pages([SLOW, SLOW + "Disallow: /"], 20)
    report = (await collect(Many(count=20), site)).report
    first, second = asked(site)
    assert DAY <= second - first <= DAY + 2 * HOUR + 1
    assert (report.pages, report.filtered["robots"]) == (11, 9)


class NextDay(Many):
    """Requests one page today and the others tomorrow."""

    async def start(self) -> Any:
        yield Request("https://site.test/0")
        await trio.sleep(DAY)
        for number in range(1, 5):
            yield Request(f"https://site.test/{number}")


@pytest.mark.parametrize("trouble", [Page(status=503), Page(status=429), httpx.ReadError("reset")])
@pytest.mark.parametrize(
    ("before", "refused"), [(Page("User-agent: *\nDisallow: /4"), 1), (Page(status=404), 0)], ids=["rules", "no file"]
)
async def test_the_last_copy_applies_if_robots_txt_becomes_unavailable(
    autojump_clock: MockClock, trouble: Any, before: Page, refused: int
) -> None:
    site = pages([before, trouble])
    report = (await collect(NextDay(), site)).report
    assert len(asked(site)) == 1 + 3
    assert (report.pages, report.failed, sum(report.filtered.values())) == (5 - refused, 0, refused)


@pytest.mark.parametrize("delay", [1800, 7200])
async def test_on_a_slow_lane_most_requests_are_not_for_robots_txt(autojump_clock: MockClock, delay: int) -> None:
    """The same if robots.txt is unavailable for weeks: each page is fetched, with the requested delay."""
    site = pages([f"User-agent: *\nCrawl-delay: {delay}", httpx.ReadError("reset")], 20)
    report = (await collect(Many(count=20), site)).report
    assert report.pages == 20
    assert len(asked(site)) <= 11
    times = [visit.at for visit in site.log if visit.url != "https://site.test/robots.txt"]
    assert all(later - earlier >= delay - 1e-3 for earlier, later in itertools.pairwise(times))


async def test_an_unavailable_robots_txt_is_requested_again_an_hour_later(autojump_clock: MockClock) -> None:
    class Later(Many):
        async def start(self) -> Any:
            yield Request("https://site.test/0")
            await trio.sleep(HOUR / 2)
            yield Request("https://site.test/1")
            await trio.sleep(HOUR)
            yield Request("https://site.test/2")

    site = pages(lambda request: Page(status=500) if trio.current_time() < HOUR else "")
    report = (await collect(Later(), site)).report
    assert (report.pages, report.failed) == (1, 2)
    assert [at for at in asked(site) if 200 < at < HOUR] == []


@pytest.mark.parametrize("trouble", [429, 500, 502, 503])
async def test_a_server_error_that_passes_loses_nothing(autojump_clock: MockClock, trouble: int) -> None:
    site = pages(lambda request: Page(status=trouble) if trio.current_time() < 60 else "User-agent: *\nDisallow: /3")
    report = (await collect(Many(), site)).report
    assert (report.pages, report.failed, report.filtered["robots"]) == (4, 0, 1)
    assert asked(site)[-1] < 130
    assert len(asked(site)) <= 9


@pytest.mark.parametrize(
    ("age", "again", "visits", "forbidden"),
    [
        (HOUR, "User-agent: *\nDisallow: /", 0, {"/3"}),
        (DAY + 60, "User-agent: *\nDisallow: /1\nDisallow: /2", 1, {"/1", "/2"}),
        (DAY + 60, Page(status=503), 3, {"/3"}),
    ],
    ids=["young", "old", "old and unavailable"],
)
async def test_a_resumed_job_uses_its_stored_copy(
    autojump_clock: MockClock, tmp_path: Path, age: float, again: Any, visits: int, forbidden: set[str]
) -> None:
    job, slowly = tmp_path / "job", Settings(per_host=1)
    first = pages("User-agent: *\nDisallow: /3")
    await crawl(Many(), settings=slowly | Settings(max_pages=1), job=job, transport=first.transport)
    with closing(sqlite3.connect(job / "job.sqlite")) as database, database:
        assert database.execute("UPDATE robots SET at = at - ?", (age,)).rowcount == 1
    site = pages(again)
    await crawl(Many(), settings=slowly, job=job, transport=site.transport)
    assert len(asked(site)) == visits
    fetched = [visit.url.removeprefix("https://site.test") for visit in site.log]
    assert {path for path in fetched if path != "/robots.txt"} == {"/1", "/2", "/3", "/4"} - forbidden


# ---- results of the fetch (2.3.1) ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
async def test_a_missing_robots_txt_forbids_nothing(autojump_clock: MockClock, status: int) -> None:
    site = pages(Page("User-agent: *\nDisallow: /", status))
    assert (await collect(Many(), site)).report.pages == 5
    assert len(asked(site)) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_server_error_that_lasts_forbids_everything(autojump_clock: MockClock, status: int) -> None:
    """Its rules are unknown, so requests that were not sent count as failed."""
    site = pages(Page(status=status))
    found = await collect(Many(), site)
    report = found.report
    assert len(asked(site)) == len(site.log) <= 15
    assert 90 <= asked(site)[-1] < 1000
    by = str(found.items[0]["by"])
    assert by in (["robots", "quota"] if status == 429 else ["robots"])  # the limits may give up first
    assert found.items == [{"failed": "refused", "by": by}] * 5
    assert (report.pages, report.failed) == (0, 5)
    assert (report.failures, report.kinds, report.exit_code()) == ({"refused": 5}, {f"refused.{by}": 5}, 4)


async def test_requests_that_an_unavailable_robots_txt_failed_can_be_retried_in_a_job(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    site, job = pages(Page(status=503)), tmp_path / "job"
    await crawl(Many(), job=job, transport=site.transport)
    words = "was not requested: its robots.txt is not available (status 503)"
    assert {row.message for row in failed_requests(job)} == {
        f"https://site.test/{number} {words}" for number in range(5)
    }
    assert retry_failed(job) == 5
    site.pages[site.absolute("/robots.txt")] = Page("User-agent: *\nDisallow: /3")
    report = await crawl(Many(), job=job, transport=site.transport)
    assert (report.pages, report.failed) == (4, 0)


async def test_retry_after_is_respected(autojump_clock: MockClock) -> None:
    site = pages([Page(status=429, headers={"Retry-After": "90"}), Page(status=503), ""])
    assert (await collect(Many(), site)).report.pages == 5
    assert asked(site)[1] >= 90


async def test_an_unreachable_origin_fails_the_requests_that_wait_for_it(autojump_clock: MockClock) -> None:
    site = pages(httpx.ConnectError("refused"))
    found = await collect(Many(), site)
    assert 3 <= len(asked(site)) <= 8
    assert asked(site)[-1] <= 31
    assert found.items == [{"failed": "connect_failed", "by": None}] * 5
    assert (found.report.failed, found.report.exit_code()) == (5, 4)


def hops(count: int, last: Any) -> dict[str, Any]:
    """Return a robots.txt behind `count` redirects over as many hosts."""
    places = ["https://site.test/robots.txt", *(f"https://h{number}.test/rules" for number in range(1, count + 1))]
    chain = {
        place: Page(status=301 + number % 2, headers={"Location": target})
        for number, (place, target) in enumerate(itertools.pairwise(places))
    }
    return chain | {places[-1]: last, "/0": "x", "https://h1.test/robots.txt": "User-agent: *\nDisallow: /"}


@pytest.mark.parametrize(("count", "forbidden"), [(1, 1), (5, 1), (6, 0)])
async def test_five_redirects_are_followed_and_the_rules_are_those_of_the_first_origin(
    autojump_clock: MockClock, count: int, forbidden: int
) -> None:
    site = FakeSite(hops(count, "User-agent: *\nDisallow: /0"))
    report = (await collect(Many(count=1), site)).report
    assert report.filtered == ({"robots": 1} if forbidden else {})
    assert not site.visits("https://h1.test/robots.txt")


async def test_a_redirect_on_the_same_lane_keeps_its_limits(autojump_clock: MockClock) -> None:
    moved = Page(status=301, headers={"Location": "/rules"})
    site = pages(moved, **{"/rules": Page("User-agent: *\nDisallow: /0", delay=1.0)})
    report = (await collect(Many(), site, settings=Settings(per_host=1, delay=3.0))).report
    assert (report.pages, report.filtered["robots"]) == (4, 1)
    times = [visit.at for visit in site.log]
    assert all(later - earlier >= 3 - 1e-6 for earlier, later in itertools.pairwise(times))
    assert site.peak["https://site.test"] == 1


async def test_a_redirect_to_an_unreachable_host_forbids_everything(autojump_clock: MockClock) -> None:
    site = FakeSite(hops(2, httpx.ConnectError("refused")))
    report = (await collect(Many(count=1), site)).report
    assert (report.pages, report.failures) == (0, {"connect_failed": 1})


@pytest.mark.parametrize("location", ["", "http://[", "mailto:me"])
async def test_a_redirect_without_a_valid_target_counts_as_a_missing_file(
    autojump_clock: MockClock, location: str
) -> None:
    site = pages(Page("User-agent: *\nDisallow: /", 302, headers={"Location": location}))
    assert (await collect(Many(), site)).report.pages == 5


async def test_the_beginning_of_an_endless_file_is_read(autojump_clock: MockClock) -> None:
    """It does not raise `BodyTooLarge`, however small `max_body` is."""
    lines = b"User-agent: *\nDisallow: /0\n" + b"#" * MAX_ROBOTS_SIZE + b"\nDisallow: /\n"
    report = (await collect(Many(), pages(lines), settings=Settings(max_body=1000))).report
    assert (report.pages, report.filtered) == (4, {"robots": 1})


@pytest.mark.parametrize(
    ("asks", "distance"),
    [("Crawl-delay: 0.5", 0.5), ("Request-rate: 1/10s", 10.0), ("Request-rate: 30/1m 0600-0845", 2.0)],
)
async def test_crawl_delay_and_request_rate_are_kept(autojump_clock: MockClock, asks: str, distance: float) -> None:
    site = pages(f"User-agent: *\n{asks}")
    await collect(Many(), site)
    times = [visit.at for visit in site.log]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == pytest.approx([distance] * 5, abs=1e-3)


# ---- directives of pages and links -----------------------------------------------------------------------------------

LINKS = "<a href=/1>x</a><a href=/2 rel=nofollow>x</a><a href=/3 rel='sponsored'>x</a>"


@pytest.mark.parametrize("kind", [Follow, lambda: SiteSpider("https://site.test/")])
@pytest.mark.parametrize("obey", [False, True])
async def test_nofollow_links_are_skipped_counted_and_sampled_if_enabled(
    autojump_clock: MockClock, kind: Any, obey: bool
) -> None:
    head = {"Content-Type": "text/html", "X-Robots-Tag": "example-bot: nofollow"}
    site = FakeSite({"/": LINKS, "/1": Page("<a href=/4>x</a>", headers=head), "/2": "", "/3": "", "/4": ""})
    settings = Settings(obey_nofollow=obey, user_agent="Example-Bot/1.0")
    report = (await collect(kind(), site, settings=settings)).report
    assert report.pages == (2 if obey else 5)
    assert report.filtered == ({"nofollow": 3} if obey else {})
    assert set(report.samples.get("nofollow", ())) == ({f"https://site.test/{n}" for n in (2, 3, 4)} if obey else set())


async def test_spiders_and_inline_fetches_see_the_robots_directives_of_pages(autojump_clock: MockClock) -> None:
    class Look(Follow):
        async def parse(self, response: Response) -> Any:
            other = await self.crawl.fetch(Request("https://site.test/other"))
            return [{"here": sorted(response.robots), "there": sorted(other.robots)}]

    said = Page("<meta name=our-bot content=noindex>", headers={"X-Robots-Tag": "other: none, our-bot: noarchive"})
    found = await collect(Look(), FakeSite({"/": said, "/other": said}), settings=Settings(user_agent="Our-Bot/1"))
    assert found.items == [{"here": ["noarchive", "noindex"], "there": ["noarchive", "noindex"]}]


# ---- sitemaps --------------------------------------------------------------------------------------------------------


class Maps(Spider):
    """Reads the sitemaps of robots.txt before the first page and in a callback."""

    async def start(self) -> Any:
        yield Request("https://site.test/", cb_kwargs={"maps": await self.maps()})

    async def maps(self) -> list[str]:
        try:
            return await self.crawl.sitemaps_of("https://site.test/any/page?x=1")
        except BadStatus as error:
            return [f"status {error.status}"]
        except BrokenExchange:
            return ["no response"]

    async def parse(self, response: Response, maps: tuple[str, ...] = ()) -> Any:
        return [{"before": list(maps), "now": await self.maps()}]


NAMED = "Sitemap: https://site.test/a.xml\nUser-agent: *\nCrawl-delay: 50\nSitemap: /b.xml\nDisallow: /x"


@pytest.mark.parametrize("obey", [True, False])
async def test_spiders_get_sitemaps_also_if_rules_are_not_obeyed(autojump_clock: MockClock, obey: bool) -> None:
    site = FakeSite({"/": "x", "/robots.txt": NAMED})
    found = await collect(Maps(), site, settings=Settings(obey_robots=obey))
    maps = ["https://site.test/a.xml", "https://site.test/b.xml"]
    assert found.items == [{"before": maps, "now": maps}]
    assert asked(site) == [0.0]
    assert (asked(site, "/")[0] >= 50) is obey


@pytest.mark.parametrize(
    ("robots", "told"),
    [
        (Page(status=404), []),
        (Page(status=503), ["status 503"]),
        (httpx.ReadError("reset"), ["no response"]),
        (Page("Sitemap: rules.xml", 301, headers={"Location": "https://other.test/robots.txt"}), []),
    ],
)
async def test_without_a_robots_txt_there_are_no_sitemaps_or_an_error_is_raised(
    autojump_clock: MockClock, robots: Any, told: list[str]
) -> None:
    site = FakeSite({"/": "x", "/robots.txt": robots})
    found = await collect(Maps(), site, settings=Settings(obey_robots=False))
    assert found.items == [{"before": told, "now": told}]


async def test_a_callback_that_requests_sitemaps_of_a_slow_host_is_put_back(autojump_clock: MockClock) -> None:
    class Other(Spider):
        start_urls = ["https://site.test/"]

        async def parse(self, response: Response) -> Any:
            return [{"maps": await self.crawl.sitemaps_of("https://other.test/")}]

    trouble = Page(status=503, headers={"Retry-After": "600"})
    site = FakeSite({"/": "x", "https://other.test/robots.txt": [trouble, "Sitemap: /a.xml"]})
    found = await collect(Other(), site)
    assert found.items == [{"maps": ["https://other.test/a.xml"]}]
    assert len(site.visits("https://other.test/robots.txt")) == 2
    assert found.report.failed == 0


async def test_sitemaps_of_a_url_that_is_not_a_web_url(autojump_clock: MockClock) -> None:
    class Wrong(Maps):
        async def maps(self) -> list[str]:
            with pytest.raises(ValueError, match="not an http or https URL"):
                await self.crawl.sitemaps_of("file:///etc/passwd")
            return []

    assert (await collect(Wrong(), FakeSite({"/": "x"}))).items == [{"before": [], "now": []}]


async def test_the_error_of_an_unavailable_file_does_not_grow(autojump_clock: MockClock) -> None:
    """The same error object is raised for an hour; its traceback must not keep pages in memory."""
    sizes: set[tuple[str, int]] = set()

    class Asks(Spider):
        start_urls = [f"https://site.test/{number}" for number in range(20)]
        settings = Settings(attempts=1)

        async def parse(self, response: Response) -> None:
            for way in ("fetch", "sitemaps_of"):
                url = "https://down.test/"
                asks = self.crawl.fetch(Request(url)) if way == "fetch" else self.crawl.sitemaps_of(url)
                with pytest.raises(ConnectFailed) as caught:
                    await asks
                sizes.add((way, len(caught.traceback)))

    site = FakeSite(dict.fromkeys(Asks.start_urls, "") | {"https://down.test/robots.txt": httpx.ConnectError("no")})
    assert (await collect(Asks(), site)).report.pages == 20
    assert len(sizes) == 2


async def test_redirects_of_robots_txt_are_not_statuses_of_the_crawl(autojump_clock: MockClock) -> None:
    moved = {
        "/robots.txt": Page(status=301, headers={"Location": "https://www.site.test/robots.txt"}),
        "https://www.site.test/robots.txt": Page(status=302, headers={"Location": "/rules"}),
        "https://www.site.test/rules": "User-agent: *\nDisallow: /private",
    }
    site = FakeSite({"/": "<a href='/private'>x</a>", "/private": "x"} | moved)
    report = (await collect(Follow(), site, settings=Settings(obey_robots=True))).report
    assert (report.pages, report.requests, report.filtered) == (1, 4, {"robots": 1})
    assert (report.statuses, report.redirects) == ({200: 1}, 0)


@pytest.mark.parametrize(
    ("hosts", "summary"),
    [
        (2, None),
        (3, r"no page of one more host was fetched, because robots.txt could not be: https://h\d\.test \(level INFO"),
        (40, r"no page of 38 more hosts was fetched, because robots.txt could not be: (https://h\d+\.test,? ){3}… "),
    ],
)
async def test_the_log_warns_of_one_file_that_cannot_be_fetched_and_counts_the_others(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, hosts: int, summary: str | None
) -> None:
    internet = Internet(between(0, math.inf), "closed", hosts=lambda host: host != "h0.test")
    with caplog.at_level(logging.INFO, "crawler"):
        report = (await collect(Pages(hosts, 1), internet)).report
    assert (report.pages, report.failed) == (1, hosts - 1)
    said = [(record.levelname, record.getMessage()) for record in caplog.records if "robots.txt" in record.message]
    cannot = [level for level, message in said if "robots.txt cannot be fetched" in message]
    assert cannot == ["WARNING", *["INFO"] * (hosts - 2)]
    others = [message for level, message in said if level == "WARNING"][1:]
    assert len(others) == (summary is not None)
    assert summary is None or re.match(summary, others[0])
