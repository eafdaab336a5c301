"""Start requests are pulled as they are needed; what `crawl.add` brings from outside of pages comes the same way."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing, nullcontext
from typing import TYPE_CHECKING, Any, Final

import trio

from crawler.engine.writer import Arrivals, Message, Writer
from crawler.messages import Request

if TYPE_CHECKING:
    from crawler.engine.running import RunningCrawl

__all__ = ["Seeds"]

BATCH: Final = 100
"""Start requests on their way together."""
MOST: Final = 10_000
"""Start requests that wait at most: more are pulled as these are settled."""


class Seeds:
    """Brings requests to the writer that no page made.

    Parameters:
        crawl: the parts of the running crawl.
        writer: knows how many are not settled.
        messages: to the writer.
    """

    def __init__(self, crawl: RunningCrawl, writer: Writer, messages: trio.MemorySendChannel[Message]) -> None:
        self._crawl = crawl
        self._writer = writer
        self._messages = messages
        self.exhausted = False
        """Whether `start()` has nothing more."""

    def pending(self) -> bool:
        """Whether more requests may come, or are on their way."""
        return not self.exhausted or bool(self._crawl.inbox) or self._writer.arriving > 0

    async def start(self) -> None:
        """Pulls `start()` to its end."""
        crawl = self._crawl
        batch: list[Request] = []
        async with aclosing(_requests(crawl.spider.start())) as requests:
            async for request in requests:
                batch.append(request)
                if len(batch) == BATCH:
                    await self._send(batch, start=True)
                    batch = []
                    while self._writer.starts > MOST:
                        await crawl.frontier.changed.wait()
        await self._send(batch, start=True)
        self.exhausted = True
        crawl.frontier.changed.set()

    async def added(self) -> None:
        """Brings what `crawl.add` leaves in the inbox; runs until it is cancelled."""
        crawl = self._crawl
        while True:
            if crawl.inbox:
                await self._send(crawl.inbox.copy(), start=False)
            else:
                await crawl.added.wait()

    async def _send(self, requests: list[Request], *, start: bool) -> None:
        if not requests:
            return
        self._writer.arriving += 1
        if not start:
            del self._crawl.inbox[: len(requests)]
        try:
            await self._messages.send(Arrivals(requests, start))
        except trio.Cancelled:
            self._writer.arriving -= 1
            if not start:
                self._crawl.inbox[:0] = requests
            raise


async def _requests(produced: Any) -> AsyncGenerator[Request, None]:  # noqa: ASYNC900 - closed by whoever iterates
    """The requests of `start()`, whatever form it has."""
    if inspect.isawaitable(produced):
        produced = await produced
    if isinstance(produced, AsyncIterable):
        closing = aclosing(produced) if isinstance(produced, AsyncGenerator) else nullcontext()
        async with closing:
            async for value in produced:
                yield _request(value)
    elif isinstance(produced, Iterable) and not isinstance(produced, (str, bytes, dict)):
        for value in produced:
            yield _request(value)
    elif produced is not None:
        raise TypeError(f"start() gives back requests, not {type(produced).__name__}")


def _request(value: Any) -> Request:
    if not isinstance(value, Request):
        raise TypeError(f"start() yields requests, not {type(value).__name__}: {value!r:.80}")
    return value
