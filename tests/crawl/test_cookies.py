"""Cookies in a crawl: the responses that set them, the requests that send them, and jobs that keep them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from support.trees import FREE
from trio.testing import MockClock

from crawler import Failure, Produced, Request, Response, Settings, Spider, crawl
from crawler.testing import Asked, FakeSite, Page, Reply, Wire, collect

HOME = "https://site.test/"


class Steps(Spider):
    """Makes one request after the other, whether or not they fail, and yields an item for each.

    Parameters:
        requests: paths or requests.
    """

    settings = FREE

    def __init__(self, *requests: str | Request) -> None:
        super().__init__()
        self.requests = [
            Request(HOME + one.lstrip("/"), dont_filter=True) if isinstance(one, str) else one for one in requests
        ]

    def start(self) -> Produced:
        yield self.step(0)

    def step(self, number: int) -> Request:
        request = self.requests[number]
        return request.replace(errback=self.failed_one, meta={"step": number})

    def parse(self, response: Response) -> Produced:
        yield from self.goes_on(response.request, str(response.status))

    def failed_one(self, failure: Failure) -> Produced:
        yield from self.goes_on(failure.request, failure.reason)

    def goes_on(self, request: Request, outcome: str) -> Any:
        yield {"outcome": outcome}
        if request.meta["step"] + 1 < len(self.requests):
            yield self.step(request.meta["step"] + 1)


def setting(*fields: str, status: int = 200, body: Any = "x", **headers: str) -> Page:
    return Page(body, status, headers=[*(("Set-Cookie", field) for field in fields), *headers.items()])


def sent(site: FakeSite, path: str) -> list[str | None]:
    """Return the ``Cookie`` header fields of the requests for a page."""
    return [visit.headers.get("cookie") for visit in site.visits(path)]


async def test_cookies_of_responses_are_not_kept_without_the_setting() -> None:
    site = FakeSite({"/a": setting("a=1"), "/b": "b"})
    await collect(Steps("/a", "/b"), site, settings=Settings(cookies=False))
    assert sent(site, "/b") == [None]


async def test_a_cookie_that_a_spider_sets_is_kept_for_its_session() -> None:
    class Sets(Spider):
        def start(self) -> Produced:
            self.crawl.cookies.set("https://site.test", "sid=7; Path=/b", session="me")
            for path, session in (("/b", "me"), ("/c", "me"), ("/d", "")):
                yield Request(f"https://site.test{path}", session=session)

        def parse(self, response: Response) -> None:
            pass

    site = FakeSite({"/b": "b", "/c": "c", "/d": "d"})
    await collect(Sets(), site)
    assert [sent(site, path) for path in ("/b", "/c", "/d")] == [["sid=7"], [None], [None]]


# Responses that set cookies


@pytest.mark.parametrize(
    ("page", "outcome"),
    [
        (setting("a=1"), "200"),
        (setting("a=1", status=404), "status_404"),
        (setting("a=1", status=500), "status_500"),
        (setting("a=1", status=429), "status_429"),
        (setting("a=1", status=302), "status_302"),
        (setting("a=1", status=302, Location="javascript:x"), "bad_redirect"),
        (setting("a=1", body="x" * 2000), "body_too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_every_response_may_set_cookies(autojump_clock: MockClock, page: Page, outcome: str) -> None:
    site = FakeSite({"/in": page, "/next": "x"})
    found = await collect(Steps("/in", "/next"), site, settings=Settings(attempts=1, max_body=1000))
    assert found.items[0] == {"outcome": outcome}
    assert sent(site, "/next") == ["a=1"]


async def test_the_cookies_of_a_response_that_breaks_off_are_kept(autojump_clock: MockClock) -> None:
    seen: list[str | None] = []

    async def handler(asked: Asked) -> Reply:
        seen.append(asked.headers.get("cookie"))
        body = [b"half", None] if asked.target == "/in" else b"whole"
        return Reply(body, headers=[("Set-Cookie", "a=1")])

    async with trio.open_nursery() as nursery:
        wire = Wire(nursery, handler)
        found = await collect(Steps("/in", "/next"), wire, settings=Settings(attempts=1))
        nursery.cancel_scope.cancel()
    assert found.items == [{"outcome": "broken_exchange"}, {"outcome": "200"}]
    assert seen == [None, "a=1"]


async def test_a_second_attempt_sends_the_cookies_of_the_first(autojump_clock: MockClock) -> None:
    site = FakeSite({"/in": [setting("a=1", status=503), "x"]})
    await collect(Steps("/in"), site)
    assert sent(site, "/in") == [None, "a=1"]


async def test_every_hop_of_a_redirect_may_set_cookies(autojump_clock: MockClock) -> None:
    pages = {
        "/": setting("a=1; Domain=site.test", status=302, Location="https://www.site.test/"),
        "https://www.site.test/": setting("b=2", status=302, Location="https://other.test/"),
        "https://other.test/": setting("c=3; Domain=site.test", "d=4", status=302, Location="https://www.site.test/x"),
        "https://www.site.test/x": "x",
    }
    site = FakeSite(pages)
    await collect(Steps("/"), site)
    assert [visit.headers.get("cookie") for visit in site.log] == [None, "a=1", None, "a=1; b=2"]


# Cookies of a request


async def test_cookies_of_a_request_are_added_to_those_of_the_session_or_replace_them(
    autojump_clock: MockClock,
) -> None:
    given = Request(HOME + "next", cookies={"a": "9", "c": "3"}, dont_filter=True)
    site = FakeSite({"/in": setting("a=1", "b=2"), "/next": "x"})
    await collect(Steps("/in", given, "/next"), site)
    assert sent(site, "/next") == ["b=2; a=9; c=3", "a=1; b=2"]


async def test_a_cookie_field_set_by_hand_is_sent_alone_and_unchanged(autojump_clock: MockClock) -> None:
    given = Request(HOME + "next", headers={"cookie": "pasted=1;b"}, cookies={"c": "3"})
    site = FakeSite({"/in": setting("a=1"), "/next": setting("d=4"), "/last": "x"})
    await collect(Steps("/in", given, "/last"), site)
    assert [value for name, value in site.visits("/next")[0].headers.pairs if name.lower() == "cookie"] == [
        "pasted=1;b"
    ]
    assert sent(site, "/last") == ["a=1; d=4"]


async def test_sessions_are_separate_also_along_redirects(autojump_clock: MockClock) -> None:
    def door(request: httpx.Request) -> Page:
        user = request.url.params["user"]
        return setting(f"user={user}; Path=/", status=303, Location="/home")

    asked = [Request(f"{HOME}door?user={name}", session=name, dont_filter=True) for name in ("ada", "bob")]
    later = [Request(HOME + "home", session=name, dont_filter=True) for name in ("ada", "bob", "")]
    site = FakeSite({"/door": door, "/home": "x"})
    await collect(Steps(*asked, *later), site)
    assert sent(site, "/home") == ["user=ada", "user=bob", "user=ada", "user=bob", None]


async def test_a_cookie_expires_by_the_clock_of_the_crawl(autojump_clock: MockClock) -> None:
    class Late(Steps):
        async def parse(self, response: Response) -> Any:
            await trio.sleep(3600)
            return list(self.goes_on(response.request, "late"))

    site = FakeSite({"/in": setting("short=1; Max-Age=5000", "long=1; Max-Age=10000"), "/a": "x", "/b": "x"})
    await collect(Late("/in", "/a", "/b"), site)
    assert (sent(site, "/a"), sent(site, "/b")) == (["short=1; long=1"], ["long=1"])


async def test_an_inline_fetch_uses_its_session(autojump_clock: MockClock) -> None:
    class InPlace(Spider):
        start_urls = [HOME]
        settings = FREE

        async def parse(self, response: Response) -> None:
            for session in ("a", "a", ""):
                await self.crawl.fetch(Request(HOME + "api", session=session))

    site = FakeSite({"/": "x", "/api": setting("id=1")})
    await collect(InPlace(), site)
    assert sent(site, "/api") == [None, "id=1", None]


async def test_concurrent_requests_send_the_cookies_set_before(autojump_clock: MockClock) -> None:
    class Many(Spider):
        settings = FREE
        start_urls = [f"{HOME}{number}" for number in range(20)]

        def parse(self, response: Response) -> None:
            return None

    def counts(request: httpx.Request) -> Page:
        return Page("x", delay=1.0, headers=[("Set-Cookie", f"n{request.url.path[1:]}=1; Path=/")])

    site = FakeSite({f"/{number}": counts for number in range(20)})
    await collect(Many(), site, settings=Settings(per_host=5, slow_start=False))
    sizes = [
        len((visit.headers.get("cookie") or "").split("; ")) if "cookie" in visit.headers else 0 for visit in site.log
    ]
    assert sizes == [0] * 5 + [5] * 5 + [10] * 5 + [15] * 5


# Cookies of a job


def once(stop: Callable[[Spider], None]) -> Callable[[Spider], None]:
    """Return a function that calls `stop` at its first call only."""
    calls = [stop]
    return lambda spider: calls.pop()(spider) if calls else None


@pytest.mark.parametrize("how", ["stopped", "cancelled"])
async def test_a_job_keeps_cookies_their_order_and_their_removal(
    autojump_clock: MockClock, tmp_path: Path, how: str
) -> None:
    stops = once(lambda spider: spider.crawl.stop("enough"))

    class Kept(Steps):
        name = "kept"

        async def last(self, response: Response) -> Any:
            if how == "stopped":
                stops(self)
            elif trio.current_time() < 1000:
                await trio.sleep(1000)
            return list(self.goes_on(response.request, "last"))

    def spider() -> Kept:
        held = Request(HOME + "held", "last", session="ada")
        ask = [Request(HOME + path, session="ada") for path in ("in", "out")]
        return Kept(*ask, held, Request(HOME + "after", session="ada"), Request(HOME + "other"))

    pages = {
        "/in": setting("z=1", "gone=1; Domain=site.test", "a=2", "m=3; Max-Age=100000"),
        "/out": setting("gone=; Domain=site.test; Max-Age=0", "z=4"),
    }
    site = FakeSite(pages | {"/held": "x", "/after": "x", "/other": "x"})
    with trio.move_on_after(500):
        await crawl(spider(), job=tmp_path / "job", transport=site.transport)
    assert not site.visits("/after")
    await trio.sleep(1000)
    report = await crawl(spider(), job=tmp_path / "job", transport=site.transport)
    assert report.finished == "finished"
    assert sent(site, "/after") == ["z=4; a=2; m=3"]
    assert sent(site, "/other") == [None]
