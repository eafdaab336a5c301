"""Requests that no page made: `Feeder` sends those of `start()` and of `crawl.add` to the writer, `Ingest` stores them.

Rule: `start()` is pulled only as fast as its requests are stored, and by one worker of a job. It has ended when the
store says so, in the transaction of its last requests.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Sequence
from contextlib import aclosing, nullcontext
from typing import TYPE_CHECKING, Any, Final

import trio
from msgspec import Struct

from crawler.engine.admission import count_filtered
from crawler.engine.checks import check_callbacks, needs_callbacks
from crawler.messages import Request

if TYPE_CHECKING:
    from crawler.engine.admission import Admission
    from crawler.engine.background import Background
    from crawler.engine.peers import Peers
    from crawler.engine.worker import Outbox
    from crawler.frontier import Frontier
    from crawler.hooks.plugin import Plugin
    from crawler.spiders import Spider
    from crawler.stats import Stats
    from crawler.store import Store

__all__ = ["Feeder", "Ingest", "NewRequests"]

START_BATCH: Final = 100
"""Start requests that are sent together: a commit of SQLite costs as much as some hundred rows."""
MAX_STARTS: Final = 10_000
"""Start requests that may wait. More are pulled when these are settled: a list of URLs may have millions."""


class NewRequests(Struct, frozen=True, eq=False):
    """Requests that no page made: those of `start()`, and those that `crawl.add` was given."""

    requests: list[Request]
    """Requests to make, unless they are known."""
    last: bool = False
    """Whether `start()` has no more."""


class Ingest:
    """Stores new requests that are admitted. Only the writer calls `add`."""

    def __init__(self, store: Store, frontier: Frontier, admission: Admission, stats: Stats) -> None:
        self._store = store
        self._frontier = frontier
        self._admission = admission
        self._stats = stats
        self.arriving = 0
        """`NewRequests` on their way here."""
        self.starts = 0
        """Start requests that are not settled."""

    async def add(self, message: NewRequests) -> None:
        """Store new requests, and push those on lanes in memory."""
        store, stats = self._store, self._stats
        filtered: list[tuple[str, str]] = []
        admitted = self._admission.admit(message.requests, filtered)
        count_filtered(filtered, stats)
        starts = [request for request in admitted if request.depth == 0]
        parts = [part for part in (starts, [request for request in admitted if request.depth]) if part]
        if message.last and not parts:
            parts = [[]]  # the end of `start()` is stored even without requests
        for requests in parts:
            ingested = await store.ingest(requests, exhausted=message.last and requests is parts[-1])
            self._frontier.push(ingested.fresh)
            self._frontier.reload(ingested.grew)
            if ingested.added < len(requests):
                stats.filtered["duplicate"] += len(requests) - ingested.added
            if requests is starts:
                self.starts += ingested.added
        self.arriving -= 1


class Feeder:
    """Sends new requests to the writer, and knows when no more will come."""

    def __init__(
        self,
        spider: Spider,
        plugins: Sequence[Plugin],
        stats: Stats,
        store: Store,
        frontier: Frontier,
        background: Background,
        peers: Peers,
        ingest: Ingest,
    ) -> None:
        self._spider = spider
        self._plugins = plugins
        self._stats = stats
        self._store = store
        self._frontier = frontier
        self._background = background
        self._peers = peers
        self._ingest = ingest

    @property
    def has_begun(self) -> bool:
        """Whether requests may have been sent."""
        return self._frontier.has_issued or self._stats.requests > 0

    def has_ended(self) -> bool:
        """Return whether nothing is left to do: no request waits, `start()` is at its end, and none is on its way.

        Items of a removed worker are left, too: the outputs of another worker get them.
        """
        return not (self._store.live or self._peers.has_left_items or self.has_more())

    def has_more(self) -> bool:
        """Return whether requests may still come that no page makes."""
        return not self._store.exhausted or self._background.has_requests() or self._ingest.arriving > 0

    def close(self) -> None:
        """Bring no more: what brings start requests may be shielded from a cancellation."""
        self._background.is_closed = True
        self._frontier.changed.set()

    async def feed_start(self, outbox: Outbox) -> None:
        """Pull `start()` to its end, whatever form it has."""
        await self._peers.seeds.wait()
        if self._store.exhausted:
            return
        produced = self._spider.start()
        if inspect.isawaitable(produced):
            produced = await produced
        if isinstance(produced, AsyncIterable):
            await self._pull_async(produced, outbox)
        elif isinstance(produced, Request):
            await self._send_start([produced], outbox, last=True)
        elif produced is None:
            await self._send_start([], outbox, last=True)
        elif isinstance(produced, Iterable) and not isinstance(produced, (str, bytes, dict)):
            await self._pull(iter(produced), outbox)
        else:
            raise TypeError(f"start() must return requests, not {type(produced).__name__}")

    async def _pull(self, produced: Iterator[Any], outbox: Outbox) -> None:
        """Send a batch at a time. The last one says so, so that it is stored together with the end of `start()`."""
        last, durable = False, self._store.durable
        while not last and not self._background.is_closed:
            batch = [_checked(value, durable=durable) for value in itertools.islice(produced, START_BATCH)]
            last = len(batch) < START_BATCH
            await self._send_start(batch, outbox, last=last)

    async def _pull_async(self, produced: AsyncIterable[Any], outbox: Outbox) -> None:
        """Send one by one, since the next request may take long."""
        async with aclosing(produced) if isinstance(produced, AsyncGenerator) else nullcontext():
            async for value in produced:
                await self._send_start([_checked(value, durable=self._store.durable)], outbox)
                if self._background.is_closed:
                    return  # the next run of the job begins `start()` again
        if not self._background.is_closed:
            await self._send_start([], outbox, last=True)

    async def _send_start(self, batch: list[Request], outbox: Outbox, *, last: bool = False) -> None:
        """Send start requests, and wait while too many of them are not settled.

        Requests without a callback are refused before anything has begun; later, each fails on its own.
        Shielded: while an async `start()` is suspended, no cancel scope that is open in it may reach the engine.
        """
        if not self.has_begun and needs_callbacks(self._spider, self._plugins):
            check_callbacks(self._spider, batch)
        with trio.CancelScope(shield=True):
            await self._send(batch, outbox, last=last)
            while min(self._ingest.starts, self._store.live) > MAX_STARTS and not self._background.is_closed:
                await self._frontier.changed.wait()

    async def feed_added(self, outbox: Outbox) -> None:
        """Send what `crawl.add` was given outside of pages, until the crawl ends."""
        while True:
            if self._background.has_requests():
                await self._send(self._background.take(), outbox)
            else:
                await self._background.wait()

    async def _send(self, requests: list[Request], outbox: Outbox, *, last: bool = False) -> None:
        self._ingest.arriving += 1
        try:
            await outbox.send(NewRequests(requests, last))
        except BaseException:
            self._ingest.arriving -= 1
            raise


def _checked(value: Any, *, durable: bool) -> Request:
    if not isinstance(value, Request):
        raise TypeError(f"start() must yield requests, not {type(value).__name__}: {value!r:.80}")
    if durable and (reason := value.unstorable()):
        raise TypeError(f"start() yields a request for {value.shown_url} that cannot be stored: {reason}")
    return value
