"""The summary and the report of a crawl, and what prevents them."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from crawler.cli import main
from crawler.cli.logs import plural
from crawler.cli.results import check_report, check_report_is_separate, reader_has_closed, write_report
from crawler.engine.report import Timer
from crawler.errors import ConfigError, CrawlFailed
from crawler.stats import Stats

FULL_DISK = """
import errno
from crawler.sinks.file_sink import FileSink

put, room = FileSink.put, [1, 2, 3]


def put_while_there_is_room(sink, data, at):
    if not room:
        raise OSError(errno.ENOSPC, "No space left on device")
    room.pop()
    return put(sink, data, at)


FileSink.put = put_while_there_is_room
"""


@pytest.fixture
def report():
    now = time.monotonic()
    return Timer(now).report(Stats(pages=2), now=now + 1, finished="finished", spider="books")


def test_a_reader_that_closes_standard_output_ends_the_crawl_quietly(start, books, tmp_path):
    process = start("run", "books.py", "-o", "-", "-s", "delay=0.05", "--report", "report.json")
    assert process.stdout.readline().startswith('{"url":')
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(20) == 1
    assert err == ""
    assert json.loads((tmp_path / "report.json").read_text())["finished"] == "failed"


def test_the_summary_is_shown_even_if_the_report_cannot_be_written(command, books):
    code, _, err = command("run", "books.py", "-s", "max_pages=1", "--report", "/dev/full")
    assert code == 2
    assert err.startswith("finished by max_pages: 1 page")
    assert err.endswith("crawler: cannot write --report /dev/full: no space left on device\n")


@pytest.mark.parametrize(("job", "rest"), [([], ""), (["--job", "books.job"], ", which the next run stores")])
def test_the_summary_says_how_many_items_an_output_lacks(command, books, tmp_path, job, rest):
    books.write_text(books.read_text() + FULL_DISK)
    code, _, err = command("run", "books.py", "-o", "books.jsonl", "-s", "delay=0.02", *job)
    counted = int(re.search(r"and (\d+) items? in", err)[1])
    stored = (tmp_path / "books.jsonl").read_bytes().count(b"\n")
    assert code == 1
    assert f"  output    books.jsonl without the last {plural(counted - stored, 'item')}{rest}\n" in err


def test_a_report_replaces_a_file_and_is_written_into_a_pipe(tmp_path, report):
    path = tmp_path / "report.json"
    path.write_text("old")
    write_report(path, report)
    assert json.loads(path.read_text())["pages"] == 2
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_report(pipe, report)
    assert json.loads(os.read(reading, 65536))["pages"] == 2
    os.close(reading)
    assert pipe.is_fifo()


def test_a_report_that_cannot_be_written_is_refused_before_the_crawl(tmp_path):
    check_report(tmp_path / "report.json")
    with pytest.raises(ConfigError, match="is a folder, not a file"):
        check_report(tmp_path)
    with pytest.raises(ConfigError, match="no such folder"):
        check_report(tmp_path / "missing" / "report.json")


def test_a_report_does_not_replace_the_items_or_the_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = Path("a.jsonl")
    check_report_is_separate(report, ["b.jsonl", "-", "postgresql://host/a.jsonl"], tmp_path / "job")
    for output in ("a.jsonl", "./a.jsonl", str(tmp_path / "a.jsonl"), "a.jsonl?max_rows=5"):
        message = f"--report a.jsonl would replace the output {output}: choose another name"
        with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
            check_report_is_separate(report, ["b.csv", output], None)
    with pytest.raises(ConfigError, match=r"^--report job is the folder of the job: choose another name$"):
        check_report_is_separate(Path("job"), [], tmp_path / "job")


def test_the_report_of_a_run_does_not_replace_its_items(in_process, tmp_path, capsys):
    source = "from crawler import Spider\nclass One(Spider):\n start_urls = ['http://a.test/']\n parse = print\n"
    (tmp_path / "one.py").write_text(source)
    assert main(["run", "one.py", "-o", "items.jsonl", "--report", "items.jsonl"]) == 2
    assert capsys.readouterr().err.startswith("crawler: --report items.jsonl would replace the output items.jsonl")
    assert sorted(path.name for path in tmp_path.glob("items*")) == []


def test_a_report_on_standard_output_needs_no_permission_for_its_folder(monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) == Path("/dev/stdout"))
    check_report(Path("/dev/stdout"))
    with pytest.raises(ConfigError, match="no permission to write --report /dev/none"):
        check_report(Path("/dev/none"))


def test_only_a_closed_pipe_is_the_end_of_a_reader():
    def failed_by(cause: BaseException | None) -> CrawlFailed:
        sink = RuntimeError("the sink failed")
        sink.__cause__ = cause
        error = CrawlFailed("a sink failed")
        error.__cause__ = ExceptionGroup("tasks", [ExceptionGroup("sinks", [sink])])
        return error

    pipe = BrokenPipeError()
    assert reader_has_closed(failed_by(pipe)) is pipe
    assert reader_has_closed(failed_by(OSError("full"))) is None
    assert reader_has_closed(failed_by(None)) is None
    assert reader_has_closed(CrawlFailed("no cause")) is None


def test_a_report_is_written_to_standard_output(command, books):
    code, out, _ = command("run", "books.py", "-s", "max_pages=1", "--report", "-")
    assert (code, json.loads(out)["pages"]) == (0, 1)


@pytest.mark.parametrize(
    ("value", "outputs", "message"),
    [
        ("-", ("books.jsonl", "-"), "either the items (-o -) or the report (--report -), not both"),
        ("--quiet", (), "--report needs a file or -, not --quiet"),
    ],
)
def test_standard_output_has_either_the_items_or_the_report(value, outputs, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_report(Path(value), outputs)
