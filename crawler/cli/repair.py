"""`repair_outputs`: mends the outputs of a job that is not running, from its items."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from crawler.cli.logs import plural, say
from crawler.errors import CrawlerError, JobError
from crawler.files import error_reason
from crawler.hooks.sink import Sink
from crawler.redaction import redact
from crawler.sinks.choose import open_output
from crawler.sinks.file_sink import FileSink
from crawler.sinks.series import Series
from crawler.store.item_log import ItemLog
from crawler.store.job_folder import (
    DATABASE,
    SPOOL,
    SQLITE_ERRORS,
    check_is_job,
    connect,
    describe_error,
    locked_folder,
)
from crawler.store.verify import check_job

__all__ = ["repair_outputs"]


async def repair_outputs(folder: Path) -> int:
    """Write each output again that is not as the job left it, say what was done, and return the exit code."""
    failed = False
    with _log_of(folder) as log:
        outputs = log.positions()
        if not outputs:
            say(f"{folder} has no outputs: nothing to repair\n")
        for name, position in outputs.items():
            try:
                line = await _repair(name, position, folder, log)
            except (CrawlerError, OSError) as error:
                failed = True
                line = f"{name} is not repaired: {error_reason(error) if isinstance(error, OSError) else error}"
            say(f"{redact(line)}\n")
    return int(failed)


@contextmanager
def _log_of(folder: Path) -> Iterator[ItemLog]:
    """Open the items of a job and the positions of its sinks; what has changed is saved at the end."""
    check_is_job(folder)
    with locked_folder(folder):
        check_job(folder, None, override=True)
        try:
            with closing(connect(folder)) as database:
                log = ItemLog(database, folder / SPOOL, dict(database.execute("SELECT * FROM meta")), sync=False)
                with closing(log):
                    try:
                        yield log
                    finally:
                        database.execute("BEGIN IMMEDIATE")
                        log.save()
                        database.execute("COMMIT")
        except SQLITE_ERRORS as error:
            raise JobError(describe_error(folder / DATABASE, error)) from error


async def _repair(name: str, position: Any, folder: Path, log: ItemLog) -> str:
    """Write an output again if it is not as the job left it, and return a line about it."""
    shown = name.partition(":")[2] or name
    if position is None:
        return f"{shown}: the job has no position in it, so the next run decides where it begins"
    sink = _sink_of(name, position, folder)
    if sink is None:
        return f"{shown} cannot be written again from here: another output, or --export OUT, gets all items of the job"
    sink.resumes, sink.position = True, position
    cursor, _ = log.position_of(name)
    try:
        sink.verify(partial(log.written_behind, name))
    except JobError:
        position, said = await sink.rewrite(partial(log.written_before, name))
        log.advance(name, cursor, position)
        return said
    return f"{shown} is sound: it has the {plural(cursor, 'item')} that the job has written to it"


def _sink_of(name: str, position: Any, folder: Path) -> Sink | None:
    """Return the sink of an output of files; `None` if it has another kind."""
    kind, _, given = name.partition(":")
    if kind == Series.name:
        limits = zip(("max_rows", "max_bytes"), position["limits"], strict=True)
        query = urlencode([(option, limit) for option, limit in limits if limit is not None])
        place = os.path.relpath(folder.resolve() / given)
        series = open_output(f"{place}?{query}" if query else place, job=folder)
        return series if isinstance(series, Series) else None
    if not isinstance(position, dict) or not position.get("place"):
        return None
    path = Path(os.path.relpath(folder.resolve() / position["place"]))
    sink = open_output(path, if_exists="append", job=folder)
    return sink if isinstance(sink, FileSink) and sink.name.partition(":")[0] == kind else None
