"""Golden crawls: cookies, credentials, header fields and proxies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import trio

from crawler import (
    Request,
    Settings,
)
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

from crawl.golden_crawls.registry import OBEY, ONE, SITE, Asks, Inline, Meter, golden, to


@golden
async def cookies_of_sessions(trace: Trace) -> None:
    def door(request: httpx.Request) -> Page:
        return to("/home", 303, **{"Set-Cookie": f"user={request.url.params['user']}; Path=/; Max-Age=3600"})

    asked = [Request(f"{SITE}/door?user={name}", session=name) for name in ("ada", "bob")]
    last = Request(f"{SITE}/last", session="ada", cookies={"own": "1"}, priority=-1)
    site = FakeSite({"/door": door, "/home": Page("x", delay=0.1), "/last": "x"})
    await trace.crawl(Asks(*asked, last), site, settings=Settings(delay=1.0))


class Token(httpx.Auth):
    """Fetches a token after a 401."""

    token = ""

    def auth_flow(self, request: httpx.Request) -> Iterator[Any]:  # type: ignore[override]
        request.headers["Authorization"] = f"Bearer {self.token}"
        response = yield request
        if response.status_code == 401:
            yield httpx.Request("POST", "https://login.test/token")
            self.token = "t0"
            request.headers["Authorization"] = f"Bearer {self.token}"
            yield request


@golden
async def credentials_of_origins(trace: Trace) -> None:
    def inside(request: httpx.Request) -> Page:
        return Page("x", 200 if request.headers.get("authorization") == "Bearer t0" else 401, delay=0.1)

    pages = {"https://flow.test/a": inside, "https://flow.test/b": inside, "https://login.test/token": "t0"}
    pages |= {"https://basic.test/": to("https://site.test/"), "/": "x"}
    spider = Asks("https://flow.test/a", "https://flow.test/b", "https://basic.test/")
    spider.auth = {"https://flow.test": Token(), "https://basic.test": ("user", "pass")}
    await trace.crawl(spider, FakeSite(pages), settings=ONE | Settings(delay=2.0), plugins=[Meter(trace)])


@golden
async def credentials_for_robots_and_inline_fetches(trace: Trace) -> None:
    def inside(request: httpx.Request) -> Page:
        return Page("data", 200 if request.headers.get("authorization") == "Bearer t0" else 401, delay=0.1)

    pages = {
        "/": "x",
        "https://flow.test/robots.txt": "",
        "https://flow.test/a": inside,
        "https://login.test/token": "",
    }
    spider = Inline("https://flow.test/a", "https://flow.test/a")
    spider.auth = {"https://flow.test": Token()}
    settings = OBEY | Settings(inline_wait=30.0, delay=2.0)
    await trace.crawl(spider, FakeSite(pages), settings=settings, plugins=[Meter(trace)])


@golden
async def fields_of_settings_and_requests(trace: Trace) -> None:
    settings = Settings(headers={"X-A": "settings", "X-B": "settings"}, user_agent="me/1", delay=1.0)
    own = Request(f"{SITE}/own", headers={"x-a": "request", "X-B": None, "X-C": "c"})
    await trace.crawl(Asks("/", own), FakeSite({"/": "x", "/own": "x"}), settings=settings)


@golden
async def proxies_in_turn(trace: Trace) -> None:
    class Proxied(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            proxy = str(request.extensions.get("proxy", "direct"))
            trace.note(f"{request.url} by {proxy}")
            await trio.sleep(0.1)
            if "bad" in proxy:
                raise httpx.ProxyError("down", request=request)
            return httpx.Response(200, content=b"x")

    settings = ONE | Settings(proxies=["http://good:1", "http://bad:1"], proxy_env=False)
    await trace.crawl(Asks(*(f"http://site.test/{n}" for n in range(4))), Proxied(), settings=settings)
