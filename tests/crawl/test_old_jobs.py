"""Jobs of earlier versions can be inspected and resumed; their folders are kept in `jobs`, with the database as SQL.

Version 0.1 was killed after three of the five pages of `PAGES` and a failure, before the page ``/3``.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from crawler import Produced, Request, Response, Settings, Spider, crawl
from crawler.store.inspect import failed_requests, inspect_job, runs_of
from crawler.testing import FakeSite

JOBS = Path(__file__).parent / "jobs"
KILLED_AT = 1_795_660_679.0
"""The time of the job, in seconds since the epoch."""
PAGES = {"/3": "<a href='/1'>1</a><a href='/4'>4</a>", "/4": "four", "/no": "no", "/gone": "here again"}


class Numbers(Spider):
    settings = Settings(workers=1, delay=1.0, attempts=1)

    def start(self) -> Iterator[Request]:
        yield Request("https://site.test/", quotas={"key:A": 1.0})

    def parse(self, response: Response) -> Produced:
        self.state["seen"] = [*self.state.get("seen", []), response.url]
        self.crawl.count("parsed")
        yield {"url": response.url}
        yield from response.follow_all("a")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the job and its output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "time", lambda: KILLED_AT)
    folder = tmp_path / "numbers"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "job.sqlite")) as database:
        database.executescript((JOBS / "format_1.sql").read_text(encoding="utf-8"))
    shutil.copy(JOBS / "format_1.spool", folder / "items.spool")
    shutil.copy(JOBS / "format_1.jsonl", tmp_path / "numbers.jsonl")
    return folder


def test_an_old_job_can_be_inspected(job: Path) -> None:
    state = inspect_job(job)
    seen = (state.spider, state.runs, state.finished, state.waiting, state.items)
    assert seen == ("numbers (Numbers)", 1, False, 2, 3)
    assert (state.stats["pages"], state.stats["counters"]) == (3, {"parsed": 3})
    assert [failure.url for failure in failed_requests(job)] == ["https://site.test/gone"]


async def test_an_old_job_can_be_resumed(autojump_clock: MockClock, job: Path) -> None:
    site = FakeSite(PAGES)
    report = await crawl(Numbers(), transport=site.transport, job=job, outputs=["numbers.jsonl"])
    assert [visit.url for visit in site.log] == ["https://site.test/3", "https://site.test/4"]  # no robots.txt, not /no
    assert [visit.headers.get("cookie") for visit in site.log] == ["sid=abc", "sid=abc"]
    assert (report.pages, report.items, report.failed, report.counters) == (5, 5, 1, {"parsed": 5})
    assert report.earlier == {"pages": 3, "items": 3, "requests": 5}
    assert report.filtered == {"robots": 1, "duplicate": 1}
    items = [json.loads(line) for line in Path("numbers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [item["url"].rpartition("/")[2] for item in items] == ["", "1", "2", "3", "4"]
    assert meta(job)["note:budgets"]["key:A"]["governor"]["quotas"]["default"]["limit"] == 100.0
    assert state(job) == [f"https://site.test/{path}" for path in ("", "1", "2", "3", "4")]


def meta(job: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(job / "job.sqlite")) as database:
        rows = dict(database.execute("SELECT name, value FROM meta WHERE name LIKE 'note:%'"))
    return {name: json.loads(value) for name, value in rows.items()}


def state(job: Path) -> Any:
    with closing(sqlite3.connect(job / "job.sqlite")) as database:
        [[value]] = database.execute("SELECT value FROM state")
    return json.loads(value)


async def test_an_old_job_records_its_runs_from_now_on(autojump_clock: MockClock, job: Path) -> None:
    assert runs_of(job) == []
    await crawl(Numbers(), job=job, outputs=["numbers.jsonl"], transport=FakeSite(PAGES).transport)
    (run,) = runs_of(job)
    assert (run.number, run.pages, run.items, run.finished) == (2, 2, 2, "finished")
