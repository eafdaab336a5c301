"""`export_items`: writes the items of a job, running or not, to an output."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import trio

from crawler.errors import ConfigError, CrawlFailed
from crawler.files import PRIVATE, error_reason, replace_file
from crawler.hooks.plugin import Plugin
from crawler.hooks.sink import Sink, call_sink
from crawler.messages import Row
from crawler.redaction import hide_userinfo
from crawler.settings import Settings
from crawler.sinks.choose import open_output
from crawler.sinks.file_sink import FileSink
from crawler.store.inspect import inspect_job, read_items
from crawler.store.registry import find_store

__all__ = ["export_items"]

NextRows: TypeAlias = Callable[[], Awaitable[list[Row]]]
"""Returns the next items, and an empty list at their end."""


async def export_items(job: Path | str, output: str, *, overwrite: bool) -> int:
    """Write all items of a job, and return their number. A file appears only when it is complete."""
    if isinstance(job, Path):
        spider = inspect_job(job).spider
        items: AbstractAsyncContextManager[NextRows] = _items_in(job)
    else:
        store = find_store(job)
        spider, items = (await store.inspect(job)).state.spider, store.items(job)
    if not overwrite and output != "-" and Path(output).exists():
        raise ConfigError(f"{output} exists already: --overwrite replaces it")
    sink = open_output(output, if_exists="overwrite" if overwrite else "error")
    if not isinstance(sink, FileSink):
        try:
            return await _write(items, spider, sink)
        except (OSError, CrawlFailed) as error:
            if output == "-":
                raise
            raise ConfigError(f"cannot write all items to {hide_userinfo(output)}: {error}") from error
    try:
        in_job = isinstance(job, Path) and job.resolve() in sink.path.resolve().parents
        with replace_file(sink.path, mode=PRIVATE if in_job else None) as file:
            return await _write(items, spider, open_output(file.name, if_exists="overwrite"))
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error_reason(error)}") from error


@asynccontextmanager
async def _items_in(folder: Path) -> AsyncIterator[NextRows]:
    batches = read_items(folder)

    async def next_rows() -> list[Row]:
        await trio.lowlevel.checkpoint()
        return next(batches, [])

    yield next_rows


async def _write(items: AbstractAsyncContextManager[NextRows], spider: str, sink: Plugin) -> int:
    crawl: Any = SimpleNamespace(settings=Settings(), spider=SimpleNamespace(name=spider), clock=time.time)
    count = 0
    async with items as next_rows, sink.lifespan(crawl):
        while rows := await next_rows():
            try:
                await call_sink(sink.persist, rows)
            except CrawlFailed as error:
                if not isinstance(error.__cause__, OSError):
                    raise
                raise error.__cause__ from error  # a full disk, or the reader of standard output has closed it
            count += len(rows)
        if isinstance(sink, Sink):
            await call_sink(sink.flush)
    return count
