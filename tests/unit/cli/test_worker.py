"""``crawler worker`` without a server; `tests/integration/fleet` has workers that run."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from crawler import LeaseLost
from crawler.cli import app, worker
from crawler.cli.app import main
from crawler.cli.arguments import Argument

URL = "postgresql://db.test/crawls/books"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([URL], "crawler worker needs a spider after the URL of the job"),
        (["books.job", "books.py"], "needs the URL of a job, not books.job: crawler run --job DIR uses a folder"),
        ([URL, "books.py", "--job", "other"], "takes the job as its first argument, not as --job"),
        ([URL, "books.py", "--job=other"], "takes the job as its first argument, not as --job"),
        (["postgresql://db.test/crawls", "https://a.test/"], "names no database and job"),
        (["env:NO_SUCH_JOB", "https://a.test/"], "the environment variable 'NO_SUCH_JOB' is not set"),
    ],
    ids=["spider", "folder", "job", "job=", "url", "variable"],
)
def test_wrong_arguments_are_refused_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["worker", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_worker_that_lost_its_lease_joins_again_and_a_stopped_one_has_succeeded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given: list[tuple[str, tuple[str, ...], str]] = []

    def run(
        target: Annotated[str, Argument("")],
        /,
        *,
        setting: Annotated[tuple[str, ...], Argument("", "-s")],
        job: Annotated[str, Argument("")],
    ) -> int:
        given.append((target, setting, job))
        if len(given) == 1:
            raise LeaseLost.after(60.0)
        return 130

    monkeypatch.setattr(worker, "command", run)
    result: Any = worker.worker(URL, "books.py", "-s", "delay=1")
    assert result == 0
    assert given == [("books.py", ("delay=1",), URL)] * 2
    assert [record.getMessage() for record in caplog.records] == [
        "this worker did not reach the store of the job for 60 s, so other workers have its requests; it joins again"
    ]


def test_a_crawl_whose_lease_was_lost_asks_to_be_started_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise LeaseLost.with_commits("redis://cache.test/books")

    monkeypatch.setattr(app, "command_of", lambda _: run)
    assert main(["run", "https://a.test/"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("crawler: the crawl failed: redis://cache.test/books has lost commits of this worker")
    assert said.endswith(": their pages are fetched again; start it again\n")
