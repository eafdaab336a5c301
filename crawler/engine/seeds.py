"""Start requests are pulled as they are needed; what `crawl.add` brings from outside of pages comes the same way."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextlib import aclosing, nullcontext
from typing import TYPE_CHECKING, Any, Final

import trio

from crawler.engine.writer import Message, NewRequests, Writer
from crawler.messages import Request

if TYPE_CHECKING:
    from crawler.engine.crawl import RunningCrawl

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

    def pending(self) -> bool:
        """Whether more requests may come, or are on their way."""
        return not self._crawl.exhausted or bool(self._crawl.inbox) or self._writer.arriving > 0

    async def start(self) -> None:
        """Pulls `start()` to its end, whatever form it has."""
        if self._crawl.exhausted:
            return
        produced = self._crawl.spider.start()
        if inspect.isawaitable(produced):
            produced = await produced
        if isinstance(produced, AsyncIterable):
            await self._pull(produced)
            if not self._crawl.ended:
                await self._bring([], last=True)
        elif isinstance(produced, Request):
            await self._bring([produced], last=True)
        elif isinstance(produced, Iterable) and not isinstance(produced, (str, bytes, dict)):
            await self._pull_many(iter(produced))
        elif produced is not None:
            raise TypeError(f"start() gives back requests, not {type(produced).__name__}")
        if self._crawl.ended:
            return  # it was broken off: the next run begins it anew
        self._crawl.exhausted = True
        self._crawl.frontier.changed.set()

    async def _pull_many(self, produced: Iterator[Any]) -> None:
        """A batch at a time; the last one is told, so that it is there together with the end of `start()`."""
        last = False
        while not last and not self._crawl.ended:
            batch = [_request(value) for value in itertools.islice(produced, BATCH)]
            last = len(batch) < BATCH
            await self._bring(batch, last=last)

    async def _pull(self, produced: AsyncIterable[Any]) -> None:
        """One by one, since the next may be a long time in coming."""
        closing = aclosing(produced) if isinstance(produced, AsyncGenerator) else nullcontext()
        async with closing:
            async for value in produced:
                await self._bring([_request(value)])
                if self._crawl.ended:
                    break

    async def _bring(self, batch: list[Request], *, last: bool = False) -> None:
        """Hands requests on, and waits while enough of them wait.

        Shielded: while an async `start()` is suspended, a cancel scope that is open in it must not reach the engine.
        """
        with trio.CancelScope(shield=True):
            await self._send(batch, last=last)
            while self._writer.starts > MOST and not self._crawl.ended:
                await self._crawl.frontier.changed.wait()

    def end(self) -> None:
        """Nothing more is started: nobody has to wait here."""
        self._crawl.ended = True
        self._crawl.frontier.changed.set()

    async def added(self) -> None:
        """Brings what `crawl.add` leaves in the inbox; runs until it is cancelled."""
        crawl = self._crawl
        while True:
            if crawl.inbox:
                requests = crawl.inbox.copy()
                await self._send(requests)
                del crawl.inbox[: len(requests)]
            else:
                await crawl.added.wait()

    async def _send(self, requests: list[Request], *, last: bool = False) -> None:
        self._writer.arriving += 1
        try:
            await self._messages.send(NewRequests(requests, last))
        except BaseException:
            self._writer.arriving -= 1
            raise


def _request(value: Any) -> Request:
    if not isinstance(value, Request):
        raise TypeError(f"start() yields requests, not {type(value).__name__}: {value!r:.80}")
    return value
