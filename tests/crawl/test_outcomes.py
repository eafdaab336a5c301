"""Outcomes of requests: retries, errbacks, redirects, refusals. Effects: `test_effects`."""

from __future__ import annotations

import itertools

import httpx
import pytest
import trio
from support.rawserver import Peer, start
from support.trees import Follow, FrontPage
from trio.testing import MockClock

from crawler import (
    BodyTooLarge,
    Failure,
    FetchTimeout,
    Produced,
    Request,
    Response,
    Settings,
    crawl,
)
from crawler.testing import Asked, FakeSite, Page, Reply, Wire, collect

# Retries and failures


@pytest.mark.parametrize("status", [300, 302, 304, 307, 404])
async def test_a_response_that_is_neither_a_page_nor_a_redirect_has_its_url_in_the_report(
    autojump_clock: MockClock, status: int
) -> None:
    report = (await collect(FrontPage(), FakeSite({"/": Page(status=status)}))).report
    assert (report.pages, report.failed, report.statuses) == (0, 0, {status: 1})
    assert report.samples == {f"status_{status}": ["https://site.test/"]}
    assert report.no_pages == f"no start page gave a page: https://site.test/ returned status {status}"


async def test_a_server_error_is_retried_and_then_fails(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": Page(status=500)})
    report = (await collect(FrontPage(), site)).report
    assert len(site.log) == 3
    assert (report.retries, report.failed, report.statuses) == (2, 1, {500: 3})
    assert report.failures == {"status_500": 1}
    assert report.samples == {"status_500": ["https://site.test/"]}
    assert report.exit_code() == 4
    assert report.exit_code("1") == 4  # no page at all
    assert report.no_pages == "no start page gave a page: https://site.test/ failed (status_500)"


async def test_a_request_that_is_not_idempotent_is_not_retried_after_a_broken_exchange(
    autojump_clock: MockClock,
) -> None:
    class Post(FrontPage):
        start_urls = ()

        def start(self) -> Produced:
            yield Request("https://site.test/", method="POST")

    site = FakeSite({"/": httpx.ReadError("reset")})
    await collect(Post(), site)
    assert len(site.log) == 1


async def test_retry_after_pauses_the_lane(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": [Page(status=429, headers={"Retry-After": "30"}), "x"], "/b": "x"})
    spider = Follow(start_urls=["https://site.test/", "https://site.test/b"])
    report = (await collect(spider, site, settings=Settings(per_host=1))).report
    first, *later = [visit.at for visit in site.log]
    assert min(later) - first >= 30
    assert report.lanes["https://site.test"]["refusals"] == 1
    assert report.lanes["https://site.test"]["waited"]["refusal"] == pytest.approx(30, abs=1)


async def test_attempts_of_a_request_override_those_of_the_settings(autojump_clock: MockClock) -> None:
    class Once(FrontPage):
        start_urls = ()

        def start(self) -> Produced:
            yield Request("https://site.test/", attempts=1)

    site = FakeSite({"/": Page(status=503)})
    await collect(Once(), site)
    assert len(site.log) == 1


async def test_an_errback_gets_failures_and_may_yield(autojump_clock: MockClock) -> None:
    class Errback(FrontPage):
        start_urls = ()

        def start(self) -> Produced:
            for page in ("site.test/gone", "site.test/broken", "down.test/unreachable", "site.test/fine"):
                yield Request(f"https://{page}", errback=self.missed)

        def parse(self, response: Response) -> Produced:
            yield {"url": response.url}

        def missed(self, failure: Failure) -> Produced:
            yield {"missed": failure.request.url.rpartition("/")[2], "reason": failure.reason, "n": failure.attempts}

    pages = {"/gone": Page(status=410), "/broken": Page(status=500), "/fine": "x"}
    site = FakeSite(pages | {"https://down.test/unreachable": httpx.ConnectError("refused")})
    found = await collect(Errback(), site)
    missed = sorted((item["missed"], item["reason"], item["n"]) for item in found.items if "missed" in item)
    assert missed == [("broken", "status_500", 3), ("gone", "status_410", 1), ("unreachable", "connect_failed", 1)]
    # A definitive response is not a failure of the crawl.
    assert (found.report.failed, found.report.pages) == (2, 1)


@pytest.mark.parametrize("of", ["spider", "request"])
async def test_accepted_statuses_reach_the_callback(autojump_clock: MockClock, of: str) -> None:
    class Accept(FrontPage):
        accept_status = [404] if of == "spider" else ()

        def start(self) -> Produced:
            yield Request("https://site.test/gone", accept_status=None if of == "spider" else [404])
            yield Request("https://site.test/")

        def parse(self, response: Response) -> Produced:
            yield {"status": response.status}

    found = await collect(Accept(), FakeSite({"/": "x"}))
    assert sorted(item["status"] for item in found.items) == [200, 404]


async def test_a_page_may_be_deferred(autojump_clock: MockClock) -> None:
    class Later(FrontPage):
        def parse(self, response: Response) -> Produced:
            yield {"n": response.attempt}
            if response.attempt == 1:
                yield response.defer(60)

    site = FakeSite({"/": "x"})
    found = await collect(Later(), site)
    assert found.items == [{"n": 2}]
    assert site.log[1].at - site.log[0].at >= 60


# Deadlines and sizes


async def test_a_server_that_drips_is_cut_off_at_the_deadline(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    failures: list[Failure] = []

    class Keep(FrontPage):
        start_urls = ["http://site.test/"]

        async def failed(self, failure: Failure) -> None:
            failures.append(failure)

    async def drip(asked: Asked) -> Reply:
        return Reply([part for _ in range(1000) for part in (b"x", 4.0)])

    wire = Wire(nursery, drip)
    started = trio.current_time()
    await collect(Keep(), wire.transport, settings=Settings(request_deadline=30, attempts=1))
    assert trio.current_time() - started == pytest.approx(30, abs=1)
    nursery.cancel_scope.cancel()
    assert isinstance(failures[0].error, FetchTimeout)


async def test_a_body_over_the_limit_fails_and_is_not_retried(autojump_clock: MockClock) -> None:
    failures: list[Failure] = []

    class Keep(Follow):
        async def failed(self, failure: Failure) -> None:
            failures.append(failure)

    site = FakeSite({"/": "x" * 1001})
    await collect(Keep(), site, settings=Settings(max_body=1000))
    assert isinstance(failures[0].error, BodyTooLarge)
    assert len(site.log) == 1
    assert (await collect(Keep(), site, settings=Settings(max_body=1001))).report.pages == 1


# Redirects


async def test_a_redirect_becomes_a_request_with_the_options_of_the_first(autojump_clock: MockClock) -> None:
    class Meta(FrontPage):
        start_urls = ()

        def start(self) -> Produced:
            yield Request("https://site.test/old", self.moved_page, meta={"a": 1}, priority=5)

        def moved_page(self, response: Response) -> Produced:
            yield {
                "url": response.url,
                "from": list(response.redirects),
                "meta": response.meta,
                "depth": response.depth,
            }

    site = FakeSite({"/old": Page(status=301, headers={"Location": "/new"}), "/new": "x"})
    found = await collect(Meta(), site)
    assert found.items == [
        {"url": "https://site.test/new", "from": ["https://site.test/old"], "meta": {"a": 1}, "depth": 0}
    ]
    assert found.report.pages == 1


async def test_a_redirect_to_itself_that_sets_a_cookie_is_followed(autojump_clock: MockClock) -> None:
    def door(request: httpx.Request) -> Page:
        if "seen=1" in request.headers.get("cookie", ""):
            return Page("inside")
        return Page(status=302, headers={"Location": "/", "Set-Cookie": "seen=1; Path=/"})

    found = await collect(Follow(), FakeSite({"/": door}))
    assert found.items == [{"url": "https://site.test/"}]


async def test_a_redirect_loop_ends(autojump_clock: MockClock) -> None:
    site = FakeSite(
        {"/": Page(status=302, headers={"Location": "/b"}), "/b": Page(status=302, headers={"Location": "/"})}
    )
    report = (await collect(Follow(), site, settings=Settings(max_redirects=4))).report
    assert len(site.log) == 5
    assert report.pages == 0
    assert report.failed == 1


async def test_the_target_of_a_redirect_is_crawled_once(autojump_clock: MockClock) -> None:
    home = "<a href='/old'>x</a><a href='/new'>x</a><a href='/older'>x</a>"
    moved = Page(status=301, headers={"Location": "/new"})
    found = await collect(Follow(), FakeSite({"/": home, "/old": moved, "/older": moved, "/new": "x"}))
    assert sorted(item["url"] for item in found.items) == ["https://site.test/", "https://site.test/new"]
    assert found.report.filtered["duplicate"] >= 1


async def test_credentials_do_not_cross_origins(autojump_clock: MockClock) -> None:
    class Auth(FrontPage):
        start_urls = ()

        def start(self) -> Produced:
            yield Request(
                "https://site.test/", auth=("u", "p"), cookies={"c": "1"}, headers={"DNT": "1", "X-Mine": "1"}
            )

    site = FakeSite({"/": Page(status=302, headers={"Location": "https://other.test/"}), "https://other.test/": "x"})
    await collect(Auth(), site)
    first, second = site.log
    assert "authorization" in first.headers
    assert first.headers["cookie"] == "c=1"
    assert "authorization" not in second.headers
    assert "cookie" not in second.headers
    assert "x-mine" not in second.headers
    assert second.headers["dnt"] == "1"


# Scope, depth and robots.txt


async def test_requests_out_of_scope_or_too_deep_are_counted_and_sampled(autojump_clock: MockClock) -> None:
    class Scoped(Follow):
        allowed_domains = ["site.test"]

    site = FakeSite(
        {
            "/": "<a href='https://other.test/'>x</a><a href='https://www.site.test/'>x</a><a href='/1'>x</a>",
            "https://www.site.test/": "x",
            "/1": "<a href='/2'>x</a>",
            "/2": "x",
        }
    )
    report = (await collect(Scoped(), site, settings=Settings(max_depth=1))).report
    assert report.pages == 3
    assert (report.filtered["scope"], report.filtered["depth"]) == (1, 1)
    assert report.samples["scope"] == ["https://other.test/"]


ROBOTS = Settings(obey_robots=True)


async def test_robots_txt_is_fetched_first_and_obeyed(autojump_clock: MockClock) -> None:
    site = FakeSite(
        {
            "/": "<a href='/private/a'>x</a><a href='/b'>x</a>",
            "/b": "x",
            "/private/a": "x",
            "/robots.txt": Page("User-agent: *\nDisallow: /private/", headers={"Content-Type": "text/plain"}),
        }
    )
    report = (await collect(Follow(), site, settings=ROBOTS)).report
    assert site.log[0].url == "https://site.test/robots.txt"
    assert not site.visits("/private/a")
    assert report.filtered["robots"] == 1
    assert report.failed == 0


async def test_an_unavailable_robots_txt_forbids_everything(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "/robots.txt": Page(status=503)})
    report = (await collect(Follow(), site, settings=ROBOTS)).report
    assert 90 <= site.visits("/robots.txt")[-1].at - site.log[0].at <= 100
    assert not site.visits("/")
    assert report.filtered == {"robots": 1}


async def test_a_robots_txt_that_becomes_available_is_obeyed(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "/robots.txt": [Page(status=500), Page("User-agent: *\nCrawl-delay: 5")]})
    assert (await collect(Follow(), site, settings=ROBOTS)).report.pages == 1


async def test_a_crawl_delay_is_kept(autojump_clock: MockClock) -> None:
    pages = {"/": "<a href='/1'>x</a><a href='/2'>x</a>", "/1": "x", "/2": "x"}
    site = FakeSite(pages | {"/robots.txt": "User-agent: *\nCrawl-delay: 5"})
    await collect(Follow(), site, settings=ROBOTS)
    times = [visit.at for visit in site.log]
    assert all(later - earlier >= 5 - 1e-6 for earlier, later in itertools.pairwise(times))


async def test_cookies_belong_to_their_session(autojump_clock: MockClock) -> None:
    class Sessions(FrontPage):
        start_urls = ()

        def start(self) -> Produced:
            yield Request("https://site.test/in", self.second, session="a")

        def second(self, response: Response) -> Produced:
            yield Request("https://site.test/a", session="a")
            yield Request("https://site.test/b", session="b")

    site = FakeSite({"/in": Page("x", headers={"Set-Cookie": "id=7"}), "/a": "x", "/b": "x"})
    await collect(Sessions(), site)
    assert site.visits("/a")[0].headers["cookie"] == "id=7"
    assert "cookie" not in site.visits("/b")[0].headers


async def test_an_origin_that_cannot_be_reached_fails_its_requests(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "/robots.txt": httpx.ConnectError("refused")})
    report = (await collect(Follow(), site, settings=ROBOTS)).report
    assert not site.visits("/")
    assert (report.failed, report.failures, dict(report.filtered)) == (1, {"connect_failed": 1}, {})
    assert report.exit_code() == 4


