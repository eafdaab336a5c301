"""The comparison of the runs of a job."""

from __future__ import annotations

import json
import time
from pathlib import Path

import msgspec
import pytest

from crawler.cli.runs import WIDTH, json_lines, table
from crawler.stats import RunRecord


def record(number, items, *, seconds=10.0, finished="finished", problems=0):
    return RunRecord(
        number=number, spider="books", began=1_795_660_679.0 + number, seconds=seconds, finished=finished,
        complete=True, problems=problems, pages=20, items=items, requests=20, failed=1,
    )  # fmt: skip


RUNS = [
    record(1, 200),
    record(2, 150, finished="quota daily of https://api.example"),
    record(3, 0, seconds=None, finished=None),
    record(4, 10, problems=2),
]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_the_table_fits_into_a_terminal() -> None:
    lines = list(table("books.job", 5, RUNS))
    assert lines == [
        "books.job: 5 runs of books (1 without a record)",
        "run            began   pages   items failed seconds pages/s change ended by",
        "  1 2026-11-26 02:38      20     200      1    10.0     2.0      - finished",
        "  2 2026-11-26 02:38      20     150      1    10.0     2.0   -25% quota daily …",
        "  3 2026-11-26 02:38      20       0      1       -       -  -100% not ended",
        "  4 2026-11-26 02:38      20      10      1    10.0     2.0      - 2 problems",
    ]
    assert max(map(len, lines)) <= WIDTH


def test_a_run_that_fetched_nothing_or_changes_only_is_not_compared() -> None:
    idle = msgspec.structs.replace(record(2, 0), pages=0, requests=0, failed=0)
    limited = msgspec.structs.replace(idle, number=3, complete=False, finished="max_pages")
    changed = msgspec.structs.replace(record(4, 10), dealt_with=19)
    runs = [record(1, 200), idle, limited, changed, record(5, 150)]
    assert [line[60:] for line in table("books.job", 5, runs)][2:] == [
        "     - finished",
        "     - nothing to do",
        "     - max_pages",
        "     - finished",
        "  -25% finished",
    ]
    changes = [json.loads(line)["change"] for line in json_lines(runs)]
    nothing = {"pages": None, "items": None, "failed": None}
    assert changes == [*[nothing] * 4, {"pages": 0.0, "items": -0.25, "failed": 0.0}]


def test_a_job_without_records_says_so() -> None:
    assert list(table("old", 3, [])) == ["old: 3 runs (3 without a record)"]


def test_json_has_the_changes_as_shares() -> None:
    found = [json.loads(line) for line in json_lines(RUNS)]
    assert [run["change"]["items"] for run in found] == [None, -0.25, -1.0, None]
    assert found[1]["change"] == {"pages": 0.0, "items": -0.25, "failed": 0.0}
    assert [run["pages_per_second"] for run in found] == [2.0, 2.0, None, 2.0]
    assert found[1]["finished"] == "quota daily of https://api.example"


def test_the_command_compares_the_runs(command, books, tmp_path: Path) -> None:
    for pages in (2, 4):
        command("run", "books.py", "--job", "job", "-o", "items.jsonl", "-s", f"max_pages={pages}", "--quiet")
    code, out, _ = command("job", "job", "--runs")
    assert code == 0
    assert out.splitlines()[0] == "job: 2 runs of books"
    assert [line.split()[3] for line in out.splitlines()[2:]] == ["2", "2"]
    code, out, _ = command("job", "job", "--runs", "--json")
    assert [json.loads(line)["pages"] for line in out.splitlines()] == [2, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--json"], "--json needs --runs or --incomplete"),
        (["--runs", "--incomplete"], "--runs cannot be combined with --incomplete"),
        (["--incomplete", "--retry-failed"], "--incomplete cannot be combined with --export or --retry-failed"),
        (["--runs", "--export", "-"], "--runs cannot be combined with --export or --retry-failed"),
        (["--runs", "--retry-failed"], "--runs cannot be combined with --export or --retry-failed"),
        (["--runs"], "is not a job folder"),
    ],
)
def test_wrong_usage_is_exit_2(command, options: list[str], words: str) -> None:
    code, out, err = command("job", "none", *options)
    assert (code, out) == (2, "")
    assert words in err
