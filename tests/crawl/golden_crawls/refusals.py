"""Golden crawls: refusals, quotas, budgets and the pace of the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import trio

from crawler import (
    Pace,
    Request,
    Settings,
)
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

from crawl.golden_crawls.registry import ONE, Asks, Meter, golden, numbered


@golden
async def refused_with_429_and_retry_after(trace: Trace) -> None:
    refused = Page(status=429, headers={"Retry-After": "30"}, delay=0.1)
    pages = numbered(3) | {"/0": [refused, refused, Page("x", delay=0.1)], "https://other.test/": Page("x", delay=0.3)}
    spider = Asks("/0", "/1", "/2", "https://other.test/")
    await trace.crawl(spider, FakeSite(pages), settings=Settings(per_host=1), plugins=[Meter(trace)])


@golden
async def refused_with_429_by_a_document(trace: Trace) -> None:
    told = Page({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 40_000}, status=429)
    await trace.crawl(Asks("/0", attempts=1), FakeSite({"/0": [told, "x"]}))


@golden
async def refused_with_429_without_a_word(trace: Trace) -> None:
    """The server allows four requests a minute but does not declare it; the crawl has to learn it."""
    opened, used = -100.0, 0

    def page(request: httpx.Request) -> Page:
        nonlocal opened, used
        now = trio.current_time()
        if now >= opened + 60.0:
            opened, used = now, 0
        used += 1
        return Page("x" if used <= 4 else "", 200 if used <= 4 else 429, delay=0.1)

    spider = Asks(*(f"/{n}" for n in range(12)))
    site = FakeSite({f"/{n}": page for n in range(12)})
    await trace.crawl(spider, site, settings=Settings(per_host=1), plugins=[Meter(trace)])


@golden
async def unavailable_without_a_word(trace: Trace) -> None:
    busy = Page(status=503, delay=0.1)
    pages = numbered(3) | {"/0": [busy, Page("x", delay=0.1)], "https://never.test/": busy}
    spider = Asks("/0", "/1", "/2", "https://never.test/")
    await trace.crawl(spider, FakeSite(pages), settings=Settings(per_host=1), plugins=[Meter(trace)])


@golden
async def one_broken_page_among_good_ones(trace: Trace) -> None:
    pages = numbered(20) | {"/15": [Page(status=503, delay=0.1), Page("x", delay=0.1)]}
    spider = Asks(*(f"/{n}" for n in range(20)))
    await trace.crawl(spider, FakeSite(pages), settings=Settings(per_host=1))


@golden
async def host_that_refuses_everything(trace: Trace) -> None:
    spider = Asks(*(f"/{n}" for n in range(5)))
    site = FakeSite({f"/{n}": Page(status=429, delay=0.1) for n in range(5)})
    await trace.crawl(spider, site, settings=Settings(per_host=1))


def window(limit: int, seconds: float, delay: float = 0.1) -> Callable[[httpx.Request], Page]:
    """Return a page with a quota per fixed window, which its responses declare."""
    opened, used = -seconds, 0

    def page(request: httpx.Request) -> Page:
        nonlocal opened, used
        now = trio.current_time()
        if now >= opened + seconds:
            opened, used = now, 0
        used += 1
        left, reset = max(0, limit - used), f"{opened + seconds - now:.0f}"
        says = {"RateLimit-Limit": str(limit), "RateLimit-Remaining": str(left), "RateLimit-Reset": reset}
        says["RateLimit-Policy"] = f"{limit};w={seconds:.0f}"
        return Page("x", 200 if used <= limit else 429, headers=says, delay=delay)

    return page


@golden
async def declared_quota(trace: Trace) -> None:
    site = FakeSite(dict.fromkeys((f"/{n}" for n in range(14)), window(5, 20)))
    spider = Asks(*(f"/{n}" for n in range(14)))
    await trace.crawl(spider, site, settings=Settings(per_host=1), plugins=[Meter(trace)])


@golden
async def budget_that_lanes_share(trace: Trace) -> None:
    hosts = ("https://a.test", "https://b.test")
    requests = [Request(f"{host}/{n}", quotas={"key:A": 1}, priority=-n) for n in range(5) for host in hosts]
    page = window(6, 30)
    site = FakeSite({request.url: page for request in requests})
    await trace.crawl(Asks(*requests), site, settings=ONE | Settings(per_host=1), plugins=[Meter(trace)])


@golden
async def budgets_with_a_pace_and_costs(trace: Trace) -> None:
    requests = [Request(f"https://h{n % 2}.test/{n}", quotas={"points": 1 + n % 3}, priority=-n) for n in range(8)]
    site = FakeSite({request.url: Page("x", delay=0.1) for request in requests})
    settings = ONE | Settings(pacing={"points": Pace(rate="60/min")})
    await trace.crawl(Asks(*requests), site, settings=settings)


@golden
async def budget_that_is_refused(trace: Trace) -> None:
    refused = Page(status=429, headers={"Retry-After": "20"}, delay=0.1)
    pages = {"https://a.test/0": [refused, Page("x", delay=0.1)], "https://b.test/1": Page("x", delay=0.1)}
    requests = [Request(url, quotas={"key:A": 1}, priority=-n) for n, url in enumerate(pages)]
    free = Request("https://a.test/free", priority=-5)
    site = FakeSite(pages | {free.url: Page("x", delay=0.1)})
    await trace.crawl(Asks(*requests, free), site, settings=ONE, plugins=[Meter(trace)])


@golden
async def delays_and_rates(trace: Trace) -> None:
    pacing = {
        "slow.test": Pace(delay=3.0, jitter=0.5),
        "rated.test": Pace(rate="30/min"),
        "other*": Pace(concurrency=1),
    }
    hosts = ("https://slow.test", "https://rated.test", "https://other.test")
    pages: dict[str, Any] = {}
    for number, host in enumerate(hosts):
        pages |= numbered(4, host, delay=0.5 + 0.11 * number, apart=0.013)
    await trace.crawl(Asks(*pages), FakeSite(pages), settings=Settings(pacing=pacing))


@golden
async def statuses_and_bodies_that_a_pace_calls_refusals(trace: Trace) -> None:
    throttled = Page({"errors": [{"extensions": {"code": "THROTTLED"}}]})
    pages = {"/0": [throttled, Page({"data": 1})], "https://strict.test/": [Page("x", 400), "x"]}
    pacing = {"site.test": Pace(bodies=True, concurrency=1), "strict.test": Pace(refusals=(400,), concurrency=1)}
    await trace.crawl(Asks("/0", "https://strict.test/"), FakeSite(pages), settings=Settings(pacing=pacing))
