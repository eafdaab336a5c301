"""A job with a fault fails with one clear line; once repaired, it completes without lost or duplicate items."""

from __future__ import annotations

import random
import re
import resource
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from integration.kills.harness import Durable, durable
from integration.kills.results import read_output
from support.webserver import read_log

OUTPUTS = ["items.jsonl", "items.json", "items.csv"]
LIMIT = 100_000
"""Maximum size of a file on the small disk, in bytes."""
FOREVER = resource.RLIM_INFINITY


@pytest.fixture
def crawl(tmp_path: Path) -> Iterator[Durable]:
    """Return a crawl of a web of 120 pages that has not been started."""
    settings = {"workers": 16, "delay": 0.01}
    with durable(tmp_path, seed=7, hosts=6, pages=120, outputs=OUTPUTS, settings=settings) as crawl:
        yield crawl


@pytest.fixture
def stopped(crawl: Durable) -> Durable:
    """Return the crawl, stopped half-way by Ctrl-C: all data is in the files themselves."""
    process = crawl.start()
    crawl.wait_for_requests(process, 50)
    process.send_signal(signal.SIGINT)
    assert crawl.end(process)[0] == 130
    crawl.kills.append(time.monotonic())
    return crawl


@pytest.fixture
def killed(crawl: Durable) -> Durable:
    """Return the crawl, killed half-way: the last commits are in the write-ahead log."""
    process = crawl.start()
    crawl.wait_for_requests(process, 50)
    crawl.kill(process)
    return crawl


def refused(crawl: Durable, says: str, *more: str, code: int = 2, job: str = "job") -> None:
    """Check that a run ends with one clear line and sends no requests."""
    asked = len(read_log(crawl.log))
    found, said = crawl.run(*more, job=job)
    assert (found, said.count("\n")) == (code, 1), said
    assert said.startswith("crawler: ")
    assert re.search(says, said), said
    assert len(read_log(crawl.log)) == asked


def completes(crawl: Durable) -> None:
    """Check that the next run finishes and that each item exists once."""
    crawl.finish()
    figures = crawl.figures()
    assert figures.holds(), figures


