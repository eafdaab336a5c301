"""Attempts on one lane over a network that responds with what it was given, for tests of attempts and hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from crawler import (
    Plugin,
    Request,
    Response,
    Settings,
    Spider,
    Usage,
)
from crawler.clock import Clock
from crawler.decision.decide import Policy
from crawler.decision.retry_policy import RetryPolicy
from crawler.engine.accounting import Accounting
from crawler.engine.attempt import Attempts
from crawler.engine.fetch_hooks import FetchHooks
from crawler.engine.outages import OutageMonitor
from crawler.engine.peers import NoPeers
from crawler.engine.shutdown import Shutdown
from crawler.engine.slots import Slots
from crawler.frontier import Frontier, InlineTicket, PageTicket, Pending
from crawler.hooks.table import HookTable
from crawler.stats import Stats
from crawler.store import MemoryStore

A = "https://a.test"


class FakeDownloader:
    """Answers with what it was given, after a second on the network."""

    credentials = None
    start_origins = None

    def __init__(self, answer: Response | Exception) -> None:
        self.answer = answer
        self.sent: list[Request] = []
        self.options: dict[str, Any] = {}
        self.start_pages: list[str] = []

    async def fetch(self, request: Request, *, on_sent: Callable[[float], None], **options: Any) -> Response:
        self.sent.append(request)
        self.options = options
        on_sent(trio.current_time())
        await trio.sleep(1.0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer.replace(request=request)

    def note_start_page(self, request: Request) -> None:
        self.start_pages.append(request.url)


class Case:
    """Attempts on one lane with a delay of ten seconds."""

    def __init__(self, *plugins: Plugin, answer: Response | Exception | None = None, status: int = 200) -> None:
        self.clock = Clock()
        settings = Settings(per_host=1, delay=10.0, obey_robots=False)
        self.frontier = Frontier(settings)
        self.frontier.advance_clock(self.clock())
        self.stats = Stats()
        self.shutdown = Shutdown(10.0, self.frontier.changed.set)
        self.downloader = FakeDownloader(answer or response(status))
        table = HookTable.build([Spider(), *plugins])
        policy = Policy(RetryPolicy(settings))
        outages = OutageMonitor(self.frontier, policy)
        self.attempts = Attempts(
            self.downloader,  # type: ignore[arg-type]
            FetchHooks(table),
            self.frontier,
            Slots(self.frontier, self.clock),
            Accounting(table.measure, self.frontier, self.stats, self.shutdown, self.clock, outages, policy),
            NoPeers(MemoryStore()),
        )
        pending = Pending((0, 1), Request(f"{A}/"), A)
        self.lane = self.frontier.lanes.open(A, epoch=1, head=[pending], more=False)

    def ticket(self) -> PageTicket:
        ticket, _ = self.frontier.pop(self.clock())
        assert isinstance(ticket, PageTicket)
        return ticket

    def inline(self, request: Request) -> InlineTicket:
        return self.frontier.inline_ticket(self.lane, request, self.clock())

    def is_settled(self) -> bool:
        throttle = self.lane.throttle
        return self.lane.limiter.borrowed_tokens == 0 and not throttle.busy

    def next_start(self) -> float:
        """Seconds until the lane may start another request."""
        return self.frontier.ready_at(self.lane, Request(f"{A}/2"), self.clock()) - self.clock()


def response(status: int = 200, **headers: str) -> Response:
    """Return a response of the page of the case."""
    return Response(f"{A}/", status, headers, b"x", request=Request(f"{A}/"))


class Fetch(Plugin):
    """A plugin whose `fetch` is a function."""

    name = "fetch"

    def __init__(self, function: Any, name: str = "fetch") -> None:
        self.function = function
        self.name = name

    async def fetch(self, request: Request, send: Any) -> Any:
        return await self.function(request, send)


class Measure(Plugin):
    """Keeps what it is asked, and has one verdict."""

    name = "measure"

    def __init__(self, verdict: Any = None, look: Callable[[], Any] = lambda: None) -> None:
        self.verdict = verdict
        self.look = look
        self.usages: list[Usage] = []
        self.seen: list[Any] = []

    def measure(self, usage: Usage) -> Any:
        self.usages.append(usage)
        self.seen.append(self.look())
        return self.verdict
