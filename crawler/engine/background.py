"""`Background`: what a crawl is given beside its pages: requests (`crawl.add`) and tasks (`crawl.start_soon`)."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextvars import Context, copy_context

import trio

from crawler.engine.new_requests import START_BATCH
from crawler.frontier import current_ticket
from crawler.frontier.wakeup import Wakeup
from crawler.hooks.page_effects import current_page
from crawler.messages import Request

__all__ = ["Background"]


class Background:
    """Requests wait here until the scheduler takes them; tasks that are started early wait for their nursery."""

    def __init__(self) -> None:
        self.is_closed = False
        """Whether the crawl starts no more requests."""
        self._requests: list[Request] = []
        self._series: deque[Iterator[Request]] = deque()
        self._added = Wakeup()
        self._nursery: trio.Nursery | None = None
        self._waiting: list[tuple[Context, Callable[..., Awaitable[object]], tuple[object, ...]]] = []

    # ---- requests ----------------------------------------------------------------------------------------------------

    def has_requests(self) -> bool:
        """Return whether requests wait to be taken, or may be made."""
        return bool(self._requests or self._series)

    def add(self, request: Request) -> None:
        """Add a request, and wake the scheduler."""
        self._requests.append(request)
        self._added.set()

    def add_series(self, requests: Iterable[Request]) -> None:
        """Add requests that are made when they are taken, and wake the scheduler."""
        self._series.append(iter(requests))
        self._added.set()

    def take(self) -> list[Request]:
        """Return the requests added so far, and forget them; then the next ones of a series."""
        requests, self._requests = self._requests, []
        if not requests and self._series:
            requests = list(itertools.islice(self._series[0], START_BATCH))
            for request in requests:
                if not isinstance(request, Request):
                    raise TypeError(f"add() takes requests, not {type(request).__name__}: {request!r:.80}")
            if len(requests) < START_BATCH:
                self._series.popleft()
        return requests

    async def wait(self) -> None:
        """Wait until a request is added."""
        await self._added.wait()

    # ---- tasks -------------------------------------------------------------------------------------------------------

    def start_soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Start a task that belongs to no page."""
        context = copy_context()
        context.run(current_page.set, None)
        context.run(current_ticket.set, None)
        if self._nursery is None:
            self._waiting.append((context, function, args))
        else:
            context.run(self._nursery.start_soon, function, *args)

    def open(self, nursery: trio.Nursery) -> None:
        """Start the tasks that wait, and from now on each task at once, in a nursery."""
        self._nursery = nursery
        for context, function, args in self._waiting:
            context.run(nursery.start_soon, function, *args)
        self._waiting.clear()

    def close(self) -> None:
        """Stop starting tasks."""
        self._nursery = None
