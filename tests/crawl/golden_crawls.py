"""The crawls whose traces `test_golden_traces` compares; each is a function that runs a crawl with a `Trace`.

The trace of a crawl must not depend on which of two tasks runs first at the same moment, so pages that are fetched at
the same time have different delays.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import trio
from support.trees import FREE, Follow

from crawler import (
    BadStatus,
    BrokenExchange,
    ConnectFailed,
    Drop,
    Failure,
    Pace,
    Pause,
    Plugin,
    Refused,
    Request,
    Response,
    Retry,
    Settings,
    Spider,
    Stop,
    Usage,
    WouldExceedDeadline,
    stream,
)
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

CRAWLS: dict[str, Callable[[Trace], Awaitable[None]]] = {}
"""Crawls by name."""
SITE = "https://site.test"
ONE = Settings(workers=1)


def golden(run: Callable[[Trace], Awaitable[None]]) -> Callable[[Trace], Awaitable[None]]:
    """Register a crawl under the name of its function."""
    CRAWLS[run.__name__] = run
    return run


def links(*urls: str) -> str:
    return "".join(f"<a href='{url}'>x</a>" for url in urls)


def to(url: str, status: int = 302, **headers: str) -> Page:
    return Page(status=status, headers={"Location": url, **headers})


def numbered(count: int, host: str = SITE, *, delay: float = 0.1, apart: float = 0.01) -> dict[str, Any]:
    """Return numbered pages, each of which takes a little longer than the one before."""
    return {f"{host}/{number}": Page("x", delay=delay + apart * number) for number in range(count)}


class Asks(Spider):
    """Makes the given requests; yields an item for each page and each failure."""

    settings = FREE

    def __init__(self, *requests: str | Request, **fields: Any) -> None:
        super().__init__()
        self.requests = [
            Request(SITE + one if one.startswith("/") else one, **fields) if isinstance(one, str) else one
            for one in requests
        ]

    def start(self) -> Iterator[Request]:
        for request in self.requests:
            yield request.replace(errback=self.missed)

    def parse(self, response: Response) -> Any:
        return {"url": response.url, "status": response.status, "attempt": response.attempt, "text": response.text[:20]}

    def missed(self, failure: Failure) -> Any:
        by = getattr(failure.error, "by", None)
        return {"missed": failure.request.url, "reason": failure.reason, "attempts": failure.attempts, "by": by}


class Meter(Plugin):
    """Records the calls of `measure` and `failed`."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def measure(self, usage: Usage) -> None:
        scope = f" of {usage.scope}" if usage.scope else ""
        self.trace.note(f"measure {usage.event}{scope} on {usage.lane}: {usage.requests}/{usage.refusals}")

    async def failed(self, failure: Failure) -> None:
        self.trace.note(f"failed {failure.request.url} {failure.reason} after {failure.attempts}")


# ---- pages and lanes -------------------------------------------------------------------------------------------------


@golden
async def plain_pages(trace: Trace) -> None:
    pages = {"/": Page(links("/a", "/b", "/a#top", "/missing"), delay=0.2), "/a": Page(links("/", "/b"), delay=0.3)}
    await trace.crawl(Follow(), FakeSite(pages | {"/b": Page("b", delay=0.1)}), plugins=[Meter(trace)])


@golden
async def several_lanes(trace: Trace) -> None:
    hosts = [f"https://h{n}.test" for n in range(3)]
    pages: dict[str, Any] = {"/": links(*(f"{host}/{n}" for n in range(5) for host in hosts))}
    for number, host in enumerate(hosts):
        pages |= numbered(5, host, delay=1.0 + 0.37 * number, apart=0.053)
    await trace.crawl(Follow(), FakeSite(pages), settings=Settings(per_domain=2, workers=16))


@golden
async def levels_rise_in_slow_start(trace: Trace) -> None:
    spider = Asks(*(f"/{n}" for n in range(20)))
    await trace.crawl(spider, FakeSite(numbered(20, delay=0.5, apart=0.007)))


