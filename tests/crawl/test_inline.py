"""Inline fetches: `await crawl.fetch(request)` in a callback."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from support.trees import FREE, Follow
from trio.testing import MockClock

from crawler import (
    ConnectFailed,
    Plugin,
    Refused,
    Request,
    RequestError,
    Response,
    Settings,
    Spider,
    Usage,
    WouldExceedDeadline,
)
from crawler.engine import wiring
from crawler.frontier import Frontier
from crawler.testing import FakeSite, Page, collect

WAIT = {"Retry-After": "10"}
CUT = httpx.ReadError("reset")


class Inline(Spider):
    """Fetches one URL inline and keeps the result."""

    start_urls = ["https://site.test/"]
    settings = FREE
    target: str = "https://site.test/api"

    async def parse(self, response: Response) -> Any:
        found = await self.crawl.fetch(Request(self.target))
        return [{"status": found.status, "text": found.text, "url": found.url}]


async def test_an_inline_fetch_returns_the_response_and_is_not_a_page(autojump_clock: MockClock) -> None:
    found = await collect(Inline(), FakeSite({"/": "x", "/api": "data"}))
    assert found.items == [{"status": 200, "text": "data", "url": "https://site.test/api"}]
    assert (found.report.pages, found.report.requests) == (1, 2)


async def test_any_status_is_returned_and_redirects_are_followed(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "/api": Page(status=302, headers={"Location": "https://other.test/gone"})})
    found = await collect(Inline(), site)
    assert found.items == [{"status": 404, "text": "not found", "url": "https://other.test/gone"}]


async def test_inline_fetches_are_not_deduplicated(autojump_clock: MockClock) -> None:
    class Twice(Inline):
        async def parse(self, response: Response) -> Any:
            for _ in range(2):
                await self.crawl.fetch(Request(self.target))

    site = FakeSite({"/": "x", "/api": "data"})
    await collect(Twice(), site)
    assert len(site.visits("/api")) == 2


async def test_an_inline_fetch_keeps_the_pace_and_concurrency_of_its_lane(autojump_clock: MockClock) -> None:
    class Many(Inline):
        start_urls = [f"https://site.test/{n}" for n in range(6)]

    site = FakeSite({f"/{n}": Page("x", delay=0.5) for n in range(6)} | {"/api": Page("x", delay=0.5)})
    await collect(Many(), site, settings=Settings(delay=1.0, per_host=2, inline_wait=1000))
    times = [visit.at for visit in site.log]
    assert len(times) == 12
    assert all(later - earlier >= 1.0 - 1e-6 for earlier, later in itertools.pairwise(times))
    assert site.peak["https://site.test"] <= 2


async def test_a_callback_that_fetches_on_a_full_lane_does_not_deadlock(autojump_clock: MockClock) -> None:
    class Many(Inline):
        start_urls = [f"https://site.test/{n}" for n in range(20)]

    site = FakeSite({f"/{n}": Page("x", delay=1) for n in range(20)} | {"/api": Page("x", delay=1)})
    with trio.fail_after(1000):
        found = await collect(Many(), site, settings=Settings(per_host=1, workers=4))
    assert len(found.items) == 20


async def test_a_wait_that_is_too_long_puts_the_page_back_without_using_an_attempt(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "https://slow.test/api": "data"})

    class Slow(Inline):
        target = "https://slow.test/api"
        tries = 0

        async def parse(self, response: Response) -> Any:
            type(self).tries += 1
            self.crawl.count("tries")
            return await super().parse(response)

    spider = Slow()

    async def run() -> Any:
        return await collect(
            spider, site, settings=Settings(attempts=1, inline_wait=5, pacing={"slow.test": {"delay": 60}})
        )

    class First(Slow):
        async def parse(self, response: Response) -> Any:
            if type(self).tries == 0:
                await self.crawl.fetch(Request("https://slow.test/first"))
            return await Slow.parse(self, response)

    spider = First()
    started = trio.current_time()
    found = await run()
    assert First.tries == 2
    assert found.report.counters == {"tries": 1}  # the first attempt left no effects
    assert found.items[0]["text"] == "data"
    assert trio.current_time() - started >= 60
    assert found.report.failed == 0


async def test_a_deadline_that_cannot_be_met_fails_at_once_with_the_reason(autojump_clock: MockClock) -> None:
    caught: list[tuple[float, WouldExceedDeadline]] = []

    class Deadline(Inline):
        async def parse(self, response: Response) -> Any:
            started = trio.current_time()
            try:
                with trio.fail_after(3):
                    await self.crawl.fetch(Request(self.target))
            except WouldExceedDeadline as error:
                caught.append((trio.current_time() - started, error))

    await collect(Deadline(), FakeSite({"/": "x", "/api": "x"}), settings=Settings(delay=4, inline_wait=100))
    [(waited, error)] = caught
    assert waited == 0
    assert error.scope == "https://site.test"


@pytest.mark.parametrize("robots", [True, False])
async def test_a_scope_that_is_cancelled_cancels_a_fetch_that_would_wait(
    autojump_clock: MockClock, robots: bool
) -> None:
    class Cancelled(Inline):
        async def parse(self, response: Response) -> Any:
            with trio.CancelScope() as scope:
                scope.cancel()
                await self.crawl.fetch(Request(self.target))
            return {"cancelled": scope.cancelled_caught}

    settings = Settings(delay=4, inline_wait=100, obey_robots=robots)
    found = await collect(Cancelled(), FakeSite({"/": "x", "/api": "x"}), settings=settings)
    assert found.items == [{"cancelled": True}]


@pytest.mark.parametrize("robots", [Page("User-agent: *\nDisallow: /api"), Page(status=503)])
async def test_an_inline_fetch_obeys_robots_txt(autojump_clock: MockClock, robots: Page) -> None:
    caught: list[Refused] = []

    class Polite(Inline):
        target = "https://api.test/api"

        async def parse(self, response: Response) -> Any:
            try:
                await self.crawl.fetch(Request(self.target))
            except Refused as error:
                caught.append(error)

    site = FakeSite({"/": "x", "https://api.test/api": "x", "https://api.test/robots.txt": robots})
    await collect(Polite(), site, settings=Settings(obey_robots=True))
    assert caught[0].by == "robots"
    assert not site.visits("https://api.test/api")


async def test_an_uncaught_error_fails_the_page(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "https://down.test/": httpx.ConnectError("refused")})
    spider = Inline()
    spider.target = "https://down.test/"
    report = (await collect(spider, site)).report
    assert report.failed == 1
    assert 3 <= len(site.visits("https://down.test/")) <= 8


async def test_an_error_may_be_caught(autojump_clock: MockClock) -> None:
    class Catch(Inline):
        target = "https://down.test/"

        async def parse(self, response: Response) -> Any:
            try:
                await self.crawl.fetch(Request(self.target))
            except ConnectFailed as error:
                return [{"error": error.reason}]

    site = FakeSite({"/": "x", "https://down.test/": httpx.ConnectError("refused")})
    assert (await collect(Catch(), site)).items == [{"error": "connect_failed"}]


async def test_a_page_that_waits_for_requests_in_flight_is_retried(autojump_clock: MockClock) -> None:
    class Probed(Spider):
        settings = FREE | Settings(per_host=8, slow_start=False, request_deadline=100.0)
        start_urls = ["https://api.test/first"]

        async def parse(self, response: Response) -> Any:
            if response.url.endswith("/first"):
                return [Request("https://api.test/probe"), Request("https://site.test/")]
            if response.url.startswith("https://site.test"):
                await trio.sleep(3.0)  # the probe is in flight
                await self.crawl.fetch(Request("https://api.test/more"))
            return [{"url": response.url}]

    used_up = {"RateLimit-Limit": "1", "RateLimit-Remaining": "0", "RateLimit-Reset": "1"}
    site = FakeSite({
        "https://api.test/first": Page("x", headers=used_up),
        "https://api.test/probe": Page("x", delay=60.0),
        "https://api.test/more": "x",
        "/": "x",
    })  # fmt: skip
    with trio.fail_after(1000):
        found = await collect(Probed(), site)
    assert {item["url"] for item in found.items} == {"https://api.test/probe", "https://site.test/"}
    assert found.report.failed == 0


async def test_the_lane_of_an_inline_fetch_stays_in_memory_between_its_attempts(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes: list[Any] = []
    frontiers: list[Frontier] = []

    def small_frontier(*args: Any, **options: Any) -> Frontier:
        frontiers.append(Frontier(*args, max_lanes=2, **options))
        return frontiers[-1]

    class Look(Plugin):
        name = "look"

        async def fetch(self, request: Request, send: Any) -> None:
            if request.url == Wide.target:
                lanes.append(frontiers[0].lanes["https://api.test"])

    class Wide(Inline):
        settings = FREE | Settings(workers=2, inline_wait=60.0, backoff_base=8.0)
        start_urls = ["https://site.test/", *(f"https://h{n}.test/" for n in range(9))]
        target = "https://api.test/"

        async def parse(self, response: Response) -> Any:
            if response.url == self.start_urls[0]:
                return await super().parse(response)
            await trio.sleep(2.0)
            return None

    monkeypatch.setattr(wiring, "Frontier", small_frontier)
    pages: dict[str, Any] = dict.fromkeys(Wide.start_urls, "x")
    site = FakeSite(pages | {Wide.target: [Page(status=500), Page(status=500), "data"]})
    found = await collect(Wide(), site, plugins=[Look()])
    assert (found.report.pages, found.report.failed, len(lanes)) == (10, 0, 3)
    assert len(set(map(id, lanes))) == 1


# ---- retries ---------------------------------------------------------------------------------------------------------


async def test_an_inline_fetch_has_more_attempts_where_others_fail_at_random(autojump_clock: MockClock) -> None:
    class Unlucky(Inline):
        start_urls = [f"https://site.test/{n}" for n in range(60)]

        async def parse(self, response: Response) -> Any:
            found = await self.crawl.fetch(Request(response.url.replace("site.test", "api.test")))
            return [{"status": found.status}]

    def failures(n: int) -> int:
        return 6 if n in (40, 50) else n % 2

    pages: dict[str, Any] = {f"/{n}": "x" for n in range(60)}
    pages |= {f"https://api.test/{n}": [httpx.ReadError("reset")] * failures(n) + ["data"] for n in range(60)}
    settings = Settings(workers=1, inline_wait=1000.0, slow_start=False)
    found = await collect(Unlucky(), FakeSite(pages), settings=settings)
    assert [item["status"] for item in found.items] == [200] * 60
    assert found.report.failed == 0


@pytest.mark.parametrize(
    "refusal",
    [
        Page(status=429),
        Page(status=429, headers={"Retry-After": "3"}),
        Page(status=403, headers={"X-RateLimit-Limit": "9", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"}),
    ],
    ids=["silent", "stated", "forbidden"],
)
async def test_refusals_use_up_no_attempt_of_an_inline_fetch(autojump_clock: MockClock, refusal: Page) -> None:
    class Asks(Inline):
        target = "https://api.test/"

    site = FakeSite({"/": "x", "https://api.test/": [refusal] * 5 + ["data"]})
    found = await collect(Asks(), site, settings=Settings(inline_wait=100_000.0))
    assert [(item["status"], item["text"]) for item in found.items] == [(200, "data")]


@pytest.mark.parametrize("tokens", [1, 3])
async def test_requests_that_a_fetch_hook_makes_at_once_share_the_token_of_their_page(
    tokens: int, autojump_clock: MockClock
) -> None:
    class Embedding(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            if "/part" in request.url:
                return None
            response = await send(request)
            async with trio.open_nursery() as nursery:
                for number in range(4):
                    nursery.start_soon(self.crawl.fetch, Request(f"https://site.test/part{number}"))
            return response

    class Many(Follow):
        start_urls = [f"https://site.test/{n}" for n in range(6)]

    pages = [*(f"/{n}" for n in range(6)), *(f"/part{n}" for n in range(4))]
    site = FakeSite({page: Page("x", delay=1) for page in pages})
    settings = Settings(per_host=tokens, slow_start=False)
    report = (await collect(Many(), site, settings=settings, plugins=[Embedding()])).report
    assert (report.pages, len(site.log)) == (6, 30)
    assert site.peak["https://site.test"] == tokens


@pytest.mark.parametrize("is_before", [False, True])
@pytest.mark.parametrize("parts", [1, 3])
async def test_a_fetch_hook_may_wait_for_background_tasks_that_fetch_from_its_host(
    is_before: bool, parts: int, autojump_clock: MockClock
) -> None:
    """The hook of the page holds the only token of the host, but has no request in flight."""

    class Embedding(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            if "/part" in request.url:
                return None
            if is_before:
                await self._fetch_parts()
            response = await send(request)
            if not is_before:
                await self._fetch_parts()
            return response

        async def _fetch_parts(self) -> None:
            ended = trio.Event()
            left = parts

            async def part(number: int) -> None:
                nonlocal left
                await self.crawl.fetch(Request(f"https://site.test/part{number}"))
                left -= 1
                if not left:
                    ended.set()

            for number in range(parts):
                self.crawl.start_soon(part, number)
            await ended.wait()

    class Many(Follow):
        start_urls = [f"https://site.test/{n}" for n in range(3)]

    pages = [*(f"/{n}" for n in range(3)), *(f"/part{n}" for n in range(parts))]
    site = FakeSite({page: Page("x", delay=1) for page in pages})
    with trio.fail_after(1000):
        report = (await collect(Many(), site, settings=Settings(per_host=1), plugins=[Embedding()])).report
    assert (report.pages, len(site.log)) == (3, 3 + 3 * parts)
    assert site.peak["https://site.test"] == 1


async def test_the_limits_learn_from_a_page_before_its_fetch_hook_ends(autojump_clock: MockClock) -> None:
    """After a refusal one request goes alone: a request of the hook must not wait for the end of its own page."""

    class Embedding(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            response = await send(request)
            if "/part" not in request.url:
                await self.crawl.fetch(Request("https://site.test/part"))
            return response

    site = FakeSite({"/": "x", "/part": [Page(status=429, headers={"Retry-After": "60"}), "x"]})
    with trio.fail_after(1000):
        found = await collect(Follow(), site, plugins=[Embedding()])
    assert (found.report.pages, found.report.failed) == (1, 0)


@pytest.mark.parametrize("in_background", [False, True])
@pytest.mark.parametrize("refused", [*(Page("no", status, headers=WAIT) for status in (429, 503)), CUT])
@pytest.mark.parametrize("tokens", [1, 4])
async def test_a_fetch_hook_may_fetch_from_its_host_while_that_refuses_or_is_down(
    in_background: bool, refused: Any, tokens: int, autojump_clock: MockClock
) -> None:
    """After a refusal one request goes alone: that is the one of the hook, whose page has sent nothing yet."""

    class Signing(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            if "/key" not in request.url:
                ended = trio.Event()
                if in_background:
                    self.crawl.start_soon(self._fetch_key, ended)
                    await ended.wait()
                else:
                    await self._fetch_key(ended)
            return await send(request)

        async def _fetch_key(self, ended: trio.Event) -> None:
            await self.crawl.fetch(Request("https://site.test/key"))
            ended.set()

    class Many(Follow):
        start_urls = [f"https://site.test/{n}" for n in range(6)]

    site = FakeSite({f"/{n}": [refused, refused, refused, "x"] for n in range(6)} | {"/key": ["key", refused, "key"]})
    with trio.fail_after(10_000):
        settings = Settings(per_host=tokens, slow_start=False, inline_wait=1000)
        report = (await collect(Many(), site, settings=settings, plugins=[Signing()])).report
    assert (report.pages, report.failed) == (6, 0)
    assert site.peak["https://site.test"] <= tokens


async def test_a_fetch_hook_may_fetch_from_its_host_after_its_page_has_failed(autojump_clock: MockClock) -> None:
    class Status(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            try:
                return await send(request)
            except RequestError:
                ended = trio.Event()
                self.crawl.start_soon(self._fetch_status, ended)
                await ended.wait()
                raise

        async def _fetch_status(self, ended: trio.Event) -> None:
            await self.crawl.fetch(Request("https://site.test/status"))
            ended.set()

    refused = Page(status=429, headers=WAIT)
    site = FakeSite({"/": [refused, httpx.ReadError("reset"), "x"], "/status": "up"})
    with trio.fail_after(1000):
        report = (await collect(Follow(), site, plugins=[Status()])).report
    assert (report.pages, report.failed) == (1, 0)


async def test_a_fetch_hook_keeps_its_start_while_a_request_to_another_host_waits(autojump_clock: MockClock) -> None:
    """Such a hook sends by itself whenever it is ready: the delay holds because no other page starts before."""
    sent: list[float] = []

    class Sends(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            self.crawl = crawl
            crawl.start_soon(self._poll)
            yield

        async def _poll(self) -> None:
            for _ in range(5):
                await self.crawl.fetch(Request("https://other.test/news"))

        async def fetch(self, request: Request, send: Any) -> Any:
            if "/news" in request.url:
                return None
            await trio.sleep(3.0)  # its browser starts
            self.crawl.control.mark_sent()
            sent.append(trio.current_time())
            return Response(request.url, body=b"x", request=request)

    class Many(Follow):
        start_urls = [f"https://site.test/{n}" for n in range(4)]

    site = FakeSite({"https://other.test/news": "news"})
    settings = Settings(delay=1.0, per_host=8, slow_start=False, obey_robots=False)
    report = (await collect(Many(), site, settings=settings, plugins=[Sends()])).report
    assert (report.pages, len(site.visits("https://other.test/news"))) == (4, 5)
    assert all(later - earlier >= 1.0 - 1e-6 for earlier, later in itertools.pairwise(sent))


async def test_a_failure_that_a_fetch_hook_translates_is_recorded_once(autojump_clock: MockClock) -> None:
    class Translating(Plugin):
        def __init__(self) -> None:
            self.events: list[tuple[str, str]] = []

        async def fetch(self, request: Request, send: Any) -> Any:
            try:
                return await send(request)
            except RequestError as error:
                raise ConnectFailed("the site is closed") from error

        def measure(self, usage: Usage) -> None:
            self.events.append((usage.event, "" if usage.error is None else usage.error.reason))

    plugin = Translating()
    site = FakeSite({"/": [CUT, "x"]})
    report = (await collect(Follow(), site, settings=Settings(obey_robots=False), plugins=[plugin])).report
    assert (report.pages, report.requests) == (1, 2)
    assert plugin.events == [("error", "broken_exchange"), ("answer", "")]


async def test_a_page_waits_for_its_turn_again_if_its_fetch_hook_has_used_it(autojump_clock: MockClock) -> None:
    class Signing(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            if "/key" not in request.url:
                await self.crawl.fetch(Request("https://site.test/key"))
            return await send(request)

    class Many(Follow):
        start_urls = [f"https://site.test/{n}" for n in range(3)]

    site = FakeSite({f"/{n}": "x" for n in range(3)} | {"/key": "key"})
    await collect(Many(), site, settings=Settings(delay=1.0, obey_robots=False), plugins=[Signing()])
    times = [visit.at for visit in site.log]
    assert len(times) == 6
    assert all(later - earlier >= 1.0 - 1e-6 for earlier, later in itertools.pairwise(times))
    assert times[-1] - times[0] == pytest.approx(5.0)


async def test_a_fetch_hook_that_sends_by_itself_counts_as_a_start_if_its_own_was_used(
    autojump_clock: MockClock,
) -> None:
    sent: list[float] = []

    class Sends(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            if "/key" in request.url:
                return None
            await self.crawl.fetch(Request("https://site.test/key"))
            self.crawl.control.mark_sent()
            sent.append(trio.current_time())
            return Response(request.url, body=b"x", request=request)

    class Many(Follow):
        start_urls = [f"https://site.test/{n}" for n in range(3)]

    site = FakeSite({"/key": Page("key", delay=0.5)})
    report = (await collect(Many(), site, settings=Settings(delay=1.0, obey_robots=False), plugins=[Sends()])).report
    assert report.pages == 3
    keys = [visit.at for visit in site.log]
    assert [key - before for key, before in zip(keys[1:], sent, strict=False)] == pytest.approx([1.0, 1.0])
