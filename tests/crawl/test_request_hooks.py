"""The hooks around a request: `admit`, `answer` and `fetch`."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from support.trees import FREE, LINKS, Follow
from trio.testing import MockClock

from crawler import (
    Crawl,
    Drop,
    Plugin,
    Produced,
    Request,
    Response,
    Retry,
    Settings,
    Spider,
    WouldExceedDeadline,
)
from crawler.testing import FakeSite, collect

IDIOMS = {
    "link": lambda page: [page.follow(link) for link in page.links()],
    "url": lambda page: [page.follow(link.url) for link in page.links()],
    "href": lambda page: [page.follow(href) for href in page.css("a::attr(href)").getall()],
    "selector": lambda page: [page.follow(anchor) for anchor in page.css("a")],
    "request": lambda page: [Request(page.urljoin(href)) for href in page.css("a::attr(href)").getall()],
    "options": lambda page: [page.follow(link, "parse", meta={"from": page.url}) for link in page.links()],
    "all": lambda page: list(page.follow_all()),
}


async def test_admit_changes_and_drops_requests(autojump_clock: MockClock) -> None:
    class Admit(Plugin):
        def admit(self, request: Request) -> Request | Drop | None:
            if request.url.endswith("/b"):
                return Drop("no b")
            return request.replace(headers={"X-Depth": str(request.depth)})

    site = FakeSite(LINKS)
    report = (await collect(Follow(), site, plugins=[Admit()])).report
    assert [(visit.url, visit.headers["x-depth"]) for visit in site.log] == [
        ("https://site.test/", "0"),
        ("https://site.test/a", "1"),
    ]
    assert report.filtered["no b"] == 1


async def test_an_admit_that_raises_fails_that_request(autojump_clock: MockClock) -> None:
    class Admit(Plugin):
        def admit(self, request: Request) -> None:
            if request.url.endswith("/b"):
                raise ValueError("b")

    report = (await collect(Follow(), FakeSite(LINKS), plugins=[Admit()])).report
    assert (report.pages, report.failed) == (2, 1)


async def test_answer_replaces_the_network_and_ignores_the_pace(autojump_clock: MockClock) -> None:
    class Cache(Plugin):
        async def answer(self, request: Request) -> Response | None:
            return Response(request.url, body="cached", headers={"Content-Type": "text/html"})

    sources: list[str] = []

    class Keep(Follow):
        def parse(self, response: Response) -> Produced:
            sources.append(f"{response.source} {response.text}")

    site = FakeSite({})
    started = trio.current_time()
    await collect(
        Keep(start_urls=[f"https://site.test/{n}" for n in range(9)]),
        site,
        plugins=[Cache()],
        settings=Settings(delay=60),
    )
    assert sources == ["cache cached"] * 9
    assert site.log == []
    assert trio.current_time() - started < 1


async def test_fetch_hooks_nest_in_the_order_of_the_plugins(autojump_clock: MockClock) -> None:
    events: list[str] = []

    class Outer(Plugin):
        async def fetch(self, request: Request, send: Any) -> Response:
            events.append(f"{self.name} before")
            response: Response = await send(request.replace(headers={**request.headers, f"x-{self.name}": "1"}))
            events.append(f"{self.name} after")
            return response

    class Inner(Outer):
        pass

    site = FakeSite({"/": "x"})
    await collect(Follow(), site, plugins=[Outer(), Inner()])
    assert events == ["outer before", "inner before", "inner after", "outer after"]
    assert {"x-outer", "x-inner"} <= set(site.log[0].headers)


async def test_a_fetch_that_returns_none_leaves_the_response_unchanged_and_sends_once(
    autojump_clock: MockClock,
) -> None:
    class Look(Plugin):
        async def fetch(self, request: Request, send: Any) -> None:
            await send(request)

    class Pass(Plugin):
        name = "pass"

        async def fetch(self, request: Request, send: Any) -> None:
            return None

    site = FakeSite({"/": "x"})
    report = (await collect(Follow(), site, plugins=[Pass(), Look()])).report
    assert (len(site.log), report.pages) == (1, 1)


async def test_a_fetch_may_retry_or_drop_the_request(autojump_clock: MockClock) -> None:
    class Ban(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            response = await send(request)
            if response.text == "banned":
                return Retry("banned", after=100)
            return Drop("useless") if response.text == "useless" else response

    site = FakeSite({"/": ["banned", "<a href='/u'>x</a>"], "/u": "useless"})
    started = trio.current_time()
    report = (await collect(Follow(), site, plugins=[Ban()])).report
    assert trio.current_time() - started >= 100
    assert (report.pages, report.retries, report.failed) == (1, 1, 0)
    assert report.filtered["useless"] == 1


async def test_a_fetch_may_return_a_request_that_takes_the_place_of_this_one(autojump_clock: MockClock) -> None:
    class Login(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            response = await send(request)
            return request.replace(url="https://site.test/b") if response.text == "go to b" else response

    class Depths(Follow):
        def parse(self, response: Response) -> Produced:
            yield {"url": response.url, "depth": response.request.depth}
            yield from response.follow_all()

    site = FakeSite(
        {"/": "<a href='/a'>x</a><a href='/b'>x</a><a href='/c'>x</a>", "/a": "go to b", "/b": "x", "/c": "x"}
    )
    found = await collect(Depths(), site, plugins=[Login()])
    assert sorted((item["url"][-1], item["depth"]) for item in found.items) == [("/", 0), ("b", 1), ("c", 1)]
    assert (found.report.requests, found.report.failed, found.report.redirects) == (4, 0, 1)


async def test_an_inline_fetch_goes_to_the_request_that_a_fetch_hook_returns(autojump_clock: MockClock) -> None:
    class Mirror(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            return request.replace(url="https://site.test/b") if request.url.endswith("/a") else await send(request)

    class Inline(Spider):
        start_urls = ("https://site.test/",)
        settings = FREE

        async def parse(self, response: Response) -> Any:
            return {"text": (await self.crawl.fetch(Request("https://site.test/a"))).text}

    site = FakeSite({"/": "x", "/b": "of the mirror"})
    found = await collect(Inline(), site, plugins=[Mirror()])
    assert found.items == [{"text": "of the mirror"}]
    assert [request.url for request in site.log] == ["https://site.test/", "https://site.test/b"]


async def test_a_fetch_hook_may_say_where_the_robots_txt_is(autojump_clock: MockClock) -> None:
    class Elsewhere(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            if request.url.endswith("/robots.txt"):
                return request.replace(url="https://site.test/rules")
            return await send(request)

    class Obedient(Follow):
        settings = Settings(obey_robots=True)

    pages = {"/": "<a href='/a'>x</a><a href='/b'>x</a>", "/a": "x", "/b": "x", "/rules": "User-agent: *\nDisallow: /a"}
    report = (await collect(Obedient(), FakeSite(pages), plugins=[Elsewhere()])).report
    assert (report.pages, report.filtered["robots"]) == (2, 1)


async def test_a_fetch_that_raises_fails_the_attempt(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Plugin):
        async def fetch(self, request: Request, send: Any) -> None:
            raise KeyError("x")

    report = (await collect(Follow(), FakeSite({"/": "x"}), plugins=[Broken()])).report
    assert (report.pages, report.failed, report.failures) == (0, 1, {"hook_error": 1})
    assert "broken.fetch failed for https://site.test/" in caplog.text


@pytest.mark.parametrize("hook", ["answer", "fetch"])
async def test_a_hook_that_fails_for_a_robots_txt_is_logged_with_its_traceback(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, hook: str
) -> None:
    class Broken(Plugin):
        async def answer(self, request: Request) -> Any:
            return 1 / 0 if hook == "answer" else None

        async def fetch(self, request: Request, send: Any) -> Any:
            return 1 / 0

    settings = Settings(obey_robots=True)
    await collect(Follow(), FakeSite({"/": "x"}), plugins=[Broken()], settings=settings)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert errors[0].getMessage() == (
        f"broken.{hook} failed for https://site.test/robots.txt: ZeroDivisionError: division by zero"
    )
    [(kind, _, trace)] = [record.exc_info for record in errors if record.exc_info]
    assert kind is ZeroDivisionError
    assert trace.tb_frame.f_code.co_name == hook


async def test_the_traceback_of_an_admit_that_raises_is_logged_once(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Plugin):
        def admit(self, request: Request) -> Any:
            raise KeyError(request.url)

    start = [f"https://site.test/{n}" for n in range(3)]
    await collect(Follow(start_urls=start), FakeSite({}), plugins=[Broken()])
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert errors[1].getMessage() == f"broken.admit failed 2 more times like this: KeyError: '{start[0]}'"
    assert [record.exc_info is not None for record in errors] == [True, False]


@pytest.mark.parametrize("idiom", IDIOMS)
async def test_known_links_are_counted_and_cost_no_hook_however_a_spider_writes_them(
    autojump_clock: MockClock, idiom: str
) -> None:
    """Each page links to all pages, twice: every idiom finds the same, and `admit` sees each new page."""

    class Everything(Spider):
        start_urls = ("https://site.test/0",)
        allowed_domains = ("site.test",)

        def parse(self, response: Response) -> Produced:
            yield {"url": response.url, "depth": response.depth}
            yield from IDIOMS[idiom](response)

    class Seen(Plugin):
        name = "seen"

        def __init__(self) -> None:
            self.urls: list[str] = []

        def admit(self, request: Request) -> None:
            self.urls.append(request.url)

    links = "".join(f"<a href='/{n}'>{n}</a><a href='{n}#top'>{n}</a>" for n in range(5))
    hook = Seen()
    found = await collect(Everything(), FakeSite({f"/{n}": links for n in range(5)}), plugins=[hook])
    assert sorted((item["url"], item["depth"]) for item in found.items) == [
        (f"https://site.test/{n}", min(n, 1)) for n in range(5)
    ]
    assert set(hook.urls) == {f"https://site.test/{n}" for n in range(5)}
    assert found.report.filtered["duplicate"] == (5 if idiom == "all" else 10) * 5 - 4
    assert len(hook.urls) == (5 if idiom == "all" else 9)  # twice on the page that links to it first


async def test_a_fetch_hook_that_raises_would_exceed_deadline_puts_the_request_off(autojump_clock: MockClock) -> None:
    class Later(Plugin):
        until = 0.0

        async def fetch(self, request: Request, send: Any) -> Response | None:
            self.until = self.until or self.crawl.clock() + 60
            if self.crawl.clock() < self.until:
                raise WouldExceedDeadline("not yet", retry_at=self.until, scope="mine", request=request)
            return None

    site = FakeSite(LINKS)
    found = await collect(Follow(), site, plugins=[Later()], settings=Settings(attempts=1))
    assert (found.report.pages, found.report.failed) == (3, 0)
    assert site.log[0].at >= 60


async def test_a_fetch_hook_may_wrap_the_responses_of_answer_hooks(autojump_clock: MockClock) -> None:
    class Kept(Plugin):
        async def answer(self, request: Request) -> Response:
            return Response(request.url, body="kept", headers={"Content-Type": "text/plain"})

    class Upper(Plugin):
        wraps_answers = True
        result: Any = None

        async def fetch(self, request: Request, send: Any) -> Any:
            response = await send(request)
            return self.result or Response(request.url, body=response.body.upper(), source=self.name)

    class Other(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            raise AssertionError("it does not wrap them")

    seen: list[tuple[str, str]] = []

    class Keeping(Follow):
        async def parse(self, response: Response) -> None:
            seen.append((response.text, response.source))
            seen.append(((await self.crawl.fetch(Request(response.url))).text, "inline"))

    upper = Upper()
    site = FakeSite({})
    await collect(Keeping(), site, plugins=[Other(), upper, Kept()])
    assert seen == [("KEPT", "upper"), ("KEPT", "inline")]
    assert site.log == []
    upper.result = Drop("no")
    report = (await collect(Keeping(), site, plugins=[upper, Kept()])).report
    assert report.failures == {"hook_error": 1}


async def test_plugins_read_and_set_cookies(autojump_clock: MockClock) -> None:
    class Cookies(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
            crawl.cookies.set("https://site.test/", "a=1; HttpOnly")
            crawl.cookies.set("https://site.test/", "b=2; Path=/x")
            crawl.cookies.set("https://site.test/", "c=3", session="other")
            with pytest.raises(ValueError, match="nowhere"):
                crawl.cookies.matching("nowhere")
            yield

    plugin, site = Cookies(), FakeSite({"/": "x"})
    await collect(Follow(), site, plugins=[plugin])
    assert site.visits("/")[0].headers["cookie"] == "a=1"
    [cookie] = plugin.crawl.cookies.matching("https://site.test/")
    assert (cookie.name, cookie.value, cookie.http_only) == ("a", "1", True)
    assert [cookie.name for cookie in plugin.crawl.cookies.matching("https://site.test/x/", session="")] == ["b", "a"]
    assert [cookie.value for cookie in plugin.crawl.cookies.matching("https://site.test/", session="other")] == ["3"]


async def test_a_fetch_hook_may_reach_the_server_by_other_means(autojump_clock: MockClock) -> None:
    class Other(Plugin):
        def __init__(self) -> None:
            self.times: list[float] = []

        async def fetch(self, request: Request, send: Any) -> Response:
            self.crawl.control.mark_sent()
            self.times.append(trio.current_time())
            return Response(request.url, body="x", headers={"Content-Type": "text/html"})

        @asynccontextmanager
        async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
            with pytest.raises(RuntimeError, match="for fetch hooks"):
                crawl.control.mark_sent()
            yield

    plugin = Other()
    spider = Follow(start_urls=[f"https://site.test/{number}" for number in range(4)])
    report = (await collect(spider, FakeSite({}), settings=Settings(delay=2.0), plugins=[plugin])).report
    assert [time - plugin.times[0] for time in plugin.times] == pytest.approx([0, 2, 4, 6], abs=0.1)
    assert (report.pages, report.requests) == (4, 4)
