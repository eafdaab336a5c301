"""Golden crawls: hooks of all kinds, and sinks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio
from support.trees import Follow

from crawler import (
    Drop,
    Failure,
    Pause,
    Plugin,
    Request,
    Response,
    Retry,
    Settings,
    Stop,
    Usage,
)
from crawler.testing import FakeSite, Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

from crawl.golden_crawls.registry import OBEY, ONE, SITE, Asks, Meter, golden, links, numbered


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
    await trace.crawl(Asks("/0"), site, settings=Settings(per_host=1), plugins=[Feed()])


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
    settings = Settings(per_host=1, sink_lag=2)
    await trace.crawl(spider, FakeSite(numbered(6)), settings=settings, plugins=[Flaky()])


@golden
async def crawl_that_cannot_go_on(trace: Trace) -> None:
    class Broken(Plugin):
        def measure(self, usage: Usage) -> None:
            raise ValueError("x")

    await trace.crawl(Asks("/0"), FakeSite(numbered(1)), plugins=[Broken()])