async def test_an_errback_gets_requests_that_robots_txt_forbids(autojump_clock: MockClock) -> None:
    class Told(FrontPage):
        settings = Settings(obey_robots=True)

        def start(self) -> Produced:
            yield Request("https://site.test/private", errback=self.refused)

        def refused(self, failure: Failure) -> Produced:
            yield {"reason": failure.reason, "text": str(failure.error), "attempts": failure.attempts}

    site = FakeSite({"/private": "x", "/robots.txt": "User-agent: *\nDisallow: /"})
    found = await collect(Told(), site)
    assert found.items == [
        {
            "reason": "refused",
            "text": "https://site.test/private was not requested: its robots.txt forbids it",
            "attempts": 0,
        }
    ]
    assert (found.report.failed, found.report.filtered) == (0, {"robots": 1})


@pytest.mark.parametrize("robots", ["User-agent: *\nDisallow: /", ""])
async def test_an_errback_that_raises_is_a_failure_for_every_reason(autojump_clock: MockClock, robots: str) -> None:
    class Clumsy(FrontPage):
        settings = Settings(obey_robots=True)

        def start(self) -> Produced:
            yield Request("https://site.test/gone", errback=self.missed)

        def missed(self, failure: Failure) -> Produced:
            raise LookupError(failure.reason)

    report = (await collect(Clumsy(), FakeSite({"/robots.txt": robots}))).report
    assert (report.failed, report.failures, report.exit_code()) == (1, {"callback_error": 1}, 4)


