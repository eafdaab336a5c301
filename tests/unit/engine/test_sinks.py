"""Jobs and outputs that were moved, renamed, copied or edited between two runs: no item is lost or written twice."""

from __future__ import annotations

import csv
import gzip
import json
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from backports import zstd
from trio.testing import MockClock

from crawler import ConfigError, JobError, Produced, Response, Settings, Spider, crawl
from crawler.cli.open_outputs import open_outputs
from crawler.store import job_folder
from crawler.testing import FakeSite

PAGES = 12
KINDS = ["jsonl", "json", "csv", "jsonl.gz", "csv.zst"]


class Numbers(Spider):
    start_urls = [f"https://site.test/{n}" for n in range(PAGES)]
    settings = Settings(obey_robots=False, per_host=1, slow_start=False)

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url, "text": "x" * 40}


async def run(
    base: Path,
    *outputs: Path,
    most: int | None = None,
    job: str = "job",
    if_exists: Any = "error",
    spider: Spider | None = None,
) -> None:
    folder = base / job
    await crawl(
        spider or Numbers(),
        settings=Settings(max_pages=most),
        outputs=open_outputs([str(output) for output in outputs], if_exists, job=folder),
        job=folder,
        transport=FakeSite(dict.fromkeys((f"/{n}" for n in range(PAGES)), "x")).transport,
    )


def content_of(path: Path) -> bytes:
    """Return the content of an output, decompressed."""
    return {".gz": gzip.decompress, ".zst": zstd.decompress}.get(path.suffix, bytes)(path.read_bytes())


def packed(kind: str, content: bytes) -> bytes:
    """Return a content as a file of a kind."""
    return {"gz": gzip.compress, "zst": zstd.compress}.get(kind.rpartition(".")[2], bytes)(content)


def read(path: Path) -> list[str]:
    """Return the pages in an output."""
    text = content_of(path).decode()
    if ".csv" in path.suffixes:
        return sorted(row["url"] for row in csv.DictReader(text.splitlines()))
    items = json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
    return sorted(item["url"] for item in items)


ALL = sorted(Numbers.start_urls)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def base(autojump_clock: MockClock, tmp_path: Path, kind: str) -> Path:
    """The folder of a job that has five pages of twelve, and of its output."""
    base = tmp_path / "one"
    base.mkdir()
    await run(base, base / f"items.{kind}", most=5)
    assert len(read(base / f"items.{kind}")) == 5
    return base


# ---- moved -----------------------------------------------------------------------------------------------------------


async def test_a_folder_with_job_and_output_may_be_renamed(base: Path, kind: str) -> None:
    base = base.rename(base.with_name("two"))
    await run(base, base / f"items.{kind}")
    assert read(base / f"items.{kind}") == ALL


async def test_a_folder_with_job_and_output_may_be_copied_and_both_completed(base: Path, kind: str) -> None:
    copy = base.with_name("copy")
    shutil.copytree(base, copy)
    for each in (copy, base):
        await run(each, each / f"items.{kind}")
        assert read(each / f"items.{kind}") == ALL


async def test_a_job_may_be_moved_alone(base: Path, kind: str) -> None:
    other = base.with_name("other")
    other.mkdir()
    (base / "job").rename(other / "job")
    await run(other, base / f"items.{kind}")
    assert read(base / f"items.{kind}") == ALL


async def test_an_output_may_be_moved_alone_and_renamed(base: Path, kind: str) -> None:
    moved = (base / f"items.{kind}").rename(base.with_name(f"moved.{kind}"))
    await run(base, moved)
    assert read(moved) == ALL
    await run(base, moved)  # and is known there from then on
    assert read(moved) == ALL


async def test_job_and_output_are_found_through_symbolic_links(base: Path, kind: str) -> None:
    link = base.with_name("link")
    link.symlink_to(base)
    (base.with_name(f"link.{kind}")).symlink_to(base / f"items.{kind}")
    await run(link, base.with_name(f"link.{kind}"))
    assert read(base / f"items.{kind}") == ALL