@golden
async def priorities_and_depth_first(trace: Trace) -> None:
    class Levels(Follow):
        def parse(self, response: Response) -> Any:
            yield {"url": response.url, "depth": response.depth}
            yield from response.follow_all(priority=len(response.url))

    pages = {"/": links("/a", "/bb", "/ccc"), "/bb": links("/bb/deep", "/c"), "/ccc": links("/ccc/deep/er")}
    site = FakeSite(pages | dict.fromkeys(("/a", "/c", "/bb/deep", "/ccc/deep/er"), "x"))
    await trace.crawl(Levels(), site, settings=ONE | Settings(max_depth=2, delay=1.0))


@golden
async def scope_and_traps(trace: Trace) -> None:
    class Inside(Follow):
        allowed_domains = ["site.test"]

    home = links("/in", "https://other.test/", "/a.pdf", "/no/way", "/x/x/x/x/x/x", "mailto:a@b.test")
    settings = Settings(skip_extensions=("pdf",), exclude=("/no/*",), delay=1.0)
    await trace.crawl(Inside(), FakeSite({"/": home, "/in": "x", "/x/x/x/x/x/x": "x"}), settings=settings)


@golden
async def callbacks_of_all_forms(trace: Trace) -> None:
    class Forms(Spider):
        settings = FREE | Settings(delay=1.0)

        def start(self) -> Iterator[Request]:
            for name in ("generator", "listing", "coroutine", "async_generator", "misspelt"):
                yield Request(f"{SITE}/{name}", getattr(self, name, name), cb_kwargs={"n": 3})

        def generator(self, response: Response, n: int) -> Any:
            self.state["seen"] = self.state.get("seen", 0) + n
            self.crawl.count("seen", n)
            yield {"form": "generator"}
            yield Request(f"{SITE}/nobody", "nobody")

        def listing(self, response: Response, n: int) -> Any:
            self.crawl.add(Request(f"{SITE}/added", self.coroutine, cb_kwargs={"n": n + 1}, meta={"from": "list"}))
            return [{"form": "list"}, {"form": "twice"}]

        async def coroutine(self, response: Response, n: int) -> Any:
            await trio.sleep(n)
            return {"form": "coroutine", "meta": response.meta}

        async def async_generator(self, response: Response, n: int) -> Any:
            with trio.move_on_after(0.2):
                yield {"form": "async generator"}
                await trio.sleep(n)

    names = ("generator", "listing", "coroutine", "async_generator", "misspelt", "added")
    await trace.crawl(Forms(), FakeSite(dict.fromkeys((f"/{name}" for name in names), "x")))


@golden
async def pages_in_another_encoding(trace: Trace) -> None:
    body = "<meta charset=windows-1251><title>\u0436</title><a href='/to?q=\u0436'>x</a>".encode("windows-1251")

    class Titles(Follow):
        def parse(self, response: Response) -> Any:
            yield {"title": response.css("title::text").get()}
            yield from response.follow_all()

    await trace.crawl(Titles(), FakeSite({"/": body, "/to": "x"}))


@golden
async def large_page_that_spills(trace: Trace) -> None:
    class Large(Spider):
        start_urls = [f"{SITE}/"]
        settings = FREE

        def parse(self, response: Response) -> Any:
            if response.url == f"{SITE}/":
                yield from ({"n": n} for n in range(12_000))
                yield from (Request(f"{SITE}/{n % 3}") for n in range(9_000))
                self.crawl.count("done")

    await trace.crawl(Large(), FakeSite({"/": "x"} | numbered(3)))


@golden
async def large_page_that_raises_in_the_end(trace: Trace) -> None:
    class Large(Spider):
        start_urls = [f"{SITE}/"]
        settings = FREE

        def parse(self, response: Response) -> Any:
            yield from ({"n": n} for n in range(12_000))
            yield Request(f"{SITE}/0")
            raise ZeroDivisionError

    with tempfile.TemporaryDirectory() as folder:
        await trace.crawl(Large(), FakeSite({"/": "x"} | numbered(1)), job=f"{folder}/job")


# ---- redirects and refreshes -----------------------------------------------------------------------------------------


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


# ---- robots.txt ------------------------------------------------------------------------------------------------------

OBEY = Settings(obey_robots=True)


@golden
async def robots_allows_disallows_and_delays(trace: Trace) -> None:
    robots = Page("User-agent: *\nDisallow: /2\nCrawl-delay: 5", delay=1.0)
    other = "https://other.test"
    pages = numbered(4) | {"/robots.txt": robots, f"{other}/": Page("x", delay=0.4)}
    await trace.crawl(Asks("/0", "/1", "/2", "/3", f"{other}/"), FakeSite(pages), settings=OBEY)