async def test_the_known_target_of_a_redirected_post_reaches_its_callback(autojump_clock: MockClock) -> None:
    class Login(FrontPage):
        def parse(self, response: Response) -> Produced:
            yield {"page": response.url}
            if response.url.endswith("/"):
                yield Request("https://site.test/login", self.inside, method="POST", data={"user": "a"})

        def inside(self, response: Response) -> Produced:
            yield {"inside": response.url}

    site = FakeSite({"/": "x", "/login": Page(status=303, headers={"Location": "/"})})
    found = await collect(Login(), site)
    assert found.items == [{"page": "https://site.test/"}, {"inside": "https://site.test/"}]
    assert [visit.method for visit in site.log] == ["GET", "POST", "GET"]


async def test_a_cookie_is_sent_back_byte_for_byte(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": Page("<a href='/b'>x</a>", headers=[("Set-Cookie", "n=\u00e9")]), "/b": "x"})
    await collect(Follow(), site)
    assert site.visits("/b")[0].headers["cookie"] == "n=\u00e9".encode().decode("latin-1")


@pytest.mark.parametrize("size", [100_000, 2_000_000])
async def test_a_url_that_is_too_long_for_httpx_or_libcurl_fails_as_any_other(nursery: trio.Nursery, size: int) -> None:
    async def closes(peer: Peer) -> None:
        await peer.receive()

    server = await start(nursery, closes)

    class Long(FrontPage):
        start_urls = [f"{server.url}{'a' * size}"]
        settings = Settings(obey_robots=False, attempts=2, backoff_base=0.0, outage_patience=1.0)

    with trio.fail_after(30):
        report = await crawl(Long())
    assert report.failures == {"broken_exchange": 1}
