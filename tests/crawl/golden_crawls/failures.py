"""Golden crawls: failures, retries and errbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from crawler import (
    Failure,
    Refused,
    Request,
    Response,
    Retry,
    Settings,
)
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

from crawl.golden_crawls.registry import SITE, Asks, Meter, closed_connection, golden, to


@golden
async def server_errors_heal_or_fail(trace: Trace) -> None:
    bad = Page(status=500, delay=0.1)
    pages = {"/heals": [bad, bad, Page("x", delay=0.1)], "/never": bad, "/once": bad, "/gone": Page(status=410)}
    spider = Asks("/heals", "/never", Request(f"{SITE}/once", attempts=1), "/gone", "/missing")
    settings = Settings(per_host=1, backoff_base=4.0)
    await trace.crawl(spider, FakeSite(pages), settings=settings, plugins=[Meter(trace)])


@golden
async def connections_that_fail(trace: Trace) -> None:
    pages: dict[str, Any] = {
        "https://down.test/": httpx.ConnectError("refused"),
        "https://reset.test/": [httpx.ReadError("reset"), "x"],
        "https://post.test/": httpx.ReadError("reset"),
        "https://slow.test/": [Page("x", delay=100.0), Page("x", delay=1.0)],
        "https://large.test/": "x" * 1001,
        "https://odd.test/": RuntimeError("odd"),
    }
    requests = [Request(url, method="POST" if "post" in url else "GET") for url in pages]
    settings = Settings(
        request_deadline=30.0, max_body=1000, outage_patience=0.0
    )  # else it depends on which fails first
    await trace.crawl(Asks(*requests), FakeSite(pages), settings=settings, plugins=[Meter(trace)])


@golden
async def connections_that_were_closed_and_networks_that_are_refused(trace: Trace) -> None:
    refused = Refused("10.0.0.1 is a private address", by="network")
    pages: dict[str, Any] = {
        "https://closed.test/": [closed_connection(), closed_connection(), Page("x", delay=0.1)],
        "https://post.test/": closed_connection(),
        "https://private.test/": refused,
        "/": to("https://private.test/redirected"),
        "https://private.test/redirected": refused,
    }
    spider = Asks("https://closed.test/", Request("https://post.test/", method="POST"), "https://private.test/", "/")
    await trace.crawl(spider, FakeSite(pages), plugins=[Meter(trace)])


@golden
async def callbacks_and_errbacks_that_raise(trace: Trace) -> None:
    class Raises(Asks):
        def parse(self, response: Response) -> Any:
            self.state["seen"] = True
            self.crawl.count("never")
            yield {"url": response.url}
            yield Request(f"{SITE}/never")
            raise ZeroDivisionError("half way")

        def missed(self, failure: Failure) -> Any:
            raise KeyError(failure.reason)

    site = FakeSite({"/": "x"})
    await trace.crawl(Raises("/", "/gone"), site, settings=Settings(delay=1.0), plugins=[Meter(trace)])


@golden
async def pages_that_are_put_off_or_retried(trace: Trace) -> None:
    class Later(Asks):
        def parse(self, response: Response) -> Any:
            yield {"url": response.url, "attempt": response.attempt}
            if response.attempt < 3:
                yield response.defer(60) if response.url.endswith("defer") else Retry("not yet", after=7.0)

    await trace.crawl(Later("/defer", "/retry"), FakeSite(dict.fromkeys(("/defer", "/retry"), Page("x", delay=0.1))))


@golden
async def statuses_that_are_accepted(trace: Trace) -> None:
    class Accepts(Asks):
        accept_status = [404]

    own = Request(f"{SITE}/503", accept_status=[503])
    moved = Request(f"{SITE}/302", accept_status=[302])
    pages = {"/404": Page("a", 404), "/410": Page("b", 410), "/503": Page("c", 503), "/302": to("/404")}
    await trace.crawl(Accepts("/404", "/410", own, moved), FakeSite(pages), settings=Settings(delay=1.0))
