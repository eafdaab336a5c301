"""Redirects in a crawl: the target is a request, neither end is lost or fetched twice, the report counts both."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.trees import FREE, Follow
from trio.testing import MockClock

from crawler import BadRedirect, BadStatus, Failure, Pace, Produced, Refused, Request, Response, Settings, Spider, crawl
from crawler.testing import FakeSite, Page, collect

HOME = "https://site.test/"
LOCATED = [301, 302, 303, 307, 308]


def to(target: str, status: int = 302, **headers: str) -> Page:
    return Page("moved", status, headers={"Location": target, **headers})


class Told(Spider):
    """Makes one request and yields an item for its result."""

    settings = FREE

    def __init__(self, request: Request | str = HOME, **fields: Any) -> None:
        super().__init__()
        url = request if isinstance(request, str) else request.url
        self.request = request if isinstance(request, Request) else Request(url, errback=self.failed_one, **fields)

    def start(self) -> Produced:
        yield self.request

    def parse(self, response: Response) -> Produced:
        yield {
            "url": response.url,
            "status": response.status,
            "method": response.request.method,
            "body": response.request.body.decode(),
            "from": list(response.redirects),
        }

    def failed_one(self, failure: Failure) -> Produced:
        yield {
            "reason": failure.reason,
            "of": failure.request.url,
            "status": failure.response.status if failure.response is not None else None,
            "by": getattr(failure.error, "by", None),
            "about": failure.error.request.url if failure.error.request is not None else None,
        }


def visited(site: FakeSite) -> list[str]:
    return [visit.url for visit in site.log]


# Both ends


@pytest.mark.parametrize("status", LOCATED)
async def test_a_redirect_is_counted_and_its_target_is_the_page(autojump_clock: MockClock, status: int) -> None:
    site = FakeSite({"/": to("/a", status), "/a": to("b?c#d", status), "/b": "x"})
    found = await collect(Told(), site)
    [item] = found.items
    assert (item["url"], item["from"]) == (HOME + "b?c", [HOME, HOME + "a"])
    report = found.report
    assert (report.pages, report.redirects, report.failed, report.requests) == (1, 2, 0, 3)
    assert report.statuses == {200: 1, status: 2}
    assert report.to_dict()["redirects"] == 2


async def test_a_page_without_redirects_has_an_empty_list(autojump_clock: MockClock) -> None:
    assert (await collect(Told(), FakeSite({"/": "x"}))).report.redirects == 0


async def test_a_target_of_two_redirects_is_fetched_once(autojump_clock: MockClock) -> None:
    home = "<a href=/old>1</a><a href=/new>2</a><a href=/older>3</a><a href=/oldest>4</a>"
    site = FakeSite(
        {"/": home, "/old": to("/new"), "/older": to("/new"), "/oldest": to("/old"), "/new": "<a href=/old>"}
    )
    found = await collect(Follow(), site)
    assert sorted(visited(site)) == sorted({HOME, *(HOME + name for name in ("old", "new", "older", "oldest"))})
    assert sorted(item["url"] for item in found.items) == [HOME, HOME + "new"]
    assert (found.report.redirects, found.report.pages) == (3, 2)
    assert found.report.filtered["duplicate"] >= 3
    assert set(found.report.samples["duplicate"]) <= {HOME + "new", HOME + "old"} != set()


async def test_a_link_to_the_target_of_a_redirect_is_a_duplicate(autojump_clock: MockClock) -> None:
    site = FakeSite(
        {"/": "<a href=/old>x</a>", "/old": to("/new"), "/new": "<a href=/new>x</a><a href=/old>x</a><a href=/>x</a>"}
    )
    await collect(Follow(), site)
    assert visited(site) == [HOME, HOME + "old", HOME + "new"]


async def test_a_redirect_from_http_to_https_of_the_same_page(autojump_clock: MockClock) -> None:
    pages = {
        "http://site.test/": to("https://site.test/", 301),
        "https://site.test/": "<a href=http://site.test/>x</a><a href=http://site.test/a>x</a><a href=/a>x</a>",
        "http://site.test/a": to("https://site.test/a", 308),
        "https://site.test/a": "x",
    }
    site = FakeSite(pages)
    found = await collect(Follow(start_urls=["http://site.test/"]), site)
    assert sorted(visited(site)) == sorted(pages)
    assert sorted(item["url"] for item in found.items) == [HOME, HOME + "a"]
    assert found.report.pages == found.report.redirects == 2


async def test_a_page_that_sets_a_cookie_and_redirects_to_itself_through_another(autojump_clock: MockClock) -> None:
    def home(request: httpx.Request) -> Page:
        return Page("inside") if "ok=1" in request.headers.get("cookie", "") else to("/check")

    site = FakeSite({"/": home, "/check": to("/", **{"Set-Cookie": "ok=1; Path=/"})})
    found = await collect(Told(), site)
    assert [item["from"] for item in found.items] == [[HOME, HOME + "check"]]
    assert visited(site) == [HOME, HOME + "check", HOME]


async def test_a_job_that_stops_between_the_two_ends_resumes_with_the_target(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    pages: list[Response] = []
    stops = [True]

    class Stops(Follow):
        name = "stops"

        def admit(self, request: Request) -> None:
            if request.redirects and stops:
                stops.pop()
                self.crawl.stop("between")

        def parse(self, response: Response) -> Produced:
            pages.append(response)

    site = FakeSite({"/": to("https://other.test/new", **{"Set-Cookie": "a=1"}), "https://other.test/new": "x"})
    first = await crawl(Stops(), job=tmp_path / "job", transport=site.transport)
    assert (first.finished, first.pages, first.redirects, visited(site)) == ("between", 0, 1, [HOME])
    report = await crawl(Stops(), job=tmp_path / "job", transport=site.transport)
    assert (report.finished, report.pages, report.redirects) == ("finished", 1, 1)
    assert visited(site) == [HOME, "https://other.test/new"]
    assert [(page.url, page.redirects) for page in pages] == [("https://other.test/new", (HOME,))]


# Method and body


@pytest.mark.parametrize(
    ("status", "method", "becomes", "body"),
    [
        *((status, "HEAD", "HEAD", "") for status in LOCATED),
        *((status, "POST", "GET", "") for status in (301, 302, 303)),
        *((status, "POST", "POST", "x=1") for status in (307, 308)),
        (303, "PUT", "GET", ""),
        (302, "PUT", "PUT", "x=1"),
    ],
)
async def test_method_and_body_after_a_redirect(
    autojump_clock: MockClock, status: int, method: str, becomes: str, body: str
) -> None:
    site = FakeSite({"/": to("/new", status), "/new": "x"})
    content = b"" if method == "HEAD" else b"x=1"
    found = await collect(Told(method=method, body=content, headers={"Content-Type": "a/b"} if content else {}), site)
    assert [(item["method"], item["body"]) for item in found.items] == [(becomes, body)]
    last = site.log[-1]
    assert (last.method, last.body.decode()) == (becomes, body)
    assert ("content-type" in last.headers) is bool(body)


# Responses that are not redirects


@pytest.mark.parametrize("headers", [{}, {"Location": ""}, {"Location": " "}])
@pytest.mark.parametrize("status", LOCATED)
async def test_a_redirect_without_a_location_is_a_response_with_that_status(
    autojump_clock: MockClock, status: int, headers: dict[str, str]
) -> None:
    site = FakeSite({"/": Page("where to?", status, headers=headers)})
    found = await collect(Told(), site)
    assert [(item["reason"], item["status"]) for item in found.items] == [(f"status_{status}", status)]
    assert (found.report.failed, found.report.redirects, found.report.statuses) == (0, 0, {status: 1})
    assert len(site.log) == 1


@pytest.mark.parametrize("status", [300, 304, 305, 306])
async def test_other_3xx_statuses_are_not_followed(autojump_clock: MockClock, status: int) -> None:
    site = FakeSite({"/": to("/new", status), "/new": "x"})
    found = await collect(Told(), site)
    assert [item["reason"] for item in found.items] == [f"status_{status}"]
    assert (visited(site), found.report.failed, found.report.redirects) == ([HOME], 0, 0)


async def test_a_callback_that_accepts_the_status_gets_the_redirect(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": to("/new"), "/new": "x"})
    found = await collect(Told(accept_status=[302]), site)
    assert [(item["url"], item["status"]) for item in found.items] == [(HOME, 302)]
    assert (found.report.redirects, found.report.pages) == (0, 1)


# Errors


@pytest.mark.parametrize(
    ("pages", "reason", "asked"),
    [
        ({"/": to("/")}, "redirect_loop", 4),
        ({"/": to("/b"), "/b": to("/")}, "redirect_loop", 4),
        ({"/": to("/1"), "/1": to("/2"), "/2": to("/3"), "/3": to("/4")}, "too_many_redirects", 4),
        ({"/": to("javascript:alert(1)")}, "bad_redirect", 1),
        ({"/": to("data:text/html,x")}, "bad_redirect", 1),
        ({"/": to("file:///etc/passwd")}, "bad_redirect", 1),
        ({"/": to("http://[::1")}, "bad_redirect", 1),
        ({"/": Page("", 302, headers=[("Location", "/a"), ("Location", "/b")])}, "bad_redirect", 1),
    ],
)
async def test_an_invalid_redirect_is_a_failure_with_its_reason(
    autojump_clock: MockClock, pages: dict[str, Any], reason: str, asked: int
) -> None:
    site = FakeSite(pages)
    found = await collect(Told(), site, settings=Settings(max_redirects=3))
    [item] = found.items
    assert (item["reason"], item["status"], len(site.log)) == (reason, 302, asked)
    report = found.report
    assert (report.failed, report.failures, report.retries) == (1, {reason: 1}, 0)
    assert report.samples[reason] == [item["of"]]
    assert report.exit_code() == 4


async def test_as_many_redirects_as_are_allowed_are_followed(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": to("/1"), "/1": to("/2"), "/2": "x"})
    assert (await collect(Told(), site, settings=Settings(max_redirects=2))).report.pages == 1
    assert (await collect(Told(), site, settings=Settings(max_redirects=0))).report.failures == {
        "too_many_redirects": 1
    }


# The target is a request like any other


async def test_a_target_out_of_scope_is_refused_and_the_errback_is_called(autojump_clock: MockClock) -> None:
    class Inside(Told):
        allowed_domains = ["site.test"]

    site = FakeSite({"/": to("https://other.test/"), "https://other.test/": "x"})
    found = await collect(Inside(), site)
    assert found.items == [
        {"reason": "refused", "of": HOME, "status": 302, "by": "scope", "about": "https://other.test/"}
    ]
    report = found.report
    assert (report.failed, report.filtered, report.redirects) == (0, {"scope": 1}, 1)
    assert report.samples["scope"] == ["https://other.test/"]
    assert visited(site) == [HOME]


async def test_a_refused_target_is_counted_without_an_errback(autojump_clock: MockClock) -> None:
    class Inside(Follow):
        allowed_domains = ["site.test"]

    site = FakeSite({"/": to("https://other.test/"), "https://other.test/": "x"})
    found = await collect(Inside(), site)
    assert (found.items, found.report.filtered, found.report.failed) == ([], {"scope": 1}, 0)


async def test_a_redirect_does_not_increase_the_depth(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "<a href=/a>x</a>", "/a": to("/b"), "/b": to("/c"), "/c": "<a href=/d>x</a>"})
    found = await collect(Follow(), site, settings=Settings(max_depth=1))
    assert [item["url"] for item in found.items] == [HOME, HOME + "c"]
    assert found.report.filtered == {"depth": 1}


async def test_a_target_obeys_the_robots_txt_of_its_own_origin(autojump_clock: MockClock) -> None:
    site = FakeSite(
        {
            "/": to("https://other.test/private"),
            "https://other.test/robots.txt": "User-agent: *\nDisallow: /private",
            "https://other.test/private": "x",
        }
    )
    found = await collect(Told(), site, settings=Settings(obey_robots=True))
    assert [(item["reason"], item["by"], item["of"]) for item in found.items] == [
        ("refused", "robots", "https://other.test/private")
    ]
    assert not site.visits("https://other.test/private")
    assert found.report.filtered == {"robots": 1}


async def test_a_target_keeps_the_pace_of_its_own_lane(autojump_clock: MockClock) -> None:
    pages = {f"/{n}": to(f"https://slow.test/{n}") for n in range(4)}
    site = FakeSite(pages | {f"https://slow.test/{n}": "x" for n in range(4)})
    pacing = {"slow.test": Pace(delay=10.0)}
    spider = Follow(start_urls=[f"https://site.test/{n}" for n in range(4)])
    report = (await collect(spider, site, settings=Settings(pacing=pacing))).report
    times = [visit.at for visit in site.log if "slow" in visit.url]
    assert all(later - earlier >= 10 - 1e-6 for earlier, later in itertools.pairwise(times))
    assert max(visit.at for visit in site.log if "slow" not in visit.url) < 1
    assert {name: lane["requests"] for name, lane in report.lanes.items()} == {
        "https://site.test": 4,
        "https://slow.test": 4,
    }


async def test_secrets_set_by_hand_stay_on_their_origin(autojump_clock: MockClock) -> None:
    secret = {"X-Api-Key": "k", "Authorization": "Bearer t", "Proxy-Authorization": "Basic x", "Cookie": "a=b"}
    site = FakeSite(
        {"/": to("/own"), "/own": to("https://other.test/"), "https://other.test/": to(HOME + "back"), "/back": "x"}
    )
    await collect(Told(headers={**secret, "Accept-Language": "de"}), site)
    names = {name.lower() for name in secret}
    kept = [names & set(visit.headers) for visit in site.log]
    assert kept == [names, names, set(), set()]
    assert all(visit.headers["accept-language"] == "de" for visit in site.log)


# Refreshes

REFRESHES = {
    "/": "<meta http-equiv=refresh content='3; url=/new'><a href=/link>x</a>",
    "/new": Page("x", headers={"Refresh": "0;url=/last"}),
    "/last": "last",
    "/link": "x",
}


async def test_a_refresh_is_a_redirect_if_enabled(autojump_clock: MockClock) -> None:
    site = FakeSite(REFRESHES)
    found = await collect(Told(), site, settings=Settings(follow_refresh=3.0))
    assert [(item["url"], item["from"]) for item in found.items] == [(HOME + "last", [HOME, HOME + "new"])]
    assert (found.report.pages, found.report.redirects, found.report.statuses) == (1, 2, {200: 3})
    assert visited(site) == [HOME, HOME + "new", HOME + "last"]


@pytest.mark.parametrize(("within", "last"), [(None, ""), (2.9, ""), (3.0, "last")])
async def test_a_refresh_with_a_longer_delay_is_a_page(
    autojump_clock: MockClock, within: float | None, last: str
) -> None:
    found = await collect(Told(), FakeSite(REFRESHES), settings=Settings(follow_refresh=within))
    assert [item["url"] for item in found.items] == [HOME + last]


async def test_the_target_of_a_refresh_is_in_scope_or_refused(autojump_clock: MockClock) -> None:
    class Inside(Told):
        allowed_domains = ["site.test"]

    site = FakeSite({"/": "<meta http-equiv=refresh content='0;url=//other.test/'>"})
    found = await collect(Inside(), site, settings=Settings(follow_refresh=0.0))
    assert [(item["reason"], item["by"]) for item in found.items] == [("refused", "scope")]


async def test_pages_that_refresh_to_each_other_are_delivered(autojump_clock: MockClock) -> None:
    meta = "<meta http-equiv=refresh content='0;url={}'>"
    site = FakeSite({"/": meta.format("/b"), "/b": meta.format("/")})
    found = await collect(Told(), site, settings=Settings(follow_refresh=1.0))
    assert [item["url"] for item in found.items] == [HOME + "b"]
    assert visited(site) == [HOME, HOME + "b"]


async def test_a_page_of_another_status_is_not_refreshed(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": Page("gone", 404, headers={"Refresh": "0;url=/new"}), "/new": "x"})
    found = await collect(Told(accept_status=[404]), site, settings=Settings(follow_refresh=1.0))
    assert [item["status"] for item in found.items] == [404]


# Inline fetches


class InPlace(Spider):
    """Fetches inline and keeps the result."""

    start_urls = [HOME]
    settings = FREE
    allowed_domains = ["site.test"]

    def __init__(self, **fields: Any) -> None:
        super().__init__()
        self.fields = fields

    async def parse(self, response: Response) -> Any:
        try:
            found = await self.crawl.fetch(Request(HOME + "api", **self.fields))
        except BadStatus as error:
            return [{"reason": error.reason, "bad": isinstance(error, BadRedirect), "status": error.status}]
        except Refused as error:
            return [{"by": error.by}]
        return [{"url": found.url, "status": found.status, "from": list(found.redirects)}]


async def test_redirects_of_an_inline_fetch_may_leave_the_scope_and_are_counted(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "/api": to("/b"), "/b": to("https://other.test/"), "https://other.test/": "x"})
    found = await collect(InPlace(), site)
    assert found.items == [{"url": "https://other.test/", "status": 200, "from": [HOME + "api", HOME + "b"]}]
    assert (found.report.redirects, found.report.pages, found.report.filtered) == (2, 1, {})


async def test_an_inline_fetch_keeps_secrets_on_their_origin(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "/api": to("https://other.test/"), "https://other.test/": "x"})
    await collect(InPlace(auth=("u", "p"), cookies={"c": "1"}, headers={"X-Api-Key": "k"}), site)
    _, first, second = site.log
    assert {"authorization", "cookie", "x-api-key"} <= set(first.headers)
    assert not {"authorization", "cookie", "x-api-key"} & set(second.headers)


async def test_an_inline_fetch_raises_an_error_for_a_redirect_loop(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "/api": to("/api")})
    found = await collect(InPlace(), site, settings=Settings(max_redirects=2))
    assert found.items == [{"reason": "redirect_loop", "bad": True, "status": 302}]


async def test_an_inline_fetch_returns_an_accepted_redirect(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "/api": to("/b"), "/b": "x"})
    found = await collect(InPlace(accept_status=[302]), site)
    assert found.items == [{"url": HOME + "api", "status": 302, "from": []}]


async def test_each_redirect_of_an_inline_fetch_obeys_robots_txt(autojump_clock: MockClock) -> None:
    robots = {"https://other.test/robots.txt": "User-agent: *\nDisallow: /"}
    site = FakeSite({"/": "x", "/api": to("https://other.test/"), "https://other.test/": "x"} | robots)
    found = await collect(InPlace(), site, settings=Settings(obey_robots=True))
    assert found.items == [{"by": "robots"}]


async def test_an_inline_fetch_follows_a_refresh_too(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "/api": Page("x", headers={"Refresh": "1;url=/b"}), "/b": "x"})
    found = await collect(InPlace(), site, settings=Settings(follow_refresh=1.0))
    assert [item["url"] for item in found.items] == [HOME + "b"]
    assert (await collect(InPlace(), site)).items[0]["url"] == HOME + "api"
