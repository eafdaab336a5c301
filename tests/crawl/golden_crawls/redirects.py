"""Golden crawls: redirects and refreshes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from support.trees import Follow

from crawler import (
    Request,
    Settings,
)
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

from crawl.golden_crawls.registry import SITE, Asks, golden, links, to


@golden
async def redirect_chain(trace: Trace) -> None:
    pages = {
        "/": to("/b", 301),
        "/b": to("https://other.test/c", 302),
        "https://other.test/c": to("/d", 307),
        "https://other.test/d": Page(links("/e"), delay=0.5),
        "https://other.test/e": "x",
        "/post": to("/posted", 303),
        "/posted": Page("x", delay=0.2),
    }
    secret = Request(f"{SITE}/", headers={"X-Api-Key": "k", "X-Kept": "1"}, cookies={"c": "1"}, auth=("u", "p"))
    spider = Asks(secret, Request(f"{SITE}/post", method="POST", body="x=1"))
    await trace.crawl(spider, FakeSite(pages), settings=Settings(delay=1.0))


@golden
async def redirects_that_lead_nowhere(trace: Trace) -> None:
    pages = {"/loop": to("/back"), "/back": to("/loop"), "/bad": to("javascript:x"), "/empty": Page(status=302)}
    pages |= {f"/{n}": to(f"/{n + 1}") for n in range(9)}
    spider = Asks("/loop", "/0", "/bad", "/empty")
    await trace.crawl(spider, FakeSite(pages), settings=Settings(max_redirects=3, delay=1.0))


@golden
async def redirect_to_itself_that_sets_a_cookie(trace: Trace) -> None:
    def door(request: httpx.Request) -> Page:
        inside = "seen=1" in request.headers.get("cookie", "")
        return Page("inside") if inside else to("/", **{"Set-Cookie": "seen=1; Path=/"})

    await trace.crawl(Follow(), FakeSite({"/": door}))


@golden
async def redirects_to_known_and_refused_targets(trace: Trace) -> None:
    class Inside(Asks):
        allowed_domains = ["site.test"]

    pages = {"/new": "x", "/old": to("/new"), "/older": to("/new"), "/out": to("https://other.test/")}
    await trace.crawl(Inside("/new", "/old", "/older", "/out"), FakeSite(pages), settings=Settings(delay=1.0))


@golden
async def refreshes(trace: Trace) -> None:
    pages = {
        "/": "<meta http-equiv=refresh content='3; url=/new'>",
        "/new": Page("x", headers={"Refresh": "0;url=/last"}),
        "/last": "<meta http-equiv=refresh content='60; url=/never'>",
    }
    await trace.crawl(Asks("/"), FakeSite(pages), settings=Settings(follow_refresh=5.0))
