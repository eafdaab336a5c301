"""Outcomes of requests: effects (all or none), retries, errbacks, redirects, refusals."""

from __future__ import annotations

import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import msgspec
import pytest
import trio
from pydantic import BaseModel
from support.trees import FREE, Follow
from trio.testing import MockClock

from crawler import (
    BodyTooLarge,
    ConfigError,
    Crawl,
    Failure,
    FetchTimeout,
    Plugin,
    Produced,
    Request,
    Response,
    Settings,
    Spider,
    crawl,
)
from crawler.testing import Asked, FakeSite, Page, Reply, Wire, collect


class Base(Spider):
    start_urls = ["https://site.test/"]
    settings = FREE

    def parse(self, response: Response) -> Produced:
        return None


# Effects


async def test_a_page_that_raises_has_no_effect_except_its_failure(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Half(Base):
        def parse(self, response: Response) -> Produced:
            self.state["seen"] = True
            self.crawl.count("pages of half")
            self.crawl.add(Request("https://site.test/added"))
            yield {"url": response.url}
            yield response.follow("/next")
            raise ZeroDivisionError("half way")

    spider = Half()
    site = FakeSite({"/": "x", "/next": "x", "/added": "x"})
    found = await collect(spider, site)
    assert found.items == []
    assert dict(spider.state) == {}
    assert found.report.counters == {}
    assert [visit.url for visit in site.log] == ["https://site.test/"]
    assert (found.report.pages, found.report.failed, found.report.failures) == (0, 1, {"callback_error": 1})
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "half.parse failed for https://site.test/" in record.message
    assert record.exc_info is not None


async def test_states_and_counts_add_up_over_pages(autojump_clock: MockClock) -> None:
    class Count(Base):
        start_urls = [f"https://site.test/{n}" for n in range(50)]

        def parse(self, response: Response) -> Produced:
            self.state["n"] = self.state.get("n", 0) + 1
            self.state.setdefault("list", []).append(response.url[-1])
            self.crawl.count("n", 2)

    spider = Count()
    found = await collect(spider, FakeSite({f"/{n}": Page("x", delay=n / 10) for n in range(50)}))
    assert spider.state["n"] == len(spider.state["list"]) == 50
    assert found.report.counters == {"n": 100}


@attrs.frozen
class Attrs:
    a: int


class Struct(msgspec.Struct):
    a: int


class Model(BaseModel):
    a: int


async def test_items_may_be_of_any_kind_and_survive_serialization(autojump_clock: MockClock) -> None:
    kinds = [{"a": 1}, Attrs(1), Struct(1), Model(a=1)]

    class Kinds(Base):
        def parse(self, response: Response) -> Produced:
            yield from kinds

    assert (await collect(Kinds(), FakeSite({"/": "x"}))).items == kinds


@pytest.mark.parametrize("item", ["text", 7, {"a": object()}, {1, 2}, Request], ids=lambda item: type(item).__name__)
async def test_a_value_that_is_not_an_item_fails_the_page(autojump_clock: MockClock, item: Any) -> None:
    class Odd(Base):
        def parse(self, response: Response) -> Produced:
            yield item

    report = (await collect(Odd(), FakeSite({"/": "x"}))).report
    assert (report.pages, report.failed) == (0, 1)


async def test_a_lone_surrogate_in_an_item_is_replaced(autojump_clock: MockClock) -> None:
    rows: list[bytes] = []

    class Odd(Base):
        def parse(self, response: Response) -> Produced:
            yield {"text": "a\ud800b"}

        async def persist(self, batch: Any) -> None:
            rows.extend(row.data for row in batch)

    await collect(Odd(), FakeSite({"/": "x"}))
    assert rows == ['{"text":"a�b"}'.encode()]


async def test_a_callback_may_be_any_kind_of_function(autojump_clock: MockClock) -> None:
    class Forms(Base):
        start_urls = ()

        def start(self) -> Produced:
            for name in ("generator", "listing", "nothing", "one", "coroutine", "async_generator"):
                yield Request(f"https://site.test/{name}", getattr(self, name))

        def generator(self, response: Response) -> Produced:
            yield {"form": "generator"}

        def listing(self, response: Response) -> Produced:
            return [{"form": "list"}]

        def nothing(self, response: Response) -> Produced:
            return None

        def one(self, response: Response) -> Any:
            return {"form": "one"}

        async def coroutine(self, response: Response) -> Any:
            await trio.sleep(1)
            return [{"form": "coroutine"}]

        async def async_generator(self, response: Response) -> AsyncIterator[Any]:
            await trio.sleep(1)
            yield {"form": "async generator"}

    names = ("generator", "listing", "nothing", "one", "coroutine", "async_generator")
    found = await collect(Forms(), FakeSite({f"/{name}": "x" for name in names}))
    assert {item["form"] for item in found.items} == {"generator", "list", "one", "coroutine", "async generator"}
    assert found.report.pages == 6


async def test_a_cancel_scope_inside_an_async_callback_does_not_reach_the_engine(autojump_clock: MockClock) -> None:
    class Scoped(Base):
        start_urls = [f"https://site.test/{n}" for n in range(3)]

        async def parse(self, response: Response) -> AsyncIterator[Any]:  # type: ignore[override]
            with trio.move_on_after(0.1):
                yield {"url": response.url}
                await trio.sleep(10)

    found = await collect(Scoped(), FakeSite({f"/{n}": "x" for n in range(3)}))
    assert len(found.items) == 3


async def test_keyword_arguments_of_a_callback_are_converted_to_their_annotations(autojump_clock: MockClock) -> None:
    class Kwargs(Base):
        def parse(self, response: Response) -> Produced:
            yield Request("https://site.test/b", self.detail, cb_kwargs={"point": Attrs(3)})

        def detail(self, response: Response, point: Attrs) -> Produced:
            yield {"a": point.a, "kind": type(point).__name__}

    found = await collect(Kwargs(), FakeSite({"/": "x", "/b": "x"}))
    assert found.items == [{"a": 3, "kind": "Attrs"}]


async def test_a_request_that_names_no_callback_of_the_spider_fails_its_page(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Typo(Base):
        def parse(self, response: Response) -> Produced:
            yield Request("https://site.test/b", "detale")

        def detail(self, response: Response) -> Produced: ...

    report = (await collect(Typo(), FakeSite({"/": "x", "/b": "x"}))).report
    assert report.failed == 1
    assert "no method 'detale' (did you mean detail?)" in caplog.text


# Retries and failures


async def test_a_server_error_is_retried_and_then_fails(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": Page(status=500)})
    report = (await collect(Base(), site)).report
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
    class Post(Base):
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
    class Once(Base):
        start_urls = ()

        def start(self) -> Produced:
            yield Request("https://site.test/", attempts=1)

    site = FakeSite({"/": Page(status=503)})
    await collect(Once(), site)
    assert len(site.log) == 1


async def test_an_errback_gets_failures_and_may_yield(autojump_clock: MockClock) -> None:
    class Errback(Base):
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
    class Accept(Base):
        accept_status = [404] if of == "spider" else ()

        def start(self) -> Produced:
            yield Request("https://site.test/gone", accept_status=None if of == "spider" else [404])
            yield Request("https://site.test/")

        def parse(self, response: Response) -> Produced:
            yield {"status": response.status}

    found = await collect(Accept(), FakeSite({"/": "x"}))
    assert sorted(item["status"] for item in found.items) == [200, 404]


async def test_a_page_may_be_deferred(autojump_clock: MockClock) -> None:
    class Later(Base):
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

    class Keep(Base):
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


async def test_a_redirect_becomes_a_request_that_keeps_what_belongs_to_it(autojump_clock: MockClock) -> None:
    class Meta(Base):
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
    class Auth(Base):
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
    class Sessions(Base):
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
    class Told(Base):
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
    class Clumsy(Base):
        settings = Settings(obey_robots=True)

        def start(self) -> Produced:
            yield Request("https://site.test/gone", errback=self.missed)

        def missed(self, failure: Failure) -> Produced:
            raise LookupError(failure.reason)

    report = (await collect(Clumsy(), FakeSite({"/robots.txt": robots}))).report
    assert (report.failed, report.failures, report.exit_code()) == (1, {"callback_error": 1}, 4)


async def test_the_known_target_of_a_redirected_post_reaches_its_callback(autojump_clock: MockClock) -> None:
    class Login(Base):
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


async def test_failures_of_one_place_are_a_line_with_a_traceback_and_a_count(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Base):
        start_urls = [f"https://site.test/{n}" for n in range(5)]

        def parse(self, response: Response) -> Produced:
            raise KeyError("price")

    await collect(Broken(), FakeSite({f"/{n}": "x" for n in range(5)}))
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.exc_info is not None for record in errors] == [True, False]
    assert errors[1].getMessage() == "broken.parse failed 4 more times like this: KeyError: 'price'"


@pytest.mark.parametrize("url", ["site.test/", "ftp://site.test/", 7])
async def test_an_invalid_start_url_is_rejected_before_the_crawl_starts(autojump_clock: MockClock, url: Any) -> None:
    with pytest.raises(ConfigError, match="start_urls of Follow"):
        await collect(Follow(start_urls=[url]), FakeSite({}))
    with pytest.raises(ConfigError, match="must be a list of URLs"):
        await collect(type("Text", (Follow,), {"start_urls": "https://site.test/"})(), FakeSite({}))


class Idle(Plugin):
    """It might add a request, so what is missing is known at the end."""

    name = "idle"

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Add none."""
        yield


async def test_a_spider_that_cannot_begin_is_refused(autojump_clock: MockClock) -> None:
    with pytest.raises(ConfigError, match=r"Follow has neither start_urls nor a start\(\) method: there is nothing"):
        await collect(Follow(start_urls=[]), FakeSite({}))
    with pytest.raises(ConfigError, match=r"Follow has neither start_urls nor a start\(\) method: there is nothing"):
        await collect(Follow(start_urls=[]), FakeSite({}), plugins=[Idle()])

    class FromScrapy(Base):
        start_urls = ()

        def start_requests(self) -> Produced:
            yield Request("https://site.test/")

    with pytest.raises(ConfigError, match=r"FromScrapy.start_requests\(\) has a meaning in Scrapy only: rename it"):
        await collect(FromScrapy(), FakeSite({}))

    class Elsewhere(Base):
        start_urls = ("https://site.test/", "https://site.test/b")
        allowed_domains = ("other.test",)

    with pytest.raises(ConfigError, match=r"each of 2 start pages is out of scope by allowed_domains = "):
        await collect(Elsewhere(), FakeSite({}))
    with pytest.raises(ConfigError, match="the start page is out of scope by setting exclude, such as https:"):
        await collect(Follow(), FakeSite({}), settings=Settings(exclude="*"))


class Empty(Base):
    def start(self) -> Produced:
        return None


class NoWayIn(Base):
    start_urls = ("https://site.test/in", "https://site.test/gone")
    allowed_domains = ("site.test",)


@pytest.mark.parametrize(
    ("spider", "settings", "reason"),
    [
        (Follow(), Settings(), "https://site.test/ returned status 404"),
        (Follow(), ROBOTS, "its robots.txt forbids https://site.test/"),
        (Empty(), Settings(), "start() yielded no request"),
        (
            NoWayIn(),
            Settings(),
            "https://site.test/gone returned status 404; https://other.test/ is out of scope (allo",
        ),
        (Follow(start_urls=["https://bad.test/"]), Settings(), "https://bad.test/ failed (connect_failed)"),
        (Follow(start_urls=["https://slow.test/"]), Settings(max_seconds=0.5, grace=0), "it was not reached in time"),
    ],
    ids=["404", "robots", "no start request", "redirected out of scope", "connection", "max_seconds"],
)
async def test_a_crawl_without_a_page_says_why_and_has_exit_code_4(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, spider: Spider, settings: Settings, reason: str
) -> None:
    site = FakeSite(
        {
            "/in": Page(status=301, headers={"Location": "https://other.test/"}),
            "/robots.txt": "User-agent: *\nDisallow: /",
            "https://bad.test/": httpx.ConnectError("refused"),
            "https://slow.test/": Page("x", delay=100),
        }
    )
    report = (await collect(spider, site, settings=Settings(obey_robots=False) | settings)).report
    assert (report.pages, report.exit_code("100%")) == (0, 4)
    assert report.no_pages.startswith(f"no start page gave a page: {reason}")
    assert report.to_dict()["no_pages"] == report.no_pages
    assert report.no_pages in caplog.text


async def test_a_finished_job_without_a_page_explains_it_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    for _ in range(2):
        caplog.clear()
        report = await crawl(
            Follow(start_urls=["https://site.test/gone"]), job=tmp_path, transport=FakeSite({}).transport
        )
        assert (report.no_pages != "", report.exit_code()) == (True, 4)
    assert "had finished before: there is nothing to fetch" in caplog.text
    assert "no start page" not in caplog.text


async def test_a_crawl_without_a_page_may_have_items_or_a_reason_of_its_own(autojump_clock: MockClock) -> None:
    class Checks(Base):
        def start(self) -> Produced:
            yield Request("https://site.test/gone", errback=self.gone)

        def gone(self, failure: Failure) -> Produced:
            yield {"gone": failure.request.url}

    class Stops(Base):
        def start(self) -> Produced:
            self.crawl.stop("nothing is new")

    for spider in (Checks(), Stops()):
        report = (await collect(spider, FakeSite({}))).report
        assert (report.pages, report.no_pages, report.exit_code()) == (0, "", 0)
        assert "no_pages" not in report.to_dict()


async def test_a_cookie_is_sent_back_byte_for_byte(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": Page("<a href='/b'>x</a>", headers=[("Set-Cookie", "n=\u00e9")]), "/b": "x"})
    await collect(Follow(), site)
    assert site.visits("/b")[0].headers["cookie"] == "n=\u00e9".encode().decode("latin-1")


async def test_a_start_that_is_not_a_method_is_rejected_with_advice(autojump_clock: MockClock) -> None:
    class Shadowed(Follow):
        def __init__(self, start: str) -> None:
            super().__init__()
            self.start = start  # type: ignore[method-assign, assignment]

    with pytest.raises(ConfigError, match="keep an argument of that name in start_urls"):
        await collect(Shadowed("https://site.test/"), FakeSite({}))
