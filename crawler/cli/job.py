"""``crawler job``: where a durable job stands, its failures, and its items once more."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import trio
from cyclopts import Parameter

from crawler.cli.logs import many, say
from crawler.errors import ConfigError, CrawlFailed
from crawler.files import error_reason, replace_file
from crawler.hooks.plugin import Plugin
from crawler.hooks.sink import call_persist
from crawler.settings import Settings
from crawler.sinks import FileSink, open_output
from crawler.store.inspect import JobState, failed_requests, inspect_job, read_items
from crawler.store.inspect import retry_failed as put_back

__all__ = ["job"]

SHOWN = 20
"""Failures that are listed."""


def job(
    folder: Annotated[Path, Parameter(help="What --job named.")],
    /,
    *,
    retry_failed: Annotated[
        bool, Parameter(help="Put the requests that failed back; the next run asks for them again.")
    ] = False,
    export: Annotated[
        str | None,
        Parameter(
            metavar="OUT",
            allow_leading_hyphen=True,
            help="Write all items of the job to a file, or to - for standard output.",
        ),
    ] = None,
    overwrite: Annotated[bool, Parameter(help="Replace the file of --export if it exists.")] = False,
) -> int:
    """Show where a job stands: what waits, what was kept, what failed and why."""
    if overwrite and export is None:
        raise ConfigError("--overwrite goes with --export")
    if export is not None:
        count = trio.run(_export, folder, export, overwrite)
        say(f"{many(count, 'item')} written to {'standard output' if export == '-' else export}\n")
    if retry_failed:
        count = put_back(folder)
        say(f"{many(count, 'failed request')} put back: run the job again\n")
    if export is None and not retry_failed:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(folder, inspect_job(folder))))
    return 0


async def _export(folder: Path, output: str, overwrite: bool) -> int:
    """Writes all items beside the file, which takes its place when it is whole."""
    inspect_job(folder)
    if not overwrite and output != "-" and Path(output).exists():
        raise ConfigError(f"{output} exists already: --overwrite replaces it")
    sink = open_output(output, if_exists="overwrite" if overwrite else "refuse")
    if not isinstance(sink, FileSink):
        return await _write(folder, sink)
    try:
        with replace_file(sink.path) as file:
            return await _write(folder, open_output(file.name, if_exists="overwrite"))
    except OSError as error:
        raise ConfigError(f"cannot write {output}: {error_reason(error)}") from error


async def _write(folder: Path, sink: Plugin) -> int:
    crawl: Any = SimpleNamespace(settings=Settings())
    count = 0
    async with sink.lifespan(crawl):
        for rows in read_items(folder):
            try:
                await call_persist(sink, rows)
            except CrawlFailed as error:  # no crawl: the reader of standard output has gone
                raise BrokenPipeError from error
            count += len(rows)
    return count


def _lines(folder: Path, state: JobState) -> Iterator[str]:
    stats = state.stats
    arguments = ", ".join(f"{name}={value!r}" for name, value in state.arguments.items())
    yield f"{folder}: {'finished' if state.finished else _waiting(state.waiting)}"
    yield f"  spider    {state.spider}{f' with {arguments}' if arguments else ''}"
    yield f"  runs      {state.runs}"
    pages, kept = many(stats.get("pages", 0), "page"), many(state.items, "item")
    yield f"  so far    {pages}, {kept}, {stats.get('failed', 0)} failed"
    if state.waiting_by_lane:
        yield "  waiting   " + ", ".join(f"{lane}: {count}" for lane, count in list(state.waiting_by_lane.items())[:10])
    if state.failed_by_reason:
        yield "  failed    " + ", ".join(f"{reason}: {count}" for reason, count in state.failed_by_reason.items())
        for shown, failure in enumerate(failed_requests(folder)):
            if shown == SHOWN:
                yield f"    … (all of them are in {folder}/job.sqlite, table failed)"
                break
            at = datetime.fromtimestamp(failure.at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
            tries = many(failure.attempts, "attempt")
            yield f"    {at} {failure.url} {failure.reason} after {tries}: {failure.message}"
        yield f"  again     crawler job {folder} --retry-failed, then the same run"


def _waiting(count: int) -> str:
    return "1 request waits" if count == 1 else f"{count} requests wait"
