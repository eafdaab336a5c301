"""``crawler job``: the state of a durable job, its failed requests, and an export of its items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import msgspec
import trio

from crawler.cli.arguments import Argument
from crawler.cli.export import export_items
from crawler.cli.logs import plural, say
from crawler.cli.repair import repair_outputs
from crawler.cli.runs import json_lines, table
from crawler.cli.standard_streams import show, write
from crawler.engine.job import Job
from crawler.errors import ConfigError
from crawler.redaction import redact
from crawler.stats import RunRecord
from crawler.store.inspect import FailedRequest, JobState, failed_requests, inspect_job, runs_of
from crawler.store.inspect import retry_failed as queue_failed_again
from crawler.store.outcome import INCOMPLETE
from crawler.store.registry import find_store
from crawler.store.shared_job import SharedJob

__all__ = ["job"]

CUT: Final = (INCOMPLETE, f"broken_exchange.{INCOMPLETE}")
"""The reasons of pages that were cut: kept, and failed."""
MAX_SHOWN = 20
"""Number of failures that are listed."""


def job(
    job: Annotated[str, Argument("The folder or the URL of the job, as given to run --job.")],
    /,
    *,
    retry_failed: Annotated[
        bool, Argument("Queue failed requests and pages that were cut again, for the next run of the job.")
    ] = False,
    export: Annotated[
        str | None,
        Argument(
            "Write all items of the job to an output, as run -o does, or to standard output (-).",
            metavar="OUT",
            hyphen=True,
        ),
    ] = None,
    repair: Annotated[
        bool,
        Argument("Write outputs that are lost or damaged again; old files are kept as NAME.damaged."),
    ] = False,
    overwrite: Annotated[bool, Argument("Replace the file of --export if it exists.")] = False,
    runs: Annotated[bool, Argument("Compare the runs of the job.")] = False,
    incomplete: Annotated[bool, Argument("List the pages that were cut, failed or kept.")] = False,
    as_json: Annotated[
        bool, Argument("With --runs or --incomplete, print one JSON object for each run or page.", "--json")
    ] = False,
) -> int:
    """Show the state of a job: requests, items, failures, runs.

    Example: crawler job books.job --export books.csv
    """
    check_options(
        retry_failed=retry_failed, export=export, repair=repair, overwrite=overwrite, runs=runs, incomplete=incomplete,
        json=as_json,
    )  # fmt: skip
    where = Job(job)
    if where.folder is None:
        if repair:
            raise ConfigError("--repair needs a job in a folder: --export OUT writes all items of a shared job")
        return shared_job(
            where, retry_failed=retry_failed, export=export, overwrite=overwrite, runs=runs, incomplete=incomplete,
            json=as_json,
        )  # fmt: skip
    folder = where.folder
    if repair:
        return trio.run(repair_outputs, folder)
    if incomplete:
        show_incomplete(str(folder), failed_requests(folder), as_json=as_json)
        return 0
    if runs:
        show_runs(str(folder), inspect_job(folder).runs, runs_of(folder), as_json=as_json)
        return 0
    if export is not None:
        write_items(folder, export, overwrite=overwrite)
    if retry_failed:
        kept = inspect_job(folder).failed_by_reason.get(INCOMPLETE, 0)
        _say_queued(queue_failed_again(folder), kept)
    if export is None and not retry_failed:
        show(redact(line) for line in _lines(folder, inspect_job(folder)))
    return 0


def check_options(
    *, retry_failed: bool, export: str | None, repair: bool, overwrite: bool, runs: bool, incomplete: bool, json: bool
) -> None:
    """Refuse options that do not belong together."""
    if overwrite and export is None:
        raise ConfigError("--overwrite needs --export OUT")
    if json and not (runs or incomplete):
        raise ConfigError("--json needs --runs or --incomplete")
    if runs and incomplete:
        raise ConfigError("--runs cannot be combined with --incomplete")
    if (runs or incomplete) and (export is not None or retry_failed):
        raise ConfigError(f"{'--runs' if runs else '--incomplete'} cannot be combined with --export or --retry-failed")
    if repair and (runs or incomplete or export is not None or retry_failed):
        raise ConfigError("--repair cannot be combined with other actions")


def _say_queued(count: int, kept: int) -> None:
    """Say how many requests are queued again, and how many of them are pages that were cut and kept."""
    failed, cut = plural(count - kept, "failed request"), f"{plural(kept, 'page')} that {_were(kept)} cut"
    if kept:
        queued = f"{failed} and {cut}" if count > kept else cut
        say(f"queued {queued} again: run the job to retry; items of such a page are kept, and may come twice\n")
    elif count:
        say(f"queued {failed} again: run the job to retry\n")
    else:
        say("nothing to retry: no request of the job has failed\n")


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def shared_job(
    where: Job, *, retry_failed: bool, export: str | None, overwrite: bool, runs: bool, incomplete: bool, json: bool
) -> int:
    """Show the state of a job that many workers share, or do with it what the options say."""
    url = str(where.place)
    store = find_store(url)
    if export is not None:
        write_items(url, export, overwrite=overwrite)
    if retry_failed:
        kept = trio.run(store.inspect, url).state.failed_by_reason.get(INCOMPLETE, 0)
        _say_queued(trio.run(store.retry_failed, url), kept)
    if export is None and not retry_failed:
        found = trio.run(store.inspect, url)
        if incomplete:
            show_incomplete(where.shown, found.failures, as_json=json)
        elif runs:
            show_runs(where.shown, found.state.runs, found.runs, as_json=json)
        else:
            show(redact(line) for line in _shared_lines(where.shown, found))
    return 0


def _shared_lines(place: str, found: SharedJob) -> Iterator[str]:
    """Yield the lines that describe the state of a job that many workers share."""
    yield from summary_lines(place, found.state)
    if not found.state.finished:  # else a worker that was killed may seem to have some
        yield f"  groups    {found.groups} with requests, {found.free} of them free"
    lost = f", {found.lost} {_were(found.lost)} lost" if found.lost else ""
    yield f"  workers   {len(found.workers) or 'none'}{lost}"
    for worker in found.workers:
        behind = f", {plural(worker.behind, 'item')} to write" if worker.behind else ""
        yield (
            f"    {worker.owner:>4} {worker.name} for {worker.joined:.0f} s, last seen {worker.seen:.0f} s ago: "
            f"{plural(worker.groups, 'group')}, {plural(worker.pages, 'page')}{behind}"
        )
    if found.state.failed_by_reason.keys() - {INCOMPLETE}:
        yield from failure_lines(found.state, found.failures, "(the table failed in its database has all of them)")


def write_items(job: Path | str, output: str, *, overwrite: bool) -> None:
    """Write all items of a job to an output."""
    count = trio.run(partial(export_items, job, output, overwrite=overwrite))
    say(f"wrote {plural(count, 'item')} to {'standard output' if output == '-' else output}\n")


def show_runs(place: str, opened: int, found: Sequence[RunRecord], *, as_json: bool) -> None:
    """Compare the runs of a job."""
    if as_json:
        write("".join(f"{line}\n" for line in json_lines(found)))
    else:
        show(table(place, opened, found))


def show_incomplete(place: str, failures: Iterable[FailedRequest], *, as_json: bool) -> None:
    """List the pages of a job that were cut."""
    found = [failure for failure in failures if failure.reason in CUT]
    if as_json:
        for row in found:
            fields = {"url": redact(row.url), "kept": row.reason == INCOMPLETE, "message": redact(row.message)}
            write(f"{msgspec.json.encode(fields | {'attempts': row.attempts, 'at': row.at}).decode()}\n")
        return
    kept = sum(row.reason == INCOMPLETE for row in found)
    lines = [f"{place}: {plural(len(found), 'page')} {_were(len(found))} cut, {kept} of them kept"]
    lines += (f"  {_moment(row)} {row.url} {_ending(row)}" for row in found)
    if found:
        lines.append(f"  to fetch them again  crawler job {place} --retry-failed, then run the job again")
    show(redact(line) for line in lines)


def _ending(row: FailedRequest) -> str:
    after = f" after {plural(row.attempts, 'attempt')}"
    return f"{row.message}{after}" if row.reason == INCOMPLETE else f"failed{after}: {row.message}"


def _moment(row: FailedRequest) -> str:
    return datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _lines(folder: Path, state: JobState) -> Iterator[str]:
    """Yield the lines that describe the state of a job in a folder."""
    yield from summary_lines(str(folder), state)
    if state.failed_by_reason.keys() - {INCOMPLETE}:
        more = f"(the table failed in {folder}/job.sqlite has all of them)"
        yield from failure_lines(state, failed_requests(folder), more)
        yield f"  to retry  crawler job {folder} --retry-failed, then run the job again"


def summary_lines(place: str, state: JobState) -> Iterator[str]:
    """Yield the lines that describe the state of any job."""
    stats = state.stats
    arguments = ", ".join(f"{name}={value!r}" for name, value in state.arguments.items())
    yield f"{place}: {'finished' if state.finished else plural(state.waiting, 'request') + ' waiting'}"
    yield f"  spider    {state.spider}{f' with {arguments}' if arguments else ''}"
    yield f"  runs      {state.runs}"
    pages, items = plural(stats.get("pages", 0), "page"), plural(state.items, "item")
    yield f"  so far    {pages}, {items}, {stats.get('failed', 0)} failed"
    if kept := state.failed_by_reason.get(INCOMPLETE):
        yield f"  cut       {plural(kept, 'page')} kept as far as {'it' if kept == 1 else 'they'} came (--incomplete)"
    if state.waiting_by_lane:
        yield "  waiting   " + ", ".join(f"{lane}: {count}" for lane, count in list(state.waiting_by_lane.items())[:10])


def failure_lines(state: JobState, failures: Iterable[FailedRequest], more: str) -> Iterator[str]:
    """Yield the lines about the requests that failed."""
    reasons = (f"{reason}: {n}" for reason, n in state.failed_by_reason.items() if reason != INCOMPLETE)
    yield "  failed    " + ", ".join(reasons)
    for shown, failure in enumerate(failure for failure in failures if failure.reason != INCOMPLETE):
        if shown == MAX_SHOWN:
            yield f"    … {more}"
            break
        after = f" after {plural(failure.attempts, 'attempt')}" if failure.attempts else ""  # none in an outage
        yield f"    {_moment(failure)} {failure.url} {failure.reason}{after}: {failure.message}"
