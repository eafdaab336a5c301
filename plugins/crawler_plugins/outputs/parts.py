"""`PartSink`: the base class of outputs that are folders of parts, files or objects that are written as a whole.

A part holds the rows of one interval of the item log. Its name is the number of its first row, and the position of the
job is the number of the first row that is in no part. So a part that is written again replaces itself, and a resumed
job deletes the parts after its position, whose rows come again: each row is in exactly one part.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol

import trio

from crawler import ConfigError, Crawl, JobError, Row, Sink
from crawler.sinks import Held, IfExists

__all__ = ["Dataset", "Folder", "Format", "PartSink"]

PART: Final = re.compile(r"part-(\d{12,})\.")
MAX_BYTES: Final = 64 * 1024 * 1024
"""Maximum size of the items of a part as JSON, in bytes: the rows of a part are in memory."""


class Folder(Protocol):
    """A place for parts. An object or a file appears only when it is complete."""

    place: str
    """Its name, for messages."""

    def names(self) -> list[str]:
        """Return the names in the folder, in order; none if it does not exist."""

    def read(self, name: str) -> bytes | None:
        """Return the content of a part; `None` if it does not exist."""

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a part. It survives a power failure when this returns."""

    def delete(self, name: str) -> None:
        """Delete a part."""

    def tidy(self) -> None:
        """Delete incomplete parts that a killed process has left."""


class Format(Protocol):
    """How the rows of a part become bytes. It may learn from rows: columns are what the items have."""

    suffix: str
    """End of the names of parts: ``.jsonl.gz``."""
    state: Any
    """Its state, such as the known columns, as a JSON value. Set when a job is resumed."""

    def encode(self, rows: Sequence[Row]) -> tuple[bytes, Any]:
        """Return a part, and the state to set when it is written."""

    def adapt(self, first: bytes, state: Any) -> bytes | None:
        """Return the first part as a new state wants it; `None` if it stays as it is."""

    def learn(self, first: bytes) -> None:
        """Set the state from the first part of another crawl, to append to it.

        Raises:
            ValueError: It has another format.
        """


class Dataset:
    """The parts of one folder.

    Parameters:
        folder: Where they are.
        format: Their format.
    """

    def __init__(self, folder: Folder, format: Format) -> None:  # noqa: A002 - the word of the field
        self.folder = folder
        self.format = format
        self.base = 0
        """Added to row numbers in names: parts of other crawls come before it."""
        self.first = ""
        """Name of the first part, whose columns readers take for those of all."""
        self.count = 0
        """Parts of this crawl."""

    def parts(self) -> dict[str, int]:
        """Return the numbers of the parts in the folder, by name."""
        found = {name: PART.match(name) for name in self.folder.names()}
        return {name: int(match[1]) for name, match in found.items() if match is not None}

    def write(self, cursor: int, rows: Sequence[Row]) -> None:
        """Write the part that begins with row number `cursor`."""
        name = f"part-{self.base + cursor:012d}{self.format.suffix}"
        data, state = self.format.encode(rows)
        if state != self.format.state and self.first and self.first != name:
            content = self.folder.read(self.first)
            adapted = None if content is None else self.format.adapt(content, state)
            if adapted is not None:
                self.folder.write(self.first, adapted)
        self.folder.write(name, data)
        self.format.state = state
        self.first = self.first or name
        self.count += 1

    def begin(self, if_exists: IfExists) -> None:
        """Delete the parts that exist, or continue after them."""
        self.folder.tidy()
        existing = self.parts()
        if if_exists == "overwrite":
            for name in existing:
                self.folder.delete(name)
        elif existing:
            self.base = max(existing.values()) + 1
            self.first = min(existing)
            content = self.folder.read(self.first)
            assert content is not None
            try:
                self.format.learn(content)
            except ValueError as error:
                how = "--overwrite replaces it; in Python: if_exists"
                raise ConfigError(f"cannot append to {self.folder.place}: {error} ({how})") from error

    def state(self) -> list[Any]:
        """Return what the job keeps about the parts."""
        return [self.base, self.first, self.count, self.format.state]

    def restore(self, state: Sequence[Any]) -> None:
        """Set what the job has kept."""
        self.base, self.first, self.count, self.format.state = state

    def lacks(self, cursor: int) -> int:
        """Return how many of the parts before row number `cursor` are missing."""
        there = sum(self.base <= number < self.base + cursor for number in self.parts().values())
        return max(0, self.count - there)

    def cut(self, cursor: int) -> None:
        """Delete the parts from row number `cursor` on: their rows come again."""
        self.folder.tidy()
        for name, number in self.parts().items():
            if number >= self.base + cursor:
                self.folder.delete(name)