@golden
async def robots_that_is_missing(trace: Trace) -> None:
    await trace.crawl(Asks("/0", "/1"), FakeSite(numbered(2)), settings=OBEY)


@golden
async def robots_of_a_broken_server(trace: Trace) -> None:
    pages = numbered(2) | {"/robots.txt": Page(status=503), "https://down.test/robots.txt": httpx.ConnectError("no")}
    site = FakeSite(pages | {"https://heals.test/robots.txt": [Page(status=500), ""], "https://heals.test/": "x"})
    await trace.crawl(Asks("/0", "/1", "https://down.test/", "https://heals.test/"), site, settings=OBEY)


@golden
async def robots_that_is_refused(trace: Trace) -> None:
    refused = Page(status=429, headers={"Retry-After": "90"})
    pages = numbered(2) | {"/robots.txt": [refused, Page("User-agent: *\nDisallow: /1", delay=0.2)]}
    await trace.crawl(Asks("/0", "/1"), FakeSite(pages), settings=OBEY, plugins=[Meter(trace)])


@golden
async def robots_behind_redirects(trace: Trace) -> None:
    pages = numbered(2) | {
        "/robots.txt": to("https://www.site.test/robots.txt", 301),
        "https://www.site.test/robots.txt": to("/rules"),
        "https://www.site.test/rules": "User-agent: *\nDisallow: /1",
    }
    await trace.crawl(Asks("/0", "/1"), FakeSite(pages), settings=OBEY)


@golden
async def robots_that_is_asked_again_after_a_day(trace: Trace) -> None:
    class Daily(Spider):
        async def start(self) -> AsyncIterator[Request]:
            for number in range(3):
                yield Request(f"{SITE}/{number}")
                await trio.sleep(50_000)

        def parse(self, response: Response) -> Any:
            return {"url": response.url}

    site = FakeSite(numbered(3) | {"/robots.txt": ["", "User-agent: *\nDisallow: /"]})
    await trace.crawl(Daily(), site)


@golden
async def nofollow_and_sitemaps(trace: Trace) -> None:
    class Maps(Spider):
        start_urls = [f"{SITE}/"]
        settings = Settings(obey_nofollow=True)

        async def parse(self, response: Response) -> Any:
            maps = await self.crawl.sitemaps_of("https://other.test/x")
            return [{"maps": maps, "robots": sorted(response.robots)}, *response.follow_all()]

    head = {"Content-Type": "text/html", "X-Robots-Tag": "noarchive"}
    home = Page("<a href=/1>x</a><a href=/2 rel=nofollow>x</a>", headers=head)
    pages = {"/": home, "/1": "x", "https://other.test/robots.txt": "Sitemap: /map.xml"}
    await trace.crawl(Maps(), FakeSite(pages))


# ---- refusals, quotas and budgets ---------------------------------------------------------------------------------


@golden
async def refused_with_429_and_retry_after(trace: Trace) -> None:
    refused = Page(status=429, headers={"Retry-After": "30"}, delay=0.1)
    pages = numbered(3) | {"/0": [refused, refused, Page("x", delay=0.1)], "https://other.test/": Page("x", delay=0.3)}
    spider = Asks("/0", "/1", "/2", "https://other.test/")
    await trace.crawl(spider, FakeSite(pages), settings=Settings(per_domain=1), plugins=[Meter(trace)])


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
    await trace.crawl(spider, site, settings=Settings(per_domain=1), plugins=[Meter(trace)])


@golden
async def unavailable_without_a_word(trace: Trace) -> None:
    busy = Page(status=503, delay=0.1)
    pages = numbered(3) | {"/0": [busy, Page("x", delay=0.1)], "https://never.test/": busy}
    spider = Asks("/0", "/1", "/2", "https://never.test/")
    await trace.crawl(spider, FakeSite(pages), settings=Settings(per_domain=1), plugins=[Meter(trace)])


@golden
async def one_broken_page_among_good_ones(trace: Trace) -> None:
    pages = numbered(20) | {"/15": [Page(status=503, delay=0.1), Page("x", delay=0.1)]}
    spider = Asks(*(f"/{n}" for n in range(20)))
    await trace.crawl(spider, FakeSite(pages), settings=Settings(per_domain=1))


