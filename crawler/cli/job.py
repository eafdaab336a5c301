"""``crawler job``: the state of a durable job, its failed requests, and an export of its items."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import trio
from cyclopts import Parameter

from crawler.cli.export import export_items
from crawler.cli.logs import plural, say
from crawler.cli.runs import json_lines, table
from crawler.cli.standard_streams import show, write
from crawler.errors import ConfigError
from crawler.redaction import redact
from crawler.store.inspect import JobState, failed_requests, inspect_job, runs_of
from crawler.store.inspect import retry_failed as queue_failed_again

__all__ = ["job"]

MAX_SHOWN = 20
"""Number of failures that are listed."""


def job(
    folder: Annotated[Path, Parameter(help="The folder of the job, as given to run --job.")],
    /,
    *,
    retry_failed: Annotated[
        bool, Parameter(help="Queue the failed requests again, for the next run of the job.")
    ] = False,
    export: Annotated[
        str | None,
        Parameter(
            metavar="OUT",
            allow_leading_hyphen=True,
            help="Write all items of the job to an output, as run -o does, or to standard output (-).",
        ),
    ] = None,
    overwrite: Annotated[bool, Parameter(help="Replace the file of --export if it exists.")] = False,
    runs: Annotated[bool, Parameter(help="Compare the runs of the job.")] = False,
    as_json: Annotated[
        bool, Parameter(name="--json", negative="", help="With --runs, print one JSON object for each run.")
    ] = False,
) -> int:
    """Show the state of a job: requests, items, failures, runs.

    Example: crawler job books.job --export books.csv
    """
    if overwrite and export is None:
        raise ConfigError("--overwrite needs --export OUT")
    if as_json and not runs:
        raise ConfigError("--json needs --runs")
    if runs:
        if export is not None or retry_failed:
            raise ConfigError("--runs cannot be combined with --export or --retry-failed")
        _show_runs(folder, as_json=as_json)
        return 0
    if export is not None:
        count = trio.run(partial(export_items, folder, export, overwrite=overwrite))
        say(f"wrote {plural(count, 'item')} to {'standard output' if export == '-' else export}\n")
    if retry_failed:
        count = queue_failed_again(folder)
        say(f"queued {plural(count, 'failed request')} again: run the job to retry\n")
    if export is None and not retry_failed:
        show(redact(line) for line in _lines(folder, inspect_job(folder)))
    return 0


def _show_runs(folder: Path, *, as_json: bool) -> None:
    """Compare the runs of a job."""
    opened, found = inspect_job(folder).runs, runs_of(folder)
    if as_json:
        write("".join(f"{line}\n" for line in json_lines(found)))
    else:
        show(table(str(folder), opened, found))


def _lines(folder: Path, state: JobState) -> Iterator[str]:
    """Yield the lines that describe the state of a job."""
    stats = state.stats
    arguments = ", ".join(f"{name}={value!r}" for name, value in state.arguments.items())
    yield f"{folder}: {'finished' if state.finished else plural(state.waiting, 'request') + ' waiting'}"
    yield f"  spider    {state.spider}{f' with {arguments}' if arguments else ''}"
    yield f"  runs      {state.runs}"
    pages, kept = plural(stats.get("pages", 0), "page"), plural(state.items, "item")
    yield f"  so far    {pages}, {kept}, {stats.get('failed', 0)} failed"
    if state.waiting_by_lane:
        yield "  waiting   " + ", ".join(f"{lane}: {count}" for lane, count in list(state.waiting_by_lane.items())[:10])
    if state.failed_by_reason:
        yield "  failed    " + ", ".join(f"{reason}: {count}" for reason, count in state.failed_by_reason.items())
        for shown, failure in enumerate(failed_requests(folder)):
            if shown == MAX_SHOWN:
                yield f"    … (the table failed in {folder}/job.sqlite has all of them)"
                break
            at = datetime.fromtimestamp(failure.at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
            attempts = plural(failure.attempts, "attempt")
            yield f"    {at} {failure.url} {failure.reason} after {attempts}: {failure.message}"
        yield f"  to retry  crawler job {folder} --retry-failed, then run the job again"