class PartSink(Sink):
    """Base class of outputs in parts. A subclass creates the `dataset` of each type of item.

    Parameters:
        place: Its name, for messages.
        if_exists: ``error`` parts that exist, ``overwrite`` (delete) them, or ``append`` parts.
        in_job: Whether it belongs to a durable job.
        rows: Maximum number of items in a part, at least 1. A part of 64 MiB of items as JSON ends too.
        seconds: Seconds after which a part ends, with the first item that comes then, from 0.

    Raises:
        ConfigError: A limit is out of range.
    """

    guarantee = "exactly once: a part is named after its first row, and parts after the position are written again"

    def __init__(self, place: str, if_exists: IfExists, *, in_job: bool, rows: int, seconds: float) -> None:
        if rows < 1:
            raise ConfigError(f"output {place}: rows must be at least 1, not {rows}")
        if not seconds >= 0:
            raise ConfigError(f"output {place}: seconds must be at least 0, not {seconds:g}")
        self._place = place
        self._if_exists = if_exists
        self._in_job = in_job
        self._max_rows = rows
        self._seconds = seconds
        self._held: list[Row] = []
        self._bytes = 0
        self._began = 0.0
        self._stored = 0
        self._datasets: dict[str, Dataset] = {}
        self._begun: dict[str, list[Any]] = {}  # the state of each dataset before its first part in this run
        self._prepare: Callable[[Dataset], None]  # what is done to a dataset before its first part; set at the start

    @abstractmethod
    def dataset(self, kind: str) -> Dataset:
        """Return the parts for items of a type, as `kind` names it."""

    @abstractmethod
    def existing(self) -> Iterator[str]:
        """Yield the names of the datasets that may exist before the crawl."""

    def kinds(self) -> Sequence[str]:
        """Return the names of the datasets that exist whatever the items are. Here, it is the one that there is."""
        return ("",)

    def kind(self, row: Row) -> str:
        """Return the name of the dataset of a row. Here, all rows are in one."""
        return ""

    def divide(self, part: int) -> None:
        """Refuse to share the crawl: parts are named after their first row, and each worker would count its own.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"output {self._place}: workers cannot share it: write .jsonl files or to a database")

    def check(self) -> None:
        """Check that there are no parts, under ``error``.

        Raises:
            ConfigError: There are.
        """
        if self._if_exists == "error":
            for dataset in map(self.dataset, self.existing()):
                if dataset.parts():
                    how = f"--overwrite deletes them{'' if self._in_job else ', --append adds parts'}"
                    raise ConfigError(f"{dataset.folder.place} has parts already: {how} (in Python: if_exists)")

    def verify(self, rows: Callable[[], Iterator[Row]]) -> None:
        """Check that the parts that the job has written are there.

        Raises:
            JobError: Some are missing.
        """
        for kind, state in (self.position or {"datasets": {}})["datasets"].items():
            dataset = self.dataset(kind)
            dataset.restore(state)
            lost = dataset.lacks(self.position["rows"])
            if lost:
                raise JobError(
                    f"{dataset.folder.place} lacks {lost} of {dataset.count} parts that the job wrote to it: restore "
                    "them, or name another output, which gets all items of the job"
                )

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Prepare the folders."""
        self.crawl = crawl
        self._began = crawl.clock()
        await trio.to_thread.run_sync(self._begin)
        yield

    def _begin(self) -> None:
        if self.position is None:
            self.check()
            self._prepare = partial(Dataset.begin, if_exists=self._if_exists)
            kinds = {*self.kinds(), *(self.existing() if self._if_exists == "append" else ())}
        else:
            self._stored = self.position["rows"]
            for kind, state in self.position["datasets"].items():
                self._datasets[kind] = self.dataset(kind)
                self._datasets[kind].restore(state)
            self._prepare = partial(Dataset.cut, cursor=self._stored)
            kinds = set(self.kinds())
        for kind in sorted(kinds):
            self._of(kind)
        self.position = self._here()

    def persist(self, batch: Sequence[Row]) -> Any:
        """Collect rows, and write a part when it has enough of them or its time is over."""
        now = self.crawl.clock()
        before = len(self._held), self._bytes
        self._held += [Row(row.data, row.key, row.page, None, row.type) for row in batch]
        self._bytes += sum(len(row.data) for row in batch)
        full = len(self._held) >= self._max_rows or self._bytes >= MAX_BYTES
        if not full and now - self._began < self._seconds:
            return Held(len(self._held), self.position)
        try:
            self._store()
        except BaseException:  # the same batch comes again
            del self._held[before[0] :]
            self._bytes = before[1]
            raise
        self._began = now
        return self.position

    def flush(self) -> Any:
        """Write the rows that are left."""
        self._store()
        return self.position

    def _store(self) -> None:
        """Write the rows that are held, in parts of at most `rows` items, all of them or, for the position, none."""
        before = self._stored, {kind: one.state() for kind, one in self._datasets.items()}
        try:
            for start in range(0, len(self._held), self._max_rows):
                part = self._held[start : start + self._max_rows]
                by_kind: dict[str, list[Row]] = {}
                for row in part:
                    by_kind.setdefault(self.kind(row), []).append(row)
                for kind, rows in by_kind.items():
                    self._of(kind).write(self._stored, rows)
                self._stored += len(part)
        except BaseException:
            self._stored, states = before
            for kind, one in self._datasets.items():
                one.restore(states.get(kind) or self._begun[kind])
            raise
        self._held, self._bytes = [], 0
        self.position = self._here()

    def _of(self, kind: str) -> Dataset:
        """Return the dataset of a kind. It is prepared at its first use: others, whose names look alike, stay as is."""
        if kind not in self._datasets:
            self._datasets[kind] = self.dataset(kind)
        dataset = self._datasets[kind]
        if kind not in self._begun:
            self._prepare(dataset)
            self._begun[kind] = dataset.state()
        return dataset

    def _here(self) -> dict[str, Any]:
        return {"rows": self._stored, "datasets": {kind: one.state() for kind, one in self._datasets.items()}}