async def test_an_output_is_found_by_a_relative_and_by_an_absolute_path(
    base: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base.parent)
    await run(Path("one"), Path("one", f"items.{kind}"), most=8)
    await run(base, base / f"items.{kind}")
    assert read(base / f"items.{kind}") == ALL


async def test_a_copy_of_an_output_gets_the_rest_or_is_refused_but_never_all_items_again(base: Path, kind: str) -> None:
    output, copy = base / f"items.{kind}", base / f"copy.{kind}"
    shutil.copy(output, copy)
    before = copy.read_bytes()
    with pytest.raises(ConfigError, match="exists already: name another output, which gets all items of the job") as no:
        await run(base, output, copy)
    assert "append" not in str(no.value)
    assert copy.read_bytes() == before
    await run(base, output)
    assert read(output) == ALL


async def test_an_output_of_another_crawl_is_not_continued(base: Path, kind: str) -> None:
    other = base / f"other.{kind}"
    await run(base, other, job="other")
    content = other.read_bytes()
    with pytest.raises(ConfigError, match="exists already: name another output"):
        await run(base, other)
    assert other.read_bytes() == content
    await run(base, other, if_exists="overwrite")
    assert read(other) == ALL


async def test_an_output_that_was_moved_and_edited_is_refused(base: Path, kind: str) -> None:
    moved = base.with_name(f"moved.{kind}")
    moved.write_bytes(packed(kind, content_of(base / f"items.{kind}").replace(b"xx", b"yy")))
    content = moved.read_bytes()
    with pytest.raises(ConfigError, match="exists already: name another output"):
        await run(base, moved)
    assert moved.read_bytes() == content


# ---- edited ----------------------------------------------------------------------------------------------------------


def longer(content: bytes) -> bytes:
    return content + b"mine\n"


def much_longer(content: bytes) -> bytes:
    return content + content


def shorter(content: bytes) -> bytes:
    return content[: content.rindex(b"x")]


def without_the_last_item(content: bytes) -> bytes:
    return content[: content.rindex(b"https")]


def changed(content: bytes) -> bytes:
    at = content.rindex(b"x")
    return content[:at] + b"y" + content[at + 1 :]


