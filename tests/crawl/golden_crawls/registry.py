"""The crawls whose traces `test_golden_traces` compares, by name, and the spiders and pages that they share.

Each crawl is a function that runs it with a `Trace`; a module has those of one subject.

The trace of a crawl must not depend on which of two tasks runs first at the same moment, so pages that are fetched at
the same time have different delays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

from support.trees import FREE

from crawler import (
    BadStatus,
    BrokenExchange,
    ConnectFailed,
    Failure,
    Plugin,
    Refused,
    Request,
    Response,
    Settings,
    Spider,
    Usage,
)
from crawler.testing import Page

if TYPE_CHECKING:
    from crawl.test_golden_traces import Trace

CRAWLS: dict[str, Callable[[Trace], Awaitable[None]]] = {}
"""Crawls by name."""
SITE = "https://site.test"
ONE = Settings(workers=1)
OBEY = Settings(obey_robots=True)


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


def closed_connection() -> BrokenExchange:
    """Return the error of a kept connection that turned out to be closed."""
    error = BrokenExchange("closed")
    error.kind = "stale"
    return error


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
