"""The records of the runs of a job."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from crawler.store.inspect import runs_of
from crawler.store.runs import MAX_READ, RunRow, end_last_run, read_runs, write_run
from crawler.store.schema import SCHEMA
from crawler.store.sqlite import SqliteStore


def counts(pages: int) -> dict[str, int]:
    return {"pages": pages, "items": 2 * pages, "requests": pages, "failed": 0}


def database(*rows: tuple[int, RunRow]) -> sqlite3.Connection:
    made = sqlite3.connect(":memory:")
    made.executescript(SCHEMA)
    for number, row in rows:
        write_run(made, number, row)
    return made


def ran(before: int, after: int | None) -> RunRow:
    if after is None:
        return RunRow(spider="s", began=1.0, before=counts(before))
    return RunRow(
        spider="s", began=1.0, before=counts(before), after=counts(after), seconds=2.0, finished="finished",
        complete=True, problems=1,
    )  # fmt: skip


def test_each_run_has_its_own_counts() -> None:
    first, second = read_runs(database((1, ran(0, 10)), (4, ran(10, 15))), counts(15))
    assert (first.number, first.pages, first.items, first.complete, first.problems) == (1, 10, 20, True, 1)
    assert (second.number, second.pages, second.items, second.requests) == (4, 5, 10, 5)
    assert (second.seconds, second.finished) == (2.0, "finished")


def test_a_run_that_was_killed_lasts_until_the_counts_of_the_next_one() -> None:
    killed, after, running = read_runs(database((1, ran(0, None)), (2, ran(7, 9)), (3, ran(9, None))), counts(12))
    assert (killed.pages, killed.finished, killed.seconds, killed.complete) == (7, None, None, False)
    assert after.pages == 2
    assert running.pages == 3


def test_a_run_that_was_killed_when_the_crawl_was_complete_ends_with_the_counts_of_the_job() -> None:
    made = database((1, ran(0, None)), (2, ran(7, None)))
    end_last_run(made, counts(9))
    end_last_run(made, counts(99))  # it has ended
    first, last = read_runs(made, counts(0))
    assert (first.pages, last.pages) == (7, 2)


def test_failures_that_were_queued_again_do_not_make_counts_negative() -> None:
    row = RunRow(spider="s", began=1.0, before={"failed": 5, "pages": 1})
    (run,) = read_runs(database((1, row)), {"failed": 0, "pages": 6})
    assert (run.failed, run.pages, run.items) == (0, 5, 0)


def test_only_the_last_runs_are_read() -> None:
    runs = read_runs(database(*((number, ran(0, 1)) for number in range(1, MAX_READ + 11))), {})
    assert [runs[0].number, runs[-1].number, len(runs)] == [11, MAX_READ + 10, MAX_READ]


async def test_a_run_is_recorded_under_the_number_of_the_opening(tmp_path: Path) -> None:
    job = tmp_path / "job"
    for number in (1, 2):
        with SqliteStore(job) as store:
            await store.record_run(ran(number - 1, None))
            await store.record_run(ran(number - 1, number))
    with SqliteStore(job) as store:
        assert [run.number for run in (await store.resume_state()).runs] == [1, 2]
    assert [(run.number, run.pages) for run in runs_of(job)] == [(1, 1), (2, 1)]