@golden
async def host_that_refuses_everything(trace: Trace) -> None:
    spider = Asks(*(f"/{n}" for n in range(5)))
    site = FakeSite({f"/{n}": Page(status=429, delay=0.1) for n in range(5)})
    await trace.crawl(spider, site, settings=Settings(per_domain=1))


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
    await trace.crawl(spider, site, settings=Settings(per_domain=1), plugins=[Meter(trace)])


@golden
async def budget_that_lanes_share(trace: Trace) -> None:
    hosts = ("https://a.test", "https://b.test")
    requests = [Request(f"{host}/{n}", quotas={"key:A": 1}, priority=-n) for n in range(5) for host in hosts]
    page = window(6, 30)
    site = FakeSite({request.url: page for request in requests})
    await trace.crawl(Asks(*requests), site, settings=ONE | Settings(per_domain=1), plugins=[Meter(trace)])


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


# ---- failures, retries and errbacks ----------------------------------------------------------------------------------


@golden
async def server_errors_heal_or_fail(trace: Trace) -> None:
    bad = Page(status=500, delay=0.1)
    pages = {"/heals": [bad, bad, Page("x", delay=0.1)], "/never": bad, "/once": bad, "/gone": Page(status=410)}
    spider = Asks("/heals", "/never", Request(f"{SITE}/once", attempts=1), "/gone", "/missing")
    settings = Settings(per_domain=1, backoff_base=4.0)
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


def closed_connection() -> BrokenExchange:
    """Return the error of a kept connection that turned out to be closed."""
    error = BrokenExchange("closed")
    error.kind = "stale"
    return error


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


# ---- hooks -----------------------------------------------------------------------------------------------------------


class Witness(Meter):
    """Records the calls of all nine hooks; acts on words in the URL only."""

    @asynccontextmanager
    async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
        self.trace.note("lifespan begins")
        yield
        self.trace.note(f"lifespan ends, {crawl.stats.pages} pages")

    def admit(self, request: Request) -> Request | Drop | None:
        self.trace.note(f"admit {request.url}")
        if "unwanted" in request.url:
            return Drop("unwanted")
        return request.replace(headers={"X-Admitted": "1"}) if "marked" in request.url else None

    async def answer(self, request: Request) -> Response | None:
        self.trace.note(f"answer {request.url}")
        cached = Response(request.url, body="cached", headers={"Content-Type": "text/html"})
        return cached if "cached" in request.url else None

    async def fetch(self, request: Request, send: Any) -> Any:
        self.trace.note(f"fetch {request.url}")
        if "dropped" in request.url:
            return Drop("before")
        response = await send(request)
        self.trace.note(f"fetched {response.status}")
        if "banned" in request.url and response.text == "banned":
            return Retry("banned", after=100.0)
        return Drop("useless") if response.text == "useless" else None

    def parse(self, response: Response) -> Any:
        self.trace.note(f"parse {response.url} from {response.source}")
        yield {"seen": response.url.removeprefix(SITE)}

    async def refine(self, item: Any, response: Response) -> Any:
        self.trace.note(f"refine {item}")
        return Drop("not a page") if "seen" in item and "marked" in item["seen"] else item | {"refined": True}

    async def persist(self, batch: Sequence[Any]) -> None:
        self.trace.note(f"persist {[row.item for row in batch]} of {batch[0].page}")

    async def failed(self, failure: Failure) -> Any:
        await super().failed(failure)
        return {"failed": failure.reason}


@golden
async def hooks_of_all_kinds(trace: Trace) -> None:
    paths = ("/marked", "/unwanted", "/dropped", "/banned", "/useless", "/broken", "/cached")
    pages = {"/": links(*paths), "/marked": "x", "/banned": ["banned", "x"], "/useless": "useless"}
    site = FakeSite(pages | {"/broken": Page(status=500)})
    settings = ONE | Settings(delay=1.0, attempts=2)
    await trace.crawl(Follow(), site, settings=settings, plugins=[Witness(trace)], ordered=True)


