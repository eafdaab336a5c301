"""Golden crawls: inline fetches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import trio

from crawler import (
    Pace,
    Refused,
    Request,
    Response,
    Settings,
    WouldExceedDeadline,
)
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

from crawl.golden_crawls.hooks import Meddler
from crawl.golden_crawls.refusals import window
from crawl.golden_crawls.registry import OBEY, SITE, Inline, Meter, closed_connection, golden, to


@golden
async def inline_fetches(trace: Trace) -> None:
    pages = {"/": "x", "/api": Page("data", delay=0.3), "/moved": to("https://other.test/gone"), "/loop": to("/loop")}
    spider = Inline(*(f"{SITE}/{path}" for path in ("api", "api", "moved", "loop")))
    await trace.crawl(spider, FakeSite(pages), settings=Settings(max_redirects=2), plugins=[Meter(trace)])


@golden
async def inline_fetches_that_fail_and_heal(trace: Trace) -> None:
    bad = Page(status=500, delay=0.1)
    pages = {"/": "x", "/heals": [bad, bad, "x"], "/never": bad, "/refused": [Page(status=429), "x"]}
    site = FakeSite(pages | {"https://down.test/": httpx.ConnectError("no")})
    spider = Inline(f"{SITE}/heals", f"{SITE}/never", f"{SITE}/refused", "https://down.test/")
    await trace.crawl(spider, site, settings=Settings(inline_wait=60.0), plugins=[Meter(trace)])


@golden
async def inline_fetches_behind_hooks(trace: Trace) -> None:
    site = FakeSite({"/": "x", "/retried": Page("x", delay=0.1), "/closed": [closed_connection(), "x"]})
    site.pages["https://private.test/"] = Refused("10.0.0.1 is a private address", by="network")
    spider = Inline(*(f"{SITE}/{path}" for path in ("cached", "dropped", "retried", "closed")), "https://private.test/")
    await trace.crawl(spider, site, plugins=[Meddler(trace), Meter(trace)])


@golden
async def inline_fetch_that_fails_its_page(trace: Trace) -> None:
    class Fails(Inline):
        async def parse(self, response: Response) -> Any:
            await self.crawl.fetch(Request("https://down.test/"))

    site = FakeSite({"/": "x", "https://down.test/": httpx.ConnectError("no")})
    await trace.crawl(Fails(), site, plugins=[Meter(trace)])


@golden
async def inline_fetch_that_puts_its_page_off(trace: Trace) -> None:
    site = FakeSite({"/": Page("x", delay=0.1), "https://slow.test/a": "a", "https://slow.test/b": "b"})
    settings = Settings(attempts=1, inline_wait=5.0, pacing={"slow.test": Pace(delay=60.0)})

    class Counts(Inline):
        async def parse(self, response: Response) -> Any:
            self.crawl.count("tries")
            return await super().parse(response)

    await trace.crawl(Counts("https://slow.test/a", "https://slow.test/b"), site, settings=settings)


@golden
async def inline_fetch_under_a_deadline_and_on_its_own_lane(trace: Trace) -> None:
    class Deadline(Inline):
        async def fetched(self, request: Request) -> Any:
            try:
                with trio.fail_after(3):
                    return await super().fetched(request)
            except WouldExceedDeadline as error:
                trace.note(f"{error.reason} of {error.scope}")
            return await super().fetched(request)

    site = FakeSite({"/": Page("x", delay=0.1), "/api": Page("x", delay=0.1)})
    await trace.crawl(Deadline(f"{SITE}/api"), site, settings=Settings(delay=4.0, per_host=1))


@golden
async def inline_fetches_under_robots_and_budgets(trace: Trace) -> None:
    pages = {"/": "x", "/api": window(2, 10), "https://closed.test/robots.txt": "User-agent: *\nDisallow: /"}
    asked = [Request(f"{SITE}/api", quotas={"key:A": 1}) for _ in range(4)]
    spider = Inline("https://closed.test/", *asked)
    await trace.crawl(spider, FakeSite(pages), settings=OBEY | Settings(inline_wait=30.0))
