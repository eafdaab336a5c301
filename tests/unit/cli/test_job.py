"""``crawler run --job`` and ``crawler job`` from outside: a job resumes, shows its state, and belongs to one crawl."""

from __future__ import annotations

import csv
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from crawler.cli.app import main
from crawler.store.inspect import JobState
from crawler.store.shared_job import SharedJob, WorkerState

TOTAL = 29
"""Pages of the demo site of which the spider `books` makes an item."""
STATE = JobState(
    spider="books", arguments={}, runs=1, finished=True, waiting=0, items=0, stats={}, waiting_by_lane={},
    failed_by_reason={},
)  # fmt: skip
WORKER = WorkerState(owner=3, name="vm 7", joined=9.0, seen=1.0, groups=0, pages=0, behind=0)


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def pages(items):
    return sorted(item["url"] for item in items)


@pytest.mark.parametrize(
    ("seen", "lost", "line"),
    [
        ([], 0, "  workers   none"),
        ([], 1, "  workers   none, 1 was lost"),
        ([WORKER], 2, "  workers   1, 2 were lost"),
    ],
)
def test_a_shared_job_names_its_workers(monkeypatch, capsys, seen, lost, line):
    async def inspect(url):
        return SharedJob(state=STATE, groups=0, free=0, workers=seen, lost=lost, runs=(), failures=())

    monkeypatch.setattr("crawler.cli.job.find_store", lambda url: SimpleNamespace(inspect=inspect))
    assert main(["job", "redis://db.test/0/books"]) == 0
    assert line in capsys.readouterr().out.splitlines()


@pytest.fixture
def asked(site):
    """Return the paths that the site was asked for since the last call."""
    before = len(site.hits)

    def asked():
        nonlocal before
        paths = [hit.path for hit in site.hits[before:] if hit.path != "/robots.txt"]
        before = len(site.hits)
        return paths

    return asked


@pytest.fixture
def half(command, books, asked):
    """A job that stopped after five pages."""
    code, _, _ = command("run", "books.py", "--job", "job", "-o", "items.jsonl", "-s", "max_pages=5", "--quiet")
    assert code == 0
    asked()
    return ["run", "books.py", "--job", "job", "-o", "items.jsonl"]


def test_the_line_and_the_summary_of_a_job_count_this_run(command, start, books, asked):
    run = ["run", "books.py", "--job", "job", "-o", "items.jsonl"]
    code, _, err = command(*run, "-s", "max_pages=3", "-s", "delay=0.5")
    assert code == 0
    assert "  waited    " in err
    ours, theirs = pty.openpty()
    process = start(*run, "-s", "max_pages=3", "-s", "delay=0.5", stderr=theirs)
    os.close(theirs)
    seen = b""
    while chunk := _read(ours):
        seen += chunk
    os.close(ours)
    assert process.wait(60) == 0
    live, _, summary = seen.decode().partition("finished by max_pages: 3 pages")
    assert "3 pages · 0.0/s · 3 items" in live
    assert "this run  0 pages; the others are from other runs of the job" in summary
    assert "  waited" not in summary


def _read(terminal):
    """Return what a terminal shows; nothing once its other end is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


BAD = """\
from pathlib import Path

from crawler import Spider


class Bad(Spider):
    start_urls = ["{url}", "{url}books/1", "http://127.0.0.1:9/"]

    def parse(self, response):
        if "books" in response.url and not Path("repaired").exists():
            raise LookupError("no shelf")
        yield {{"url": response.url}}
