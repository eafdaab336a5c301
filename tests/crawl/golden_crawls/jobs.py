"""Golden crawls: jobs that are stopped and continued."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import trio
from support.trees import FREE, Follow

from crawler import (
    Request,
    Response,
    Settings,
    Spider,
)
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

from crawl.golden_crawls.refusals import window
from crawl.golden_crawls.registry import OBEY, ONE, SITE, Asks, Meter, golden, links, numbered


@golden
async def job_that_is_stopped_and_continued(trace: Trace) -> None:
    class Kept(Follow):
        name = "kept"

        def parse(self, response: Response) -> Any:
            self.state["pages"] = [*self.state.get("pages", ()), response.url]
            self.crawl.count("pages")
            yield {"url": response.url, "n": len(self.state["pages"])}
            yield from response.follow_all()

    bad = Page(status=500, delay=0.1)
    home = Page(links("/a", "/b", "/c"), headers={"Set-Cookie": "a=1", "Content-Type": "text/html"})
    site = FakeSite({"/": home, "/a": links("/d"), "/b": bad, "/c": "x", "/d": "x"})
    with tempfile.TemporaryDirectory() as folder:
        for most in (2, None):
            settings = ONE | Settings(max_pages=most, delay=3.0, backoff_base=20.0)
            await trace.crawl(Kept(), site, settings=settings, job=f"{folder}/job")


@golden
async def job_that_is_stopped_while_it_is_refused(trace: Trace) -> None:
    class Patient(Asks):
        name = "patient"

    refused = Page(status=429, headers={"Retry-After": "300"}, delay=0.1)
    pages = {"/0": Page("x", delay=0.1), "/1": [refused, "x"], "/2": "x", "https://api.test/0": window(2, 100)}
    keyed = [Request("https://api.test/0", quotas={"key:A": 1}, dont_filter=True) for _ in range(3)]
    site = FakeSite(pages | {"/robots.txt": "User-agent: *\nDisallow: /2"})
    with tempfile.TemporaryDirectory() as folder:
        for seconds in (50.0, None):
            settings = OBEY | Settings(max_seconds=seconds, per_host=1)
            spider = Patient("/0", "/1", "/2", *keyed)
            await trace.crawl(spider, site, settings=settings, job=f"{folder}/job", plugins=[Meter(trace)])
            await trio.sleep(100.0)


@golden
async def job_whose_page_was_cancelled(trace: Trace) -> None:
    class Hangs(Spider):
        name = "hangs"
        start_urls = [f"{SITE}/0", f"{SITE}/1"]
        settings = FREE | ONE

        async def parse(self, response: Response) -> Any:
            if trio.current_time() < 100:
                self.crawl.count("begun")
                await trio.sleep_forever()
            return {"url": response.url}

    with tempfile.TemporaryDirectory() as folder:
        for seconds in (5.0, None):
            settings = Settings(max_seconds=seconds, grace=2.0)
            await trace.crawl(Hangs(), FakeSite(numbered(2)), settings=settings, job=f"{folder}/job")
            await trio.sleep(200.0)