def small_disk() -> None:
    """Limit the size of files in the child process: writing more than `LIMIT` bytes fails as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))


# The disk


def test_a_full_disk_ends_the_crawl_with_one_line_and_space_resumes_it(crawl: Durable) -> None:
    for codes in ((1,), (1, 2)):  # in the second run, the disk is full from the beginning
        code, said = crawl.run(preexec_fn=small_disk)
        assert (code in codes, said.count("\n")) == (True, 1), said
        assert re.search("disk is full|disk i/o error", said)
        crawl.kills.append(time.monotonic())
    completes(crawl)


def test_a_full_disk_of_an_output_ends_the_crawl_and_space_resumes_it(crawl: Durable) -> None:
    before = b'{"url": "http://before.test/", "n": 0}\n'
    old = before * (6_000_000 // len(before))  # larger than every other file that grows
    (crawl.folder / "items.jsonl").write_bytes(old)
    crawl.outputs = ["items.jsonl"]

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(old) + 700, resource.RLIM_INFINITY))

    code, said = crawl.run("--append", preexec_fn=no_room)
    assert (code, said.count("\n")) == (1, 1), said
    assert re.search(
        "cannot write items.jsonl: the disk is full .*too large.*; free some space, then run it again", said
    )
    crawl.kills.append(time.monotonic())
    crawl.finish("--append")
    content = (crawl.folder / "items.jsonl").read_bytes()
    assert content.startswith(old)
    (crawl.folder / "items.jsonl").write_bytes(content.removeprefix(old))
    figures = crawl.figures()
    assert figures.holds(), figures


@pytest.mark.parametrize("full", ["job", "output"])
def test_a_crawl_that_is_killed_while_the_disk_is_full_counts_what_its_outputs_have(crawl: Durable, full: str) -> None:
    """Each run has room for a few more bytes of the largest file; every second one is killed, before that or after."""
    chance, old, more = random.Random(1), 0, []
    crawl.is_quiet = False
    if full == "output":
        old, more, crawl.outputs = 50_000, ["--append"], ["items.jsonl"]
        (crawl.folder / "items.jsonl").write_bytes(b'{"url": "http://before.test/", "n": 0}\n' * old)
    ended: Counter[int] = Counter()
    while ended[0] == 0 and ended.total() < 6:
        largest = max(LIMIT, *(path.stat().st_size for path in crawl.folder.rglob("*") if path.is_file()))
        room = largest + chance.randint(100, 20_000 if full == "job" else 1_500)
        process = crawl.start(*more, preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, FOREVER)))
        if ended.total() % 2 == 0:
            crawl.wait_for_requests(process, chance.uniform(1, 20))
            process.send_signal(signal.SIGKILL)
        code, said = crawl.end(process)
        ended[code] += 1
        if code == 1:
            [items] = re.findall(r" pages? and (\d+) items? in ", said)
            behind = dict(re.findall(r"(items\S*) without the last (\d+) item", said))
            kept = {name: len(read_output(crawl.folder / name)) - old for name in crawl.outputs}
            assert kept == {name: int(items) - int(behind.get(name, 0)) for name in crawl.outputs}, said
    assert ended[-signal.SIGKILL], ended
    assert ended[1], ended
    code, said = crawl.run(*more)
    assert code == 0, said
    figures = crawl.figures()
    assert (figures.lost, figures.wrong, figures.miscounted) == (0, old, 0), figures
    assert (figures.items, figures.twice) == (figures.pages + old, max(0, old - 1)), figures
    assert f" and {figures.pages} items in " in said


@pytest.mark.parametrize("job", ["a-file", "a-file/job", "no/such/folder", "/proc/job"])
def test_a_job_that_cannot_be_written_is_refused(crawl: Durable, job: str) -> None:
    (crawl.folder / "a-file").write_text("mine")
    refused(crawl, re.escape(job), job=job)
    assert (crawl.folder / "a-file").read_text() == "mine"


def test_a_folder_of_other_files_is_not_a_job(crawl: Durable) -> None:
    (crawl.folder / "photos").mkdir()
    (crawl.folder / "photos" / "me.png").write_bytes(b"\x89PNG")
    refused(crawl, "photos is not a job folder.* me.png", job="photos")
    assert [path.name for path in (crawl.folder / "photos").iterdir()] == ["me.png"]


# Damage to the store


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def hole(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:8192] + bytes(8192) + content[16384:])


def another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE photo (name TEXT)")
    database.close()


@pytest.mark.parametrize("harm", [cut, garbage, hole, another_program, Path.unlink])
def test_a_damaged_store_is_refused_and_left_alone(stopped: Durable, harm: Callable[[Path], None]) -> None:
    job = stopped.folder / "job"
    shutil.copytree(job, stopped.folder / "backup")
    harm(job / "job.sqlite")
    harmed = {path.name: path.read_bytes() for path in job.iterdir() if path.name.endswith((".sqlite", ".spool"))}
    refused(stopped, r"job\.sqlite")
    assert {name: (job / name).read_bytes() for name in harmed} == harmed
    shutil.rmtree(job)
    (stopped.folder / "backup").rename(job)
    completes(stopped)


def test_a_truncated_item_log_is_refused(killed: Durable) -> None:
    spool = killed.folder / "job" / "items.spool"
    content = spool.read_bytes()
    cut(spool)
    refused(killed, r"items\.spool is damaged")
    spool.write_bytes(content)
    completes(killed)


@pytest.mark.parametrize("harm", [cut, garbage])
def test_a_store_without_its_last_commits_resumes_from_the_one_before(
    killed: Durable, harm: Callable[[Path], None]
) -> None:
    """A crash of the machine may damage the write-ahead log: pages are fetched again, items stay unique."""
    wal = killed.folder / "job" / "job.sqlite-wal"
    content = wal.read_bytes()
    wal.write_bytes(content[: len(content) * 3 // 4])
    rest = wal.with_name("rest")
    rest.write_bytes(content[len(content) * 3 // 4 :])
    harm(rest)
    wal.write_bytes(wal.read_bytes() + rest.read_bytes())
    rest.unlink()
    killed.finish()
    figures = killed.figures()
    assert figures.refetches > 0
    figures.refetches = 0
    assert figures.holds(), figures


# Damage to the outputs


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_missing_or_truncated_output_is_refused(stopped: Durable, output: str) -> None:
    path = stopped.folder / output
    content = path.read_bytes()
    path.unlink()
    refused(stopped, f"{output} is missing")
    path.write_bytes(content[: len(content) // 2])
    refused(stopped, f"{output} has lost items")
    path.write_bytes(content)
    completes(stopped)


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_output_that_existed_before_the_job_is_never_changed(crawl: Durable, output: str) -> None:
    path = crawl.folder / output
    path.write_text("precious\n")
    for _ in range(3):
        refused(crawl, f"{output} exists already")
        assert path.read_text() == "precious\n"
    path.unlink()
    completes(crawl)


# Jobs of other crawls and processes


def test_the_job_of_another_crawl_is_refused_with_the_difference(stopped: Durable) -> None:
    refused(
        stopped, r"belongs to another crawl: .*front was .*page/0.* now .*page/1", "-a", f"front={stopped.web.url(1)}"
    )
    refused(stopped, r"max_depth was null and is now 3", "-s", "max_depth=3")
    spider = stopped.folder / "everything.py"
    text = spider.read_text()
    spider.write_text(text.replace("class Everything(", "class Other("))
    refused(stopped, r"spider was .*Everything.* now .*Other")
    spider.write_text(text)
    completes(stopped)


def test_one_job_is_run_by_one_process(crawl: Durable) -> None:
    process = crawl.start()
    crawl.wait_for_requests(process, 50)
    process.send_signal(signal.SIGSTOP)  # so that it cannot finish first
    found, said = crawl.run()
    process.send_signal(signal.SIGCONT)
    assert (found, said.count("\n")) == (2, 1), said
    assert f"in use by process {process.pid}" in said
    assert crawl.end(process) == (0, "")
    figures = crawl.figures()
    assert figures.holds(), figures


def test_a_finished_job_says_so_and_sends_no_request(crawl: Durable) -> None:
    completes(crawl)
    asked = len(read_log(crawl.log))
    contents = [(crawl.folder / output).read_bytes() for output in OUTPUTS]
    code, said = crawl.run()
    assert (code, said.count("\n")) == (0, 1), said
    assert "job had finished" in said
    assert len(read_log(crawl.log)) == asked
    assert [(crawl.folder / output).read_bytes() for output in OUTPUTS] == contents
    figures = crawl.figures()
    assert figures.holds(), figures