"""


@pytest.fixture
def bad(command, tmp_path, site, asked):
    """A job that is finished, with two failures."""
    (tmp_path / "bad.py").write_text(BAD.format(url=site.url))
    run = ["run", "bad.py", "--job", "job", "-o", "bad.jsonl", "-s", "attempts=1", "-s", "outage_patience=0"]
    code, _, _ = command(*run, traceback=True)
    assert code == 4
    asked()
    return run


# ---- resuming --------------------------------------------------------------------------------------------------------


def test_the_same_command_resumes_and_fetches_only_the_missing_pages(command, half, tmp_path, asked):
    first = lines(tmp_path / "items.jsonl")
    assert len(first) == 5
    code, _, err = command(*half, "--report", "report.json")
    assert code == 0
    assert "this run  24 pages; the others are from other runs" in err
    items = lines(tmp_path / "items.jsonl")
    assert items[:5] == first  # continued, not rewritten
    assert len({item["url"] for item in items}) == len(items) == TOTAL
    paths = asked()
    assert not {"/" + item["url"].split("/", 3)[3] for item in first} & set(paths)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["pages"], report["items"]) == (TOTAL, TOTAL)


def test_a_killed_crawl_resumes_with_each_item_once(command, start, books, tmp_path):
    run = ["run", "books.py", "--job", "job", "-o", "items.jsonl", "-o", "items.csv"]
    process = start(*run, "-s", "delay=0.05")
    deadline = time.monotonic() + 30
    while not (tmp_path / "items.jsonl").exists() or (tmp_path / "items.jsonl").read_bytes().count(b"\n") < 4:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert "requests waiting" in command("job", "job")[1]
    assert command(*run, "--quiet")[0] == 0
    items = lines(tmp_path / "items.jsonl")
    assert len({item["url"] for item in items}) == len(items) == TOTAL
    with (tmp_path / "items.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == items


def test_a_finished_job_says_so_and_fetches_nothing(command, half, tmp_path, asked):
    assert command(*half, "--quiet")[0] == 0
    before = (tmp_path / "items.jsonl").read_bytes()
    asked()
    code, _, err = command(*half)
    assert code == 0
    assert "job had finished before: there is nothing to fetch" in err
    assert asked() == []
    assert (tmp_path / "items.jsonl").read_bytes() == before


def test_an_output_that_is_added_later_gets_all_items(command, half, tmp_path):
    assert command(*half, "--quiet")[0] == 0
    code, _, err = command(*half, "-o", "items.csv", "-o", "items.json")
    assert code == 0
    assert f"job had finished before: {TOTAL} items are still to be written" in err
    items = lines(tmp_path / "items.jsonl")
    assert len(items) == TOTAL
    assert json.loads((tmp_path / "items.json").read_text()) == items
    with (tmp_path / "items.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == items


def test_an_output_that_a_run_omits_catches_up_later(command, half, tmp_path, asked):
    assert command("run", "books.py", "--job", "job", "--quiet")[0] == 0
    assert len(lines(tmp_path / "items.jsonl")) == 5
    asked()
    assert command(*half, "--quiet")[0] == 0
    assert asked() == []
    assert len(lines(tmp_path / "items.jsonl")) == TOTAL


def test_an_output_that_is_missing_or_too_short_is_refused(command, half, tmp_path, asked):
    path = tmp_path / "items.jsonl"
    whole = path.read_bytes()
    path.unlink()
    code, _, err = command(*half)
    assert (code, err.count("\n")) == (2, 1)
    assert "items.jsonl is missing, and the job has written to it" in err
    path.write_bytes(whole[:-1])
    code, _, err = command(*half)
    assert (code, err.count("\n")) == (2, 1)
    assert "items.jsonl has lost items that the job wrote to it" in err
    assert asked() == []
    path.write_bytes(whole)
    assert command(*half, "--quiet")[0] == 0
    assert len(lines(path)) == TOTAL


def test_foreign_bytes_after_the_items_are_refused_and_can_be_removed(command, half, tmp_path):
    end = (tmp_path / "items.jsonl").stat().st_size
    with (tmp_path / "items.jsonl").open("a") as file:
        file.write('{"url": "mine"}\n')
    code, _, err = command(*half)
    advice = f"truncate -s {end} items.jsonl"
    said = (
        f"crawler: items.jsonl has content after byte {end} that the job did not write: {advice} removes it; or name "
    )
    assert (code, err) == (2, f"{said}another output, which gets all items of the job\n")
    assert (tmp_path / "items.jsonl").read_text().endswith('{"url": "mine"}\n')
    subprocess.run(advice.split(), cwd=tmp_path, check=True)
    assert command(*half, "--quiet")[0] == 0
    assert len(lines(tmp_path / "items.jsonl")) == TOTAL


@pytest.mark.parametrize(
    ("name", "old"),
    [
        ("items.jsonl", '{"url": "old", "title": ""}\n'),
        ("items.json", '[{"url": "old", "title": ""}]\n'),
        ("items.csv", "\N{BOM}url,title\r\nold,\r\n"),
    ],
)
def test_appending_continues_after_a_kill_that_left_half_an_item(command, books, tmp_path, name, old):
    path = tmp_path / name
    path.write_text(old, encoding="utf-8", newline="")
    run = ["run", "books.py", "--job", "job", "-o", name, "--append", "--quiet"]
    assert command(*run, "-s", "max_pages=5")[0] == 0
    shutil.copytree(tmp_path / "job", tmp_path / "earlier")
    assert command(*run) == (0, "", "")
    # The files are those of the end, the commits those of the first run, as if the others had not come to the disk.
    shutil.copy(tmp_path / "earlier" / "job.sqlite", tmp_path / "job" / "job.sqlite")
    (tmp_path / "job" / "job.sqlite-wal").touch()
    os.truncate(path, path.stat().st_size - 9)
    assert command(*run) == (0, "", "")
    content = path.read_text(encoding="utf-8-sig")
    reads = {".json": json.loads, ".csv": lambda text: list(csv.DictReader(text.splitlines()))}
    items = reads[path.suffix](content) if path.suffix in reads else lines(path)
    assert items[0] == {"url": "old", "title": ""}
    assert all(item.keys() == items[0].keys() for item in items)  # of a table: no column came twice
    assert len(set(pages(items))) == len(items) == TOTAL + 1


def test_a_file_that_cannot_be_appended_to_is_refused_before_the_job_takes_it(command, books, tmp_path, asked):
    path = tmp_path / "items.jsonl"
    path.write_text('{"url": "half a li')
    for _ in range(2):
        code, _, err = command("run", "books.py", "--job", "job", "-o", "items.jsonl", "--append")
        assert (code, err.count("\n")) == (2, 1)
        assert "line is not JSON" in err
    assert (path.read_text(), asked()) == ('{"url": "half a li', [])


def test_a_job_that_survives_power_failures_has_the_same_items(command, books, tmp_path):
    code, _, _ = command("run", "books.py", "--job", "job", "-o", "items.jsonl", "-s", "durability=power", "--quiet")
    assert code == 0
    assert len(lines(tmp_path / "items.jsonl")) == TOTAL


def test_a_job_folder_may_be_moved(command, half, tmp_path):
    (tmp_path / "job").rename(tmp_path / "elsewhere")
    run = [*half[:3], "elsewhere", *half[4:]]
    assert command(*run, "--quiet")[0] == 0
    assert len(lines(tmp_path / "items.jsonl")) == TOTAL


@pytest.mark.parametrize("closed", [(1,), (0, 1, 2)])
def test_files_of_a_job_do_not_replace_closed_standard_streams(start, books, tmp_path, closed):
    with books.open("a") as file:
        file.write("        import contextlib, os\n")
        file.write("        for number in (1, 2):\n")
        file.write("            with contextlib.suppress(OSError):\n")
        file.write("                os.write(number, b'from far below')\n")
    run = ["run", "books.py", "--job", "job", "-o", "items.jsonl"]
    process = start(*run, closed=closed)
    assert process.wait(60) == 0
    assert len(lines(tmp_path / "items.jsonl")) == TOTAL
    assert not any(b"from far below" in path.read_bytes() for path in (tmp_path / "job").iterdir())


def test_a_full_standard_error_does_not_change_how_a_crawl_ends(start, books, tmp_path):
    with Path("/dev/full").open("w") as full:
        process = start("run", "books.py", "--job", "job", "-o", "items.jsonl", stderr=full.fileno())
        assert process.wait(60) == 0
    assert len(lines(tmp_path / "items.jsonl")) == TOTAL


# ---- changes that are refused ----------------------------------------------------------------------------------------


def test_another_argument_setting_or_spider_is_refused_with_the_difference(command, half, tmp_path, site, asked):
    other = (tmp_path / "books.py").read_text().replace("class Books", "class Others")
    (tmp_path / "others.py").write_text(other)
    changed = {
        "argument shelf was ": ("books.py", "-a", "shelf=2"),
        "argument start_urls was ": ("books.py", "-a", f"start_urls={site.url}books/1"),
        "setting max_depth was null and is now 3": ("books.py", "-s", "max_depth=3"),
        "setting obey_robots was true and is now false": ("books.py", "-s", "obey_robots=false"),
        'spider was "books (Books)" and is now "others (Others)"': ("others.py",),
    }
    first = (tmp_path / "items.jsonl").read_bytes()
    for words, arguments in changed.items():
        code, out, err = command("run", *arguments, "--job", "job", "-o", "items.jsonl")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("crawler: job belongs to another crawl: ")
        assert words in err
        assert "--override continues it with the change" in err
    assert asked() == []
    assert (tmp_path / "items.jsonl").read_bytes() == first


def test_settings_that_do_not_affect_the_result_may_change(command, half, tmp_path):
    assert command(*half, "-s", "workers=2", "-s", "delay=0.001", "-s", "attempts=5", "--quiet")[0] == 0
    assert len(lines(tmp_path / "items.jsonl")) == TOTAL


def test_override_continues_the_job_with_the_change(command, half, tmp_path):
    code, _, _ = command(*half, "-a", "shelf=2", "--override", "--quiet")
    assert code == 0
    assert len(lines(tmp_path / "items.jsonl")) == TOTAL
    assert command(*half, "-a", "shelf=2", "--quiet")[0] == 0  # the job belongs to the changed crawl now
    assert command(*half)[0] == 2
    assert "books (Books) with shelf=2" in command("job", "job")[1]


# ---- crawler job -----------------------------------------------------------------------------------------------------


def test_job_shows_the_state_of_a_job(command, half, site):
    code, out, err = command("job", "job")
    assert (code, err) == (0, "")
    shown = out.splitlines()
    lane = site.url.rstrip("/")
    waiting = int(shown[0].removeprefix("job: ").removesuffix(" requests waiting"))
    assert shown[1:] == [
        "  spider    books (Books)",
        "  runs      1",
        "  so far    5 pages, 5 items, 0 failed",
        f"  waiting   {lane}: {waiting}",
    ]
    assert command(*half, "--quiet")[0] == 0
    assert command("job", "job")[1].splitlines() == [
        "job: finished",
        "  spider    books (Books)",
        "  runs      2",
        f"  so far    {TOTAL} pages, {TOTAL} items, 0 failed",
    ]


def test_failures_are_listed_with_their_reason(command, bad, site):
    code, out, _ = command("job", "job")
    assert code == 0
    assert out.startswith("job: finished\n")
    assert "  failed    callback_error: 1, connect_failed: 1\n" in out
    assert f" {site.url}books/1 callback_error after 1 attempt: LookupError: no shelf\n" in out
    assert " http://127.0.0.1:9/ connect_failed: " in out
    assert out.endswith("  to retry  crawler job job --retry-failed, then run the job again\n")


def test_the_next_run_fetches_requests_that_are_queued_again_and_nothing_else(command, bad, tmp_path, site, asked):
    (tmp_path / "repaired").touch()
    assert command("job", "job", "--retry-failed") == (0, "", "queued 2 failed requests again: run the job to retry\n")
    assert command("job", "job")[1].startswith("job: 2 requests waiting\n")
    assert command("job", "job", "--retry-failed")[2] == "nothing to retry: no request of the job has failed\n"
    assert command(*bad)[0] == 4  # the other port is still closed
    assert asked() == ["/books/1"]
    assert pages(lines(tmp_path / "bad.jsonl")) == [site.url, f"{site.url}books/1"]
    out = command("job", "job")[1]
    assert "so far    2 pages, 2 items, 1 failed" in out
    assert "callback_error" not in out


def test_all_items_of_a_job_are_exported_in_every_format(command, half, tmp_path):
    items = lines(tmp_path / "items.jsonl")
    assert command("job", "job", "--export", "all.jsonl") == (0, "", "wrote 5 items to all.jsonl\n")
    assert lines(tmp_path / "all.jsonl") == items
    assert command("job", "job", "--export", "all.csv")[0] == 0
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == items
    code, out, err = command("job", "job", "--export", "-")
    assert (code, err) == (0, "wrote 5 items to standard output\n")
    assert [json.loads(line) for line in out.splitlines()] == items
    # an export does not change the job
    assert command(*half, "--quiet")[0] == 0
    assert len(lines(tmp_path / "items.jsonl")) == TOTAL


@pytest.mark.parametrize("name", ["all.jsonl", "all.json", "all.csv"])
def test_an_export_that_fills_the_disk_says_so_and_keeps_the_old_file(start, command, books, tmp_path, name):
    books.write_text(books.read_text().replace('"title":', '"text": "x" * 3000, "title":'))
    assert command("run", "books.py", "--job", "job", "--quiet")[0] == 0
    (tmp_path / name).write_text("the old one")
    before = sorted(tmp_path.iterdir())
    process = start(
        "job", "job", "--export", name, "--overwrite", fresh=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )  # fmt: skip
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (2, "", f"crawler: cannot write {name}: file too large\n")
    assert (tmp_path / name).read_text() == "the old one"
    assert sorted(tmp_path.iterdir()) == before


def test_an_export_whose_reader_closes_the_pipe_ends_silently(start, half, command):
    process = start("job", "job", "--export", "-")
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 1


def test_an_export_into_the_folder_of_the_job_is_private_as_the_job_is(command, half, tmp_path):
    assert command("job", "job", "--export", "job/all.jsonl")[0] == 0
    assert (tmp_path / "job" / "all.jsonl").stat().st_mode & 0o777 == 0o600


def test_an_export_replaces_a_file_only_with_overwrite(command, half, tmp_path):
    (tmp_path / "all.jsonl").write_text("mine\n")
    refusal = "crawler: all.jsonl exists already: --overwrite replaces it\n"
    assert command("job", "job", "--export", "all.jsonl") == (2, "", refusal)
    assert (tmp_path / "all.jsonl").read_text() == "mine\n"
    assert command("job", "job", "--export", "all.jsonl", "--overwrite")[0] == 0
    assert len(lines(tmp_path / "all.jsonl")) == 5


# ---- wrong usage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--retry-failed",), ("--export", "all.jsonl")])
def test_a_folder_without_a_job_is_refused_and_left_alone(refused, tmp_path, options):
    (tmp_path / "empty").mkdir()
    assert refused("job", "empty", *options) == "empty is not a job folder: it has no job.sqlite"
    assert refused("job", "none", *options) == "none is not a job folder: it has no job.sqlite"
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_an_option_that_needs_another_one_is_refused_without_it(refused, books):
    assert refused("run", "books.py", "--override") == "--override needs --job"
    assert refused("job", "job", "--overwrite") == "--overwrite needs --export OUT"


def test_a_job_does_not_start_in_a_folder_with_other_files(refused, books, tmp_path):
    before = sorted(path.name for path in tmp_path.iterdir())
    told = refused("run", "books.py", "--job", ".")
    first = min(path.name for path in tmp_path.iterdir())  # loading the spider may have left a __pycache__
    assert told == f". is not a job folder: it contains {first}; name a new or an empty folder for the job"
    assert set(before) <= {path.name for path in tmp_path.iterdir()} <= {*before, "__pycache__"}


def test_a_running_job_can_be_inspected_but_not_run_twice(command, start, books, tmp_path):
    process = start("run", "books.py", "--job", "job", "-s", "delay=1")
    deadline = time.monotonic() + 30
    while not (tmp_path / "job" / "job.sqlite").exists() or "requests waiting" not in command("job", "job")[1]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for words in (["run", "books.py", "--job", "job"], ["job", "job", "--retry-failed"]):
        code, _, err = command(*words)
        assert (code, err) == (2, f"crawler: job is in use by process {process.pid}\n")


def test_a_file_that_was_deleted_is_restored_by_an_export(command, half, tmp_path):
    for name in ("other.csv", "other.json"):
        assert command(*half, "-s", "max_pages=5", "-o", name)[0] == 0
    for name in ("items.jsonl", "other.csv", "other.json"):
        (tmp_path / name).unlink()
        assert "is missing, and the job has written to it" in command(*half, "-o", "other.csv", "-o", "other.json")[2]
        assert command("job", "job", "--export", name)[0] == 0
    assert command(*half, "-o", "other.csv", "-o", "other.json")[0] == 0
    assert sorted(lines(tmp_path / "items.jsonl"), key=str) == sorted(
        json.loads((tmp_path / "other.json").read_text()), key=str
    )
