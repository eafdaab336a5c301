"""The spider of the tests of durable jobs, which yields an item for every reachable page, and plugins."""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import trio

from crawler import Crawl, Failure, Plugin, Produced, Response, Row, Sink, Spider
from crawler.fetch.downloader import Downloader
from crawler.sinks.file_sink import FileSink
from crawler.store.item_log import Spool
from crawler.store.sqlite import SqliteStore


class Everything(Spider):
    """Follows every link on some hosts."""

    front: str
    """The start URL."""
    hosts: list[str]
    """The hosts in scope."""
    with_files: bool = False
    """Whether each item names the file of its page."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.start_urls = [self.front]
        self.allowed_domains = self.hosts

    def parse(self, response: Response) -> Produced:
        """Yield an item and a request for each link."""
        n = int(response.css("h1::text").get())
        yield {"url": response.url, "n": n} | ({"file_urls": [f"/file/{n}.bin"]} if self.with_files else {})
        yield from (request.replace(errback="missed") for request in response.follow_all())

    def missed(self, failure: Failure) -> None:
        """Count the pages that are gone."""
        if failure.response is not None and failure.response.status in (404, 410):
            self.crawl.count("missed")


class Counts(Plugin):
    """Counts the pages twice: as a counter of the report, and in its state."""

    def parse(self, response: Response) -> None:
        """Count a page."""
        self.crawl.count("parsed")
        self.state["parsed"] = self.state.get("parsed", 0) + 1


class ByKey(Plugin):
    """A sink that stores each item under its key, in a thread."""

    def persist(self, batch: Sequence[Row]) -> None:
        """Store some items; an item whose key has another item already is marked as changed."""
        with closing(sqlite3.connect("by_key.sqlite")) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS item (key PRIMARY KEY, data TEXT, changed DEFAULT 0)")
            database.executemany(
                "INSERT INTO item (key, data) VALUES (?, ?) ON CONFLICT (key) "
                "DO UPDATE SET changed = changed OR data IS NOT excluded.data",
                [(row.key, row.data.decode()) for row in batch],
            )


class ByPosition(Sink):
    """A sink that appends to a file, and cuts off what lies behind its position."""

    path = Path("by_position.jsonl")

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Cut the file."""
        self.path.touch()
        os.truncate(self.path, self.position or 0)
        yield

    async def persist(self, batch: Sequence[Row]) -> int:
        """Append some items, and return the length of the file."""
        with self.path.open("ab") as file:
            for row in batch:
                file.write(row.data + b"\n")
                await trio.lowlevel.checkpoint()
        return self.path.stat().st_size


class Slow(Plugin):
    """A slow sink outside the job, which appends a line of key and item for each row.

    It keeps no position, so after a kill it receives again the rows that it had not acknowledged.
    """

    def __init__(self, path: Path, seconds: float = 0.2) -> None:
        self.path, self.seconds = path, seconds

    async def persist(self, batch: Sequence[Row]) -> None:
        """Write some rows at once and the others after a pause."""
        with self.path.open("a") as file:
            for index, row in enumerate(batch):
                file.write(f"{row.key} {row.data.decode()}\n")
                if index % 50 == 0:
                    file.flush()
                    await trio.sleep(self.seconds)


STEPS: dict[str, tuple[type, str, int]] = {
    "answered": (Downloader, "fetch", 0),
    "logged": (Spool, "write", 0),
    "half logged": (Spool, "write", 7),
    "committed": (SqliteStore, "commit", 0),
    "output opened": (FileSink, "_open", 0),
    "output begun": (FileSink, "here", 0),
    "written": (FileSink, "put", 0),
    "half written": (FileSink, "put", 7),
    "noted": (SqliteStore, "advance", 0),
}
"""Moments of a durable crawl: the method that has just returned, and the bytes to remove from the end of its file."""


class Dies(Plugin):
    """Kills its own process at an exact moment.

    Parameters:
        step: one of `STEPS`.
        call: number of the call, from 1, after which to kill.
    """

    def __init__(self, step: str, call: int) -> None:
        owner, name, torn = STEPS[step]
        method = getattr(owner, name)
        calls = itertools.count(1)
        signature = inspect.signature(method)

        def die(this: Any, at: int) -> None:
            if next(calls) < call:
                return
            if torn:  # a write that is cut leaves what stood before it
                path = this.path if isinstance(this, FileSink) else this._path
                os.truncate(path, max(at, path.stat().st_size - torn))
            os.kill(os.getpid(), signal.SIGKILL)

        @functools.wraps(method)
        def wrapper(this: Any, *args: Any, **kwargs: Any) -> Any:
            result = method(this, *args, **kwargs)
            at = signature.bind(this, *args, **kwargs).arguments["at"] if torn else 0
            if inspect.isawaitable(result):
                return _then(result, functools.partial(die, this, at))
            die(this, at)
            return result

        setattr(owner, name, wrapper)


async def _then(waited_for: Any, die: Any) -> Any:
    result = await waited_for
    die()
    return result