def without_the_first_item(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(lines[:1] + lines[2:])


@pytest.mark.parametrize(
    "edit", [longer, much_longer, shorter, without_the_last_item, changed, without_the_first_item, lambda _: b""]
)
async def test_an_output_that_somebody_has_edited_is_refused_and_left_as_it_is(
    base: Path, kind: str, edit: Callable[[bytes], bytes]
) -> None:
    output = base / f"items.{kind}"
    content = packed(kind, edit(content_of(output)))
    output.write_bytes(content)
    with pytest.raises(JobError) as caught:
        await run(base, output)
    line = str(caught.value)
    assert "\n" not in line
    assert "name another output, which gets all items of the job" in line
    assert "append" not in line
    assert output.read_bytes() == content
    advice, _, _ = line.partition(" removes it")
    if advice != line:
        subprocess.run(shlex.split(advice[advice.index("truncate") :]), check=True)  # noqa: ASYNC221
        await run(base, output)
        assert read(output) == ALL
    else:
        await run(base, base / f"another.{kind}")
        assert read(base / f"another.{kind}") == ALL


def torn(content: bytes) -> bytes:
    return content[:-9]


def damaged(content: bytes) -> bytes:
    return content[:-1] + b"?"


@pytest.mark.parametrize("kind", ["jsonl.gz", "csv.zst"], indirect=True)
@pytest.mark.parametrize("edit", [longer, much_longer, torn, damaged])
async def test_a_compressed_output_whose_bytes_have_changed_is_refused(
    base: Path, kind: str, edit: Callable[[bytes], bytes]
) -> None:
    output = base / f"items.{kind}"
    content = edit(output.read_bytes())
    output.write_bytes(content)
    with pytest.raises(JobError, match=r"name another output, which gets all items of the job"):
        await run(base, output)
    assert output.read_bytes() == content


async def test_a_missing_output_is_refused(base: Path, kind: str) -> None:
    (base / f"items.{kind}").unlink()
    with pytest.raises(JobError, match="is missing, and the job has written to it: restore it, or name another output"):
        await run(base, base / f"items.{kind}")
    assert not (base / f"items.{kind}").exists()


# ---- the system went down --------------------------------------------------------------------------------------------


@pytest.fixture
def crashed(base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a job with five pages of twelve, during whose last run the system went down."""
    crash(base / "job", monkeypatch)
    return base


def crash(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it seem that the system went down during the last run of a job."""
    with closing(sqlite3.connect(job / "job.sqlite")) as database, database:
        database.execute("UPDATE meta SET value = 0 WHERE name = 'clean'")
    boot = job.with_name("boot")
    boot.write_text("another")
    monkeypatch.setattr(job_folder, "BOOT", boot)


async def test_an_output_that_a_crash_of_the_system_has_cut_is_written_again(
    crashed: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    output = crashed / f"items.{kind}"
    output.write_bytes(output.read_bytes()[:20])
    await run(crashed, output)
    assert read(output) == ALL
    assert "is written again with 5 items of the job; what it held is in" in caplog.text
    assert output.with_name(f"{output.name}.damaged").stat().st_size == 20


async def test_no_crash_removes_an_output_so_it_is_refused_and_repair_is_named(crashed: Path, kind: str) -> None:
    output = crashed / f"items.{kind}"
    output.unlink()
    with pytest.raises(JobError, match="is missing, .*; or crawler job .*job --repair writes it again"):
        await run(crashed, output)
    assert not output.exists()


async def test_an_output_that_was_edited_is_refused_also_after_a_crash_of_the_system(crashed: Path, kind: str) -> None:
    output = crashed / f"items.{kind}"
    edited = packed(kind, content_of(output).replace(b"xxxx", b"mine"))
    output.write_bytes(edited)
    with pytest.raises(JobError):
        await run(crashed, output)
    assert output.read_bytes() == edited
    with pytest.raises(JobError):  # and again
        await run(crashed, output)


async def test_an_output_is_changed_only_if_no_other_is_refused(crashed: Path, kind: str) -> None:
    cut, edited = crashed / f"items.{kind}", crashed / "edited.jsonl"
    before = cut.read_bytes()[:20]
    cut.write_bytes(before)
    edited.write_text("mine")
    with pytest.raises(ConfigError):
        await run(crashed, edited)
    with pytest.raises(ConfigError):
        await run(crashed, cut, edited)
    assert cut.read_bytes() == before


@pytest.mark.parametrize("kind", ["csv"])
@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("text", "words", 1),  # a header
        lambda text: "".join(f"{line.partition(',')[0]}\n" for line in text.splitlines()),  # a column less
        lambda text: text.replace("/3,", "/3!,"),
    ],
    ids=["header", "column", "value"],
)
async def test_a_table_that_was_edited_is_refused_after_a_crash_of_the_system(
    crashed: Path, edit: Callable[[str], str], kind: str
) -> None:
    output = crashed / f"items.{kind}"
    output.write_text(edited := edit(output.read_text()))
    with pytest.raises((JobError, ConfigError)):
        await run(crashed, output)
    assert output.read_text() == edited


@attrs.frozen
class Number:
    url: str


@attrs.frozen
class Word:
    url: str


class Types(Numbers):
    def parse(self, response: Response) -> Produced:
        yield Number(response.url)
        yield Word(response.url)


@pytest.mark.parametrize("kind", ["jsonl"])
async def test_the_last_part_of_each_type_of_a_series_is_written_again_after_a_crash_of_the_system(
    base: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    series = base / f"%(type)s-%(n)d.{kind}?max_rows=4"
    await run(base, series, most=6, job="typed", spider=Types())
    (base / "Number-2.jsonl").write_text("")
    crash(base / "typed", monkeypatch)
    await run(base, series, job="typed", spider=Types())
    for name in ("Number", "Word"):
        parts = sorted(base.glob(f"{name}-?.jsonl"))
        assert [len(read(part)) for part in parts] == [4, 4, 4]
        assert sorted(url for part in parts for url in read(part)) == ALL
