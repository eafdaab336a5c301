"""Authentication by request, by URL and by origin; every exchange keeps the pace and stays on its origin."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
import trio
from support.digest import Digest
from support.rawserver import Serve, start
from trio.testing import MockClock

from crawler import ConfigError, Failure, Plugin, Produced, Request, Response, Settings, Spider, crawl
from crawler.fetch.auth import OriginAuth
from crawler.testing import FakeSite, Page, Visit, collect
from crawler.transport.curl import CurlTransport

FREE = Settings(obey_robots=False, slow_start=False, proxy_env=False, backoff_base=0.0)
BASIC = "Basic dXNlcjpwYXNz"


@pytest.fixture
def serve(nursery: trio.Nursery) -> Serve:
    return partial(start, nursery)


@pytest.fixture
async def transport() -> AsyncIterator[CurlTransport]:
    async with CurlTransport() as opened:
        yield opened


class Asks(Spider):
    """Requests URLs and yields an item for each result."""

    urls: list[Any] = []

    def start(self) -> Produced:
        for url in self.urls:
            yield url if isinstance(url, Request) else Request(url, errback=self.gave_up)

    def parse(self, response: Response) -> Produced:
        return {"url": response.url, "asked": response.request.url, "status": response.status}

    def gave_up(self, failure: Failure) -> Produced:
        return {"url": failure.request.url, "failed": str(failure.error)}


def field(visit: Visit) -> str | None:
    return visit.headers.get("authorization")


def given(auth: dict[str, Any], *urls: Any) -> Asks:
    spider = Asks(urls=list(urls))
    spider.auth = auth
    return spider


async def fields(auth: dict[str, Any], *urls: Any, pages: dict[str, Any] | None = None) -> dict[str, str | None]:
    """Return the ``Authorization`` header field of each request, by URL."""
    site = FakeSite(pages or {(url if isinstance(url, str) else url.url): "x" for url in urls})
    await collect(given(auth, *urls), site, settings=FREE)
    return {visit.url: field(visit) for visit in site.log}


# ---- choosing credentials --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        (("user", "pass"), BASIC),
        (("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        (("test", "123£"), "Basic dGVzdDoxMjPCow=="),
        (("user", "a:b"), "Basic dXNlcjphOmI="),
        ("Bearer mF_9.B5f-4.1JqM", "Bearer mF_9.B5f-4.1JqM"),
        ('Custom a="b", c=d', 'Custom a="b", c=d'),
    ],
    ids=str,
)
async def test_credentials_of_a_request_or_an_origin_are_sent(auth: Any, sent: str) -> None:
    url = "https://api.test/"
    assert await fields({}, Request(url, auth=auth)) == {url: sent}
    assert await fields({"https://api.test": auth}, url) == {url: sent}


async def test_user_and_password_in_a_url_are_removed_and_sent() -> None:
    site = FakeSite({"/": "x"}, host="https://api.test")
    found = await collect(Asks(urls=["https://user:pass@api.test/", "https://api.test/"]), site, settings=FREE)
    assert [(visit.url, field(visit)) for visit in site.log] == [("https://api.test/", BASIC)]
    assert found.report.filtered == {"duplicate": 1}, "it is the same page"
    assert b"pass" not in found.report.to_json().replace(b"passed", b"")


async def test_auth_of_a_request_takes_precedence_over_its_origin() -> None:
    auth = {"https://api.test": ("user", "pass")}
    urls = [
        Request("https://api.test/own", auth="Bearer own"),
        Request("https://api.test/hand", headers={"authorization": "By hand"}),
        Request("https://api.test/none", headers={"Authorization": None}),
        "https://api.test/other",
    ]
    found = await fields(auth, *urls)
    wanted = {"own": "Bearer own", "hand": "By hand", "none": None, "other": BASIC}
    assert found == {f"https://api.test/{name}": sent for name, sent in wanted.items()}
    flows = {"https://api.test": httpx.BasicAuth("user", "pass")}
    assert await fields(flows, *urls) == found


async def test_credentials_are_sent_to_their_origin_only() -> None:
    auth = {
        "https://api.test": "Bearer api",
        "https://*.shop.test": "Bearer shop",
        "http://api.test:8080/": "Bearer 8080",
    }
    found = await fields(
        auth,
        "https://api.test/", "http://api.test/", "https://api.test:8443/", "https://www.api.test/", "http://api.test:8080/",
        "https://a.shop.test/", "https://a.b.shop.test/", "https://shop.test/", "https://eshop.test/", "http://a.shop.test/",
    )  # fmt: skip
    assert {url: sent for url, sent in found.items() if sent} == {
        "https://api.test/": "Bearer api",
        "http://api.test:8080/": "Bearer 8080",
        "https://a.shop.test/": "Bearer shop",
        "https://a.b.shop.test/": "Bearer shop",
    }


@pytest.mark.parametrize(
    "kind", [("user", "pass"), "Bearer a", httpx.BasicAuth("user", "pass")], ids=["basic", "text", "httpx"]
)
async def test_a_redirect_takes_no_credentials_to_another_origin(kind: Any) -> None:
    away = Page(status=302, headers={"Location": "https://other.test/"})
    back = Page(status=302, headers={"Location": "https://api.test/end"})
    pages = {"https://api.test/": away, "https://other.test/": back, "https://api.test/end": "x"}
    sent = await fields({"https://api.test": kind}, "https://api.test/", pages=pages)
    assert [value is not None for value in sent.values()] == [True, False, True]
    if not isinstance(kind, httpx.Auth):
        own = await fields({}, Request("https://api.test/", auth=kind), pages=pages)
        assert [value is not None for value in own.values()] == [True, False, False]


async def test_credentials_are_sent_for_robots_txt_too() -> None:
    site = FakeSite({"/robots.txt": "", "/": "x"}, host="https://api.test")
    await collect(
        given({"https://api.test": "Bearer a"}, "https://api.test/"), site, settings=FREE | Settings(obey_robots=True)
    )
    assert [field(visit) for visit in site.log] == ["Bearer a", "Bearer a"]


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ({"api.test": "Bearer a"}, "Spider.auth: 'api.test' is not an origin: write https://api.example"),
        ({"*": "Bearer a"}, r"Spider.auth: '\*' is not an origin"),
        ({"https://*": "Bearer a"}, r"Spider.auth: 'https://\*' is not an origin"),
        ({"https://a.*.test": "Bearer a"}, "Spider.auth: .* is not an origin"),
        ({"https://api.test/v1": "Bearer a"}, "Spider.auth: .* is not an origin"),
        ({"https://me:secret@api.test": "Bearer a"}, "Spider.auth: user and password belong in the value"),
        ({5: "Bearer a"}, "Spider.auth: 5 is not an origin"),
        ({"https://api.test": "secret"}, r"Spider.auth\['https://api.test'\]: auth: a string must be a scheme"),
        ({"https://api.test": ("secret",)}, r"Spider.auth\['https://api.test'\]: auth must be a user and a password"),
        (
            {"https://api.test": ("a", "secret\n")},
            r"Spider.auth\['https://api.test'\]: auth: the user must have no colon",
        ),
        (["https://api.test"], "Spider.auth must be a mapping of origins to credentials, not list"),
    ],
    ids=str,
)
async def test_invalid_auth_is_one_clear_line_and_starts_nothing(auth: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        await crawl(given(auth, "https://api.test/"))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plain_origin_takes_precedence_over_a_pattern_and_default_ports_are_ignored() -> None:
    credentials = OriginAuth({"https://*.api.test": "Bearer all", "https://One.API.test:443/": "Bearer one"})
    assert credentials.for_url("https://one.api.test/a") == "Bearer one"
    assert credentials.for_url("https://two.api.test/a") == "Bearer all"


async def test_credentials_are_not_stored_in_the_job(tmp_path: Any) -> None:
    site = FakeSite({"/": "x"}, host="https://api.test")
    spider = given({"https://api.test": ("user", "secret-password")}, "https://api.test/")
    await crawl(spider, settings=FREE, job=tmp_path / "job", transport=site.transport)
    assert field(site.log[0]) is not None
    assert not any(b"secret-password" in path.read_bytes() for path in (tmp_path / "job").rglob("*") if path.is_file())


# ---- flows -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_digest_against_a_server(serve: Serve, transport: CurlTransport, algorithm: str) -> None:
    digest = Digest(algorithm=algorithm)
    server = await serve(digest)
    pages = [f"{server.url}{number}?a=b" for number in range(4)]
    spider = given({server.url: httpx.DigestAuth("Mufasa", "Circle of Life")}, *pages)
    found = await collect(spider, transport, settings=FREE | Settings(workers=1))
    assert [item["status"] for item in found.items] == [200] * 4
    assert [item["asked"] for item in found.items] == pages
    assert digest.log == ["challenged"] + ["let in"] * 4, "one challenge; later requests are authorized preemptively"
    assert (found.report.requests, found.report.retries, found.report.pages) == (5, 0, 4)


async def test_digest_begins_with_robots_txt(serve: Serve, transport: CurlTransport) -> None:
    digest = Digest()
    server = await serve(digest)
    spider = given({server.url: httpx.DigestAuth("Mufasa", "Circle of Life")}, server.url)
    found = await collect(spider, transport, settings=FREE | Settings(obey_robots=True))
    assert [head.split()[1] for head in server.heads] == [b"/robots.txt", b"/robots.txt", b"/"]
    assert digest.log == ["challenged", "let in", "let in"]
    assert found.report.requests == 3


async def test_an_expired_nonce_is_replaced(serve: Serve, transport: CurlTransport) -> None:
    digest = Digest(uses=2)
    server = await serve(digest)
    spider = given({server.url: httpx.DigestAuth("Mufasa", "Circle of Life")}, *(f"{server.url}{n}" for n in range(5)))
    found = await collect(spider, transport, settings=FREE | Settings(workers=1))
    assert found.report.pages == 5
    assert digest.log.count("let in") == 5
    assert digest.log.count("stale") == 2


async def test_a_wrong_password_is_a_status(serve: Serve, transport: CurlTransport) -> None:
    digest = Digest()
    server = await serve(digest)
    found = await collect(
        given({server.url: httpx.DigestAuth("Mufasa", "wrong")}, server.url), transport, settings=FREE
    )
    assert found.items == [{"url": server.url, "failed": "status 401"}]
    assert digest.log == ["challenged", "challenged"]
    assert found.report.statuses == {401: 1}


async def test_digest_is_found_among_several_challenges(autojump_clock: MockClock) -> None:
    class Served(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.headers.get("authorization", "").startswith('Digest username="a", realm="r", nonce="n"'):
                return httpx.Response(200, content=b"x")
            challenges = ['Basic realm="r"', 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256']
            return httpx.Response(401, headers=[("WWW-Authenticate", challenge) for challenge in challenges])

    spider = given({"https://api.test": httpx.DigestAuth("a", "b")}, "https://api.test/")
    assert (await collect(spider, Served(), settings=FREE)).report.pages == 1


class Token(httpx.Auth):
    """Fetches a token after a 401."""

    requires_response_body = True

    def __init__(self, where: str) -> None:
        self.where = where
        self.token = ""

    def auth_flow(self, request: httpx.Request) -> Iterator[Any]:  # type: ignore[override]
        request.headers["Authorization"] = f"Bearer {self.token}"
        response = yield request
        if response.status_code == 401:
            answer = yield httpx.Request("POST", self.where, files={"grant": b"me"})
            self.token = answer.json()["token"]
            request.headers["Authorization"] = f"Bearer {self.token}"
            yield request


async def test_a_flow_may_fetch_a_token_from_another_origin(autojump_clock: MockClock) -> None:
    class Served(httpx.AsyncBaseTransport):
        log: list[httpx.Request] = []

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.log.append(request)
            if request.url.host == "login.test":
                assert b"\r\n\r\nme\r\n--" in request.content
                assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
                return httpx.Response(200, json={"token": "t0"})
            if request.headers.get("authorization") == "Bearer t0":
                return httpx.Response(200, content=b"inside")
            return httpx.Response(401, headers={"Set-Cookie": "seen=1"}, content=b"out")

    served = Served()
    request = Request("https://api.test/a", cookies={"by": "hand"}, headers={"X-A": "b"})
    spider = given({"https://api.test": Token("https://login.test/token")}, request, "https://api.test/b")
    found = await collect(spider, served, settings=FREE | Settings(workers=1))
    assert [item["status"] for item in found.items] == [200, 200]
    shown = [
        (one.method, str(one.url), one.headers.get("authorization"), one.headers.get("cookie"), one.headers.get("x-a"))
        for one in served.log
    ]
    assert shown == [
        ("GET", "https://api.test/a", "Bearer ", "by=hand", "b"),
        ("POST", "https://login.test/token", None, None, None),
        ("GET", "https://api.test/a", "Bearer t0", "seen=1; by=hand", "b"),
        ("GET", "https://api.test/b", "Bearer t0", "seen=1", None),
    ]
    assert [one.headers["user-agent"] for one in served.log] == [Settings().user_agent] * 4


async def test_each_exchange_of_a_flow_keeps_the_pace_of_the_lane(autojump_clock: MockClock) -> None:
    class Served(httpx.AsyncBaseTransport):
        at: list[float] = []

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.at.append(trio.current_time())
            known = request.headers.get("authorization", "").startswith("Basic")
            return httpx.Response(200 if known else 401, headers={"WWW-Authenticate": "Basic"}, content=b"x")

    class OnDemand(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Iterator[Any]:  # type: ignore[override]
            response = yield request
            if response.status_code == 401:
                request.headers["Authorization"] = BASIC
                yield request

    served = Served()
    pages = [f"https://api.test/{number}" for number in range(4)]
    seen: list[Any] = []

    class Watch(Plugin):
        name = "watch"

        def measure(self, usage: Any) -> None:
            seen.append(usage.response.status if usage.response else None)

    found = await collect(
        given({"https://api.test": OnDemand()}, *pages), served, settings=FREE | Settings(delay=10.0), plugins=[Watch()]
    )
    assert found.report.pages == 4
    assert [later - earlier for earlier, later in itertools.pairwise(served.at)] == pytest.approx([10.0] * 7)
    assert found.report.lanes["https://api.test"]["requests"] == found.report.requests == 8
    assert sorted(seen) == [200] * 4 + [401] * 4


async def test_an_inline_fetch_sends_credentials_too(autojump_clock: MockClock) -> None:
    site = FakeSite({"/": "x", "/more": "y"}, host="https://api.test")

    class Inside(Asks):
        async def parse(self, response: Response) -> AsyncIterator[Any]:  # type: ignore[override]
            more = await self.crawl.fetch(Request("https://api.test/more"))
            yield {"more": more.text}

    spider = Inside(urls=["https://api.test/"])
    spider.auth = {"https://api.test": httpx.BasicAuth("user", "pass")}
    found = await collect(spider, site, settings=FREE)
    assert found.items == [{"more": "y"}]
    assert [field(visit) for visit in site.log] == [BASIC, BASIC]


async def test_a_flow_that_raises_fails_only_its_request(autojump_clock: MockClock) -> None:
    class Broken(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Iterator[Any]:  # type: ignore[override]
            if request.url.path == "/bad":
                raise KeyError("token")
            yield request

    site = FakeSite({"/good": "x", "/bad": "x"}, host="https://api.test")
    found = await collect(
        given({"https://api.test": Broken()}, "https://api.test/bad", "https://api.test/good"), site, settings=FREE
    )
    assert found.report.failures == {"fetch_error": 1}
    assert [item.get("failed", item.get("status")) for item in found.items] == ["'token'", 200]
    malformed = FakeSite(
        {"/": Page(status=401, headers={"WWW-Authenticate": "Digest nonsense"})}, host="https://api.test"
    )
    found = await collect(
        given({"https://api.test": httpx.DigestAuth("a", "b")}, "https://api.test/"), malformed, settings=FREE
    )
    assert found.report.failed == 1


async def test_a_plugin_sees_one_response_of_a_flow(autojump_clock: MockClock) -> None:
    seen: list[int] = []

    class Around(Plugin):
        name = "around"

        async def fetch(self, request: Request, send: Any) -> Any:
            answer = await send(request)
            seen.append(answer.status)
            assert answer.request is request
            return answer

    class Served(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if "authorization" in request.headers:
                return httpx.Response(200, content=b"x")
            return httpx.Response(401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})

    spider = given({"https://api.test": httpx.DigestAuth("a", "b")}, "https://api.test/")
    await collect(spider, Served(), settings=FREE, plugins=[Around()])
    assert seen == [200]


async def test_challenged_pages_do_not_deadlock(serve: Serve, transport: CurlTransport) -> None:
    digest = Digest(uses=1)
    server = await serve(digest)
    pages = [f"{server.url}{number}" for number in range(12)]
    spider = given({server.url: PerPage("Mufasa", "Circle of Life")}, *pages)
    with trio.fail_after(20):
        found = await collect(spider, transport, settings=FREE | Settings(workers=6, per_host=2))
    assert found.report.pages == 12
    assert digest.log.count("let in") == 12


class PerPage(httpx.Auth):
    """Digest authentication that forgets each challenge."""

    def __init__(self, user: str, password: str) -> None:
        self.who = user, password

    def auth_flow(self, request: httpx.Request) -> Iterator[Any]:  # type: ignore[override]
        yield from httpx.DigestAuth(*self.who).auth_flow(request)  # type: ignore[arg-type]