@golden
async def fetch_hooks_nest_and_raise(trace: Trace) -> None:
    class Outer(Plugin):
        async def fetch(self, request: Request, send: Any) -> Any:
            trace.note(f"{self.name} before")
            response = await send(request.replace(headers={**request.headers, f"x-{self.name}": "1"}))
            trace.note(f"{self.name} after")
            return response

    class Inner(Outer):
        async def fetch(self, request: Request, send: Any) -> Any:
            if "raises" in request.url:
                raise KeyError("x")
            return await super().fetch(request, send)

    spider = Asks("/", "/raises")
    plugins = [Outer(), Inner()]
    await trace.crawl(spider, FakeSite({"/": "x"}), settings=Settings(delay=1.0), plugins=plugins, ordered=True)


class Meddler(Plugin):
    """Responds to, drops or retries requests as their URL says."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.retried: set[str] = set()

    async def answer(self, request: Request) -> Response | None:
        self.trace.note(f"answer {request.url}")
        return Response(request.url, body="User-agent: *\nDisallow: /no") if "cached" in request.url else None

    async def fetch(self, request: Request, send: Any) -> Any:
        self.trace.note(f"fetch {request.url}")
        if "dropped" in request.url:
            return Drop("unwanted")
        if "raises" in request.url:
            raise KeyError("x")
        response = await send(request)
        if "retried" in request.url and request.url not in self.retried:
            self.retried.add(request.url)
            return Retry("once more", after=3.0)
        return response


@golden
async def robots_behind_hooks(trace: Trace) -> None:
    hosts = ("cached", "dropped", "raises", "retried")
    pages = {f"https://{host}.test/": Page("x", delay=0.1) for host in hosts}
    pages |= {f"https://{host}.test/robots.txt": Page("", delay=0.2 + 0.01 * n) for n, host in enumerate(hosts)}
    spider = Asks(*(f"https://{host}.test/" for host in hosts), "https://cached.test/no")
    await trace.crawl(spider, FakeSite(pages), settings=OBEY, plugins=[Meddler(trace), Meter(trace)])


@golden
async def measure_pauses_and_stops(trace: Trace) -> None:
    class Budget(Plugin):
        def measure(self, usage: Usage) -> Pause | Stop | None:
            if usage.requests == 2:
                return Pause(50)
            return Stop("budget spent") if usage.requests >= 4 else None

    site = FakeSite(numbered(9))
    await trace.crawl(Asks(*(f"/{n}" for n in range(9))), site, settings=ONE, plugins=[Budget()])


@golden
async def lifespan_adds_requests_and_tasks(trace: Trace) -> None:
    class Feed(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            crawl.add(Request("https://other.test/1"))
            crawl.start_soon(self.later)
            yield

        async def later(self) -> None:
            await trio.sleep(2.0)
            self.crawl.add(Request(f"{SITE}/2"))
            trace.note("added")
            await trio.sleep_forever()

    site = FakeSite(numbered(3, delay=1.5) | {"https://other.test/1": Page("x", delay=1.0)})
    await trace.crawl(Asks("/0"), site, settings=Settings(per_domain=1), plugins=[Feed()])


@golden
async def sink_that_fails_and_is_slow(trace: Trace) -> None:
    class Flaky(Plugin):
        calls = 0

        async def persist(self, batch: Sequence[Any]) -> None:
            self.calls += 1
            trace.note(f"persist call {self.calls}: {len(batch)}")
            if self.calls == 2:
                raise OSError("disk")
            await trio.sleep(3.0)

    spider = Asks(*(f"/{n}" for n in range(6)))
    settings = Settings(per_domain=1, sink_lag=2)
    await trace.crawl(spider, FakeSite(numbered(6)), settings=settings, plugins=[Flaky()])


@golden
async def crawl_that_cannot_go_on(trace: Trace) -> None:
    class Broken(Plugin):
        def measure(self, usage: Usage) -> None:
            raise ValueError("x")

    await trace.crawl(Asks("/0"), FakeSite(numbered(1)), plugins=[Broken()])


# ---- inline fetches --------------------------------------------------------------------------------------------------


class Inline(Spider):
    """Fetches the given requests inline, one after the other; yields an item for each."""

    start_urls = [f"{SITE}/"]
    settings = FREE

    def __init__(self, *targets: str | Request) -> None:
        super().__init__()
        self.targets = [Request(target) if isinstance(target, str) else target for target in targets]

    async def parse(self, response: Response) -> Any:
        return [await self.fetched(target) for target in self.targets]

    async def fetched(self, request: Request) -> Any:
        try:
            found = await self.crawl.fetch(request)
        except (ConnectFailed, BadStatus, Refused) as error:
            return {"error": error.reason, "by": getattr(error, "by", "")}
        return {"url": found.url, "status": found.status, "text": found.text[:20], "from": list(found.redirects)}


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
    await trace.crawl(Deadline(f"{SITE}/api"), site, settings=Settings(delay=4.0, per_domain=1))


@golden
async def inline_fetches_under_robots_and_budgets(trace: Trace) -> None:
    pages = {"/": "x", "/api": window(2, 10), "https://closed.test/robots.txt": "User-agent: *\nDisallow: /"}
    asked = [Request(f"{SITE}/api", quotas={"key:A": 1}) for _ in range(4)]
    spider = Inline("https://closed.test/", *asked)
    await trace.crawl(spider, FakeSite(pages), settings=OBEY | Settings(inline_wait=30.0))


# ---- cookies, credentials, header fields, proxies --------------------------------------------------------------------


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


# ---- duplicates, limits of a crawl, streams ------------------------------------------------------------------------


@golden
async def pages_with_the_same_body(trace: Trace) -> None:
    pages = {"/": links("/a", "/b", "/c"), "/a": Page("same", delay=0.1), "/b": Page("same", delay=0.2), "/c": "other"}
    await trace.crawl(Follow(), FakeSite(pages), settings=ONE | Settings(dedup_content=True))


@golden
async def pages_with_the_same_body_whose_callback_raises(trace: Trace) -> None:
    class Fragile(Follow):
        def parse(self, response: Response) -> Any:
            if response.url.endswith("/a"):
                raise ValueError("no")
            yield from super().parse(response)

    pages = {"/": links("/a", "/b", "/c"), "/a": Page("same", delay=0.1), "/b": Page("same", delay=0.2), "/c": "same"}
    await trace.crawl(Fragile(), FakeSite(pages), settings=ONE | Settings(dedup_content=True))


@golden
async def max_pages(trace: Trace) -> None:
    await trace.crawl(Asks(*(f"/{n}" for n in range(9))), FakeSite(numbered(9)), settings=ONE | Settings(max_pages=4))


@golden
async def max_items(trace: Trace) -> None:
    class Three(Asks):
        def parse(self, response: Response) -> Any:
            yield from ({"n": n} for n in range(3))

    await trace.crawl(Three(*(f"/{n}" for n in range(9))), FakeSite(numbered(9)), settings=ONE | Settings(max_items=4))


@golden
async def max_errors(trace: Trace) -> None:
    site = FakeSite({f"/{n}": Page(status=500, delay=0.1) for n in range(9)})
    settings = ONE | Settings(max_errors=2, attempts=1, delay=1.0)
    await trace.crawl(Asks(*(f"/{n}" for n in range(9))), site, settings=settings)


@golden
async def max_seconds_and_grace(trace: Trace) -> None:
    pages = {"/0": Page("x", delay=4.0), "/1": Page("x", delay=8.0), "/2": Page("x", delay=30.0)}
    settings = Settings(max_seconds=6.0, grace=5.0, slow_start=False)
    await trace.crawl(Asks("/0", "/1", "/2"), FakeSite(pages), settings=settings)


@golden
async def spider_that_stops_its_crawl(trace: Trace) -> None:
    class Enough(Follow):
        def parse(self, response: Response) -> Any:
            yield {"url": response.url}
            yield from response.follow_all()
            if response.depth == 1:
                self.crawl.stop("found it")

    site = FakeSite({"/": links("/a", "/b"), "/a": Page(links("/c"), delay=0.1), "/b": "x", "/c": "x"})
    await trace.crawl(Enough(), site, settings=ONE)


@golden
async def streamed_items(trace: Trace) -> None:
    with trace.run(FakeSite(numbered(5))) as transport:
        spider = Asks(*(f"/{n}" for n in range(5)))
        async with stream(spider, settings=Settings(sink_lag=1, per_domain=1), transport=transport) as items:
            async for item in items:
                trace.note(f"got {item['url']}")
                await trio.sleep(2.0)
        trace.keep_report(items.report)


# ---- jobs ------------------------------------------------------------------------------------------------------------


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
            settings = OBEY | Settings(max_seconds=seconds, per_domain=1)
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
