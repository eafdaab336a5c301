"""`Series`: an output of several files, one for each type of item, each of them in parts of limited size."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import trio
from msgspec import Struct

from crawler.errors import ConfigError, JobError
from crawler.hooks.crawl import Crawl
from crawler.hooks.sink import Sink
from crawler.messages import Row
from crawler.sinks.compression import COMPRESSIONS
from crawler.sinks.file_sink import GATHER, FileSink
from crawler.sinks.if_exists import IfExists
from crawler.sinks.names import Names, part_of
from crawler.sinks.position import Position, place_of

__all__ = ["Series"]

HOW: Final = "put %(n)05d into the name"


class _Part(Struct, eq=False):
    """A file that is open."""

    n: int
    rows: int
    """Items in it."""
    size: int
    """Bytes of these items as JSON."""
    sink: FileSink
    stack: AsyncExitStack
    """Closes the file."""


class Series(Sink):
    """An output of several files, whose names are made from a template.

    A part ends after the item that reaches a limit, and is final then. Where the parts end depends on the items alone,
    so a resumed job makes the same parts again. Only files of types that come are deleted: the names of other outputs
    may look like those of further types.

    Parameters:
        template: The path, with fields as `Names` describes them.
        kind: Makes the sink of one file from ``(path, if_exists, job=…)``.
        max_rows: Items in a part. `None` means no limit.
        max_bytes: Bytes of the items of a part as JSON, before compression; the item that reaches the limit is the last
            one. `None` means no limit.
        if_exists: ``error`` files of the series that exist, ``overwrite`` (delete) those of a type when its first item
            comes, or ``append`` parts.
        job: The folder of the durable job that the output belongs to.

    Raises:
        ConfigError: The template is wrong or lacks the number, or a file of the series exists under ``error``.
    """

    name = "series"
    guarantee = FileSink.guarantee

    def __init__(
        self,
        template: str | Path,
        kind: Callable[..., FileSink],
        *,
        max_rows: int | None = None,
        max_bytes: int | None = None,
        if_exists: IfExists = "error",
        job: Path | None = None,
    ) -> None:
        self._template = os.fspath(template)
        self.names = Names(self._template)
        for option, limit in (("max_rows", max_rows), ("max_bytes", max_bytes)):
            if limit is not None and limit < 1:
                raise ConfigError(f"{template}: {option} must be at least 1, not {limit}")
            if limit is not None and "n" not in self.names.fields:
                raise ConfigError(f"{template}: {option} makes several files: {HOW}")
        if if_exists == "append" and "n" not in self.names.fields:
            raise ConfigError(f"cannot append to {template}: a new part needs a number: {HOW}")
        self._is_shared = False
        self._kind = kind
        self._limits = [max_rows, max_bytes]
        self._if_exists = if_exists
        self._job = job
        folder = Path.cwd() if job is None else Path(job).resolve()
        self.name = f"series:{os.path.relpath(Path(self.names.template).resolve(), folder)}"
        if Path(self.names.template).suffix.lower() in COMPRESSIONS:
            self.gather = GATHER
        self._parts: dict[str, _Part] = {}
        self._first: dict[str, int] = {}  # parts of other crawls, by type
        self._begun: set[str] = set()  # types whose old parts are deleted
        self._written: dict[str, int] = {}  # rows of a batch that failed, by type
        first = self.names.path(1)
        makes_folders = self.names.fields & {"type", "spider"} and first.parent != Path(self.names.template).parent
        folder = next(folder for folder in first.parents if folder.exists()) if makes_folders else first.parent
        kind(
            folder / first.name, "overwrite", job=None
        )  # refuses a folder that cannot be written, or a missing package
        if job is None:
            self.check()

    def divide(self, part: int) -> None:
        """Write files of its own: the number of the part is at the end of their names."""
        self._is_shared = True
        self.names = self._names_of(part)
        self.check()

    def _names_of(self, part: int) -> Names:
        return Names(os.fspath(part_of(Path(self._template), part)))

    def claims(self, path: Path, part: int, position: Any) -> bool:
        """Return whether a file has one of the types that a lost worker has written."""
        names = self._names_of(part)
        names.spider, names.time = position["names"]
        return any(path == found and kind in position["parts"] for kind, _, found in names.existing())

    def cut_part(self, part: int, position: Any, claimed: Callable[[Path], bool]) -> None:
        """Cut the last file of each type of a lost worker, and delete those after it.

        Files on another disk are left alone.
        """
        names, first = self._names_of(part), position["first"]
        names.spider, names.time = position["names"]
        if position.get("place") != place_of(names.path(1)):
            return
        for kind, n, path in list(names.existing()):
            last, _, _, kept = position["parts"].get(kind, (first.get(kind, 0), 0, 0, None))
            if n > last and (kind in position["parts"] or not claimed(path)):
                path.unlink(missing_ok=True)
            elif n == last and kept is not None:
                self._kind(path, "append", job=path.parent).cut_after(Position.of(kept))

    def check(self) -> None:
        """Check that no file of the series exists, under ``error``. Its name may depend on the crawl."""
        if self._if_exists == "error" and (self.names.time or not self.names.fields & {"spider", "time"}):
            for kind, _, path in self.names.existing():
                if "-" in kind and not self._is_shared:
                    continue  # no type has such a name: it is the file of a worker, which has its number at the end
                adds = ", --append adds parts" if self._job is None and "n" in self.names.fields else ""
                how = f"--overwrite deletes the files of the series{adds} (in Python: if_exists)"
                raise ConfigError(f"{path} exists already: {how}")

    def verify(self, rows: Callable[[], Iterator[Row]]) -> None:
        """Check the last part of each type."""
        if self.position is None:
            return
        if self.position["limits"] != self._limits:
            limits = zip(("max_rows", "max_bytes"), self.position["limits"], strict=True)
            old = ", ".join(f"{name}={limit}" for name, limit in limits if limit is not None)
            raise JobError(f"{self.names.template}: the job began this output with {old or 'no limits'}: keep them")
        self.names.spider, self.names.time = self.position["names"]
        for kind, (n, _, _, position) in self.position["parts"].items():
            sink = self._sink(kind, n, position)
            sink.compare(Position.of(position), (row.data for row in rows() if self.names.kind(row.type) == kind))

    def is_remnant(self, rows: Callable[[], Iterator[Row]]) -> bool:
        """Return whether the last part of each type is what the job wrote, or less. The parts before are complete."""
        if self.position["limits"] != self._limits:
            return False
        parts = self.position["parts"].items()
        return all(
            self._sink(kind, n, position).is_remnant(partial(self._last_rows, kind, count, rows))
            for kind, (n, count, _, position) in parts
        )

    async def rewrite(self, rows: Callable[[], Iterator[Row]]) -> tuple[Any, str]:
        """Write the last part of each type again."""
        self.names.spider, self.names.time = self.position["names"]
        lines = []
        for kind, part in self.position["parts"].items():
            sink = self._sink(kind, part[0], part[3])
            sink.path.parent.mkdir(parents=True, exist_ok=True)
            part[3], said = await sink.rewrite(partial(self._last_rows, kind, part[1], rows))
            lines.append(said)
        return self.position, "; ".join(lines)

    def _last_rows(self, kind: str, count: int, rows: Callable[[], Iterator[Row]]) -> Iterator[Row]:
        """Iterate over the last items of a type."""

        def of_kind() -> Iterator[Row]:
            return (row for row in rows() if self.names.kind(row.type) == kind)

        return islice(of_kind(), sum(1 for _ in of_kind()) - count, None)

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Open the last part of each type, and close the parts at the end."""
        self.crawl = crawl
        if self.position is None:
            self.names.begin(crawl.spider.name, crawl.clock())
            self._make_room()
        else:
            self._first = self.position["first"]
            self.names.spider, self.names.time = self.position["names"]
            for kind, (n, *_) in self.position["parts"].items():
                self._delete_parts(kind, n + 1)
        if "type" not in self.names.fields and "" not in self._begun:
            self._delete_parts("", self._first.get("", 0) + 1)
        try:
            if self.position is not None:
                for kind, (n, rows, size, position) in self.position["parts"].items():
                    await self._open(kind, n, rows, size, position)
            self.position = self._here()
            yield
        finally:
            for part in self._parts.values():
                await self._close(part)  # noqa: ASYNC102 - it does not wait

    def _make_room(self) -> None:
        """Refuse or skip the files of the series that exist."""
        self.check()
        if self._if_exists == "append":
            for kind, n, _ in self.names.existing():
                self._first[kind] = max(n, self._first.get(kind, 0))

    def _delete_parts(self, kind: str, first: int) -> None:
        """Delete the parts of a type from a number on: those of an earlier crawl, or those whose items come again."""
        self._begun.add(kind)
        if not self.resumes and self._if_exists == "error":
            return
        for found, n, path in list(self.names.existing()):
            if found == kind and n >= first:
                path.unlink()

    async def persist(self, batch: Sequence[Row]) -> Any:
        """Write a batch, and return the positions of all parts. A batch that failed in the middle is continued."""
        by_kind: dict[str, list[Row]] = {}
        for row in batch:
            by_kind.setdefault(self.names.kind(row.type), []).append(row)
        for kind, rows in by_kind.items():
            while (done := self._written.get(kind, 0)) < len(rows):
                self._written[kind] = done + await self._write(kind, rows[done:])
        self._written.clear()
        return self._here()

    async def _write(self, kind: str, rows: Sequence[Row]) -> int:
        """Write as many rows as the part takes, and return their number."""
        part = self._parts.get(kind)
        if part is None:
            first = self._first.get(kind, 0) + 1
            if kind not in self._begun:
                self._delete_parts(kind, first)
            part = await self._open(kind, first)
        elif self._is_full(part):
            full, part = part, await self._open(kind, part.n + 1)
            await self._close(full)
            if self._job is not None:  # a crash of the system costs no part before the last
                if hasattr(trio.lowlevel.current_clock(), "autojump_threshold"):  # it would jump ahead of a thread
                    full.sink.sync()
                else:
                    await trio.to_thread.run_sync(full.sink.sync)
        count, before = 0, (part.rows, part.size)
        while count < len(rows) and not self._is_full(part):
            part.rows += 1
            part.size += len(rows[count].data) + 1
            count += 1
        try:
            await part.sink.persist(rows[:count])
        except BaseException:
            part.rows, part.size = before
            raise
        return count

    def _is_full(self, part: _Part) -> bool:
        max_rows, max_bytes = self._limits
        return (max_rows is not None and part.rows >= max_rows) or (max_bytes is not None and part.size >= max_bytes)

    def _sink(self, kind: str, n: int, position: Any = None) -> FileSink:
        sink = self._kind(self.names.path(n, kind), "error" if position is None else "append", job=self._job)
        sink.resumes, sink.position = position is not None, position
        return sink

    async def _open(self, kind: str, n: int, rows: int = 0, size: int = 0, position: Any = None) -> _Part:
        self.names.path(n, kind).parent.mkdir(parents=True, exist_ok=True)
        stack = AsyncExitStack()
        sink = self._sink(kind, n, position)
        await stack.enter_async_context(sink.lifespan(self.crawl))
        part = self._parts[kind] = _Part(n, rows, size, sink, stack)
        return part

    async def _close(self, part: _Part) -> None:
        await part.stack.aclose()

    def _here(self) -> dict[str, Any]:
        """Return the position: that of each part, and the values in their names."""
        parts = {kind: [part.n, part.rows, part.size, part.sink.here()] for kind, part in self._parts.items()}
        names = [self.names.spider, self.names.time]
        place = {"place": place_of(self.names.path(1))} if self._is_shared else {}
        return {"limits": self._limits, "names": names, "first": self._first, "parts": parts} | place

    def sync(self) -> None:
        """Wait until all open parts are on the disk: the others are."""
        for part in list(self._parts.values()):
            part.sink.sync()
