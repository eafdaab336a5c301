"""`FileSink`: checks before the crawl, positions in a job, and atomic writes."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest
from support.crawls import CRAWL

from crawler.errors import ConfigError, CrawlFailed, JobError
from crawler.sinks.file_sink import FileSink
from crawler.sinks.resumable_file import MAX_EMPTY


class Lines(FileSink):
    """Writes numbered lines; appends only to files that begin with a digit."""

    name = "lines"

    def inspect(self, file):
        if not file.read(1).isdigit():
            raise self.refuse("it does not begin with a digit")

    def begin(self):
        return self.file.seek(0, io.SEEK_END)

    def cut(self, length):
        return self.cut_at(length)

    def encode(self, items, length):
        return (item + b"\n" for item in items)

    async def write(self, batch):
        self.end = self.put(b"".join(b"%d\n" % number for number in batch), self.end)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lines.txt"


async def write(sink, *batches):
    async with sink.lifespan(CRAWL):
        return [(await sink.persist(batch))["end"] for batch in batches]


# ---- before the crawl ------------------------------------------------------------------------------------------------


def test_the_name_contains_the_path(path):
    assert Lines(path).name == f"lines:{path}"


def test_a_file_that_must_not_be_written_is_refused_at_once(path):
    path.write_text("1\n")
    with pytest.raises(ConfigError, match=r"lines\.txt exists already"):
        Lines(path)
    Lines(path, "overwrite")
    Lines(path, "append")
    assert path.read_text() == "1\n"


async def test_each_worker_of_a_shared_crawl_writes_a_file_of_its_own(path):
    for part in (3, 4):
        sink = Lines(path)
        sink.divide(part)
        assert sink.name == f"lines:{path}"  # the name of the output is that of all parts
        await write(sink, [part])
    assert {file.name: file.read_text() for file in path.parent.iterdir()} == {
        "lines-00003.txt": "3\n",
        "lines-00004.txt": "4\n",
    }
    with pytest.raises(ConfigError, match=r"lines-00003\.txt exists already"):
        Lines(path).divide(3)


async def test_bytes_of_a_removed_worker_after_its_position_are_cut(path):
    gone, heir = Lines(path), Lines(path)
    gone.divide(3)
    async with gone.lifespan(CRAWL):
        kept = [gone.position, await gone.persist([1]), await gone.persist([2])]
    heir.divide(4)
    heir.cut_part(3, kept[1] | {"place": "elsewhere:/lines-00003.txt"}, lambda path: False)
    heir.cut_part(9, kept[1], lambda path: False)
    assert gone.path.read_text() == "1\n2\n"
    heir.cut_part(3, kept[1], lambda path: False)
    heir.cut_part(3, kept[2], lambda path: False)
    assert gone.path.read_text() == "1\n"
    heir.cut_part(3, kept[0], lambda path: False)
    assert gone.path.read_text() == ""
    assert not heir.path.exists()


async def test_a_file_that_somebody_has_changed_is_not_cut(path):
    gone, heir = Lines(path), Lines(path)
    gone.divide(3)
    async with gone.lifespan(CRAWL):
        kept = await gone.persist([1])
        await gone.persist([2])
    gone.path.write_text("7\n2\n")
    heir.divide(4)
    heir.cut_part(3, kept, lambda path: False)
    assert gone.path.read_text() == "7\n2\n"


def test_a_file_of_another_format_is_not_appended_to(path):
    path.write_text("title\n")
    with pytest.raises(
        ConfigError,
        match=r"cannot append to .*: it does not begin with a digit \(--overwrite replaces it; in Python: if_exists\)",
    ):
        Lines(path, "append")
    assert path.read_text() == "title\n"


# ---- a crawl without a job -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("if_exists", "content"), [("overwrite", "1\n2\n"), ("append", "9\n1\n2\n")])
async def test_a_file_is_overwritten_or_appended_to(path, if_exists, content):
    path.write_text("9\n")
    assert await write(Lines(path, if_exists), [1], [2]) == [len(content) - 2, len(content)]
    assert path.read_text() == content


async def test_a_file_that_appeared_since_the_check_is_not_overwritten(path):
    sink = Lines(path)
    path.write_text("mine\n")
    with pytest.raises(ConfigError, match="exists already"):
        await write(sink, [1])
    assert path.read_text() == "mine\n"


async def test_a_folder_that_disappeared_since_the_check_is_an_error(path, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    sink = Lines(folder / "lines.txt")
    folder.rmdir()
    with pytest.raises(ConfigError):
        await write(sink, [1])


# ---- a job -----------------------------------------------------------------------------------------------------------


def resumed(path, position, if_exists="error"):
    sink = Lines(path, if_exists, job=path.parent / "job")
    sink.resumes, sink.position = True, position
    return sink


async def test_a_job_cuts_its_file_to_its_position_and_continues(path):
    path.write_text("1\n2\nhalf a li")
    assert await write(resumed(path, 4), [3]) == [6]
    assert path.read_text() == "1\n2\n3\n"


async def test_a_file_shorter_than_its_position_is_refused(path):
    path.write_text("1\n")
    with pytest.raises(JobError, match=r"has lost items that the job wrote to it \(2 of 4 bytes\): restore it"):
        await write(resumed(path, 4), [3])
    assert path.read_text() == "1\n"


async def test_an_output_without_a_job_is_not_summed(path):
    sink = Lines(path)
    async with sink.lifespan(CRAWL):
        assert (await sink.persist([1]))["checksum"] == ""


async def test_a_missing_file_of_a_job_is_refused(path):
    with pytest.raises(JobError, match=r"lines\.txt is missing, and the job has written to it: restore it, or name"):
        await write(resumed(path, 4), [3])
    assert not path.exists()


@pytest.mark.parametrize("content", [None, b"", b"x" * MAX_EMPTY])
async def test_a_job_whose_first_run_wrote_nothing_starts_over(path, content):
    if content is not None:
        path.write_bytes(content)
    assert await write(resumed(path, None), [1]) == [2]
    assert path.read_text() == "1\n"


async def test_a_larger_file_is_not_mistaken_for_the_empty_file_of_a_job(path):
    path.write_bytes(b"x" * (MAX_EMPTY + 1))
    with pytest.raises(ConfigError, match="exists already"):
        await write(resumed(path, None), [1])


async def test_a_new_sink_of_a_job_has_a_position_before_it_writes(path):
    sink = Lines(path, "append", job=path.parent / "job")
    path.write_text("1\n")
    sink.continues = True
    async with sink.lifespan(CRAWL):
        assert sink.position["end"] == 2


# ---- writing ---------------------------------------------------------------------------------------------------------


async def test_a_batch_is_written_completely_or_not_at_all(path, full_disk):
    sink = Lines(path)
    async with sink.lifespan(CRAWL):
        await sink.persist([1])
        file, sink.file = sink.file, full_disk(sink.file, room=3)
        with pytest.raises(CrawlFailed, match="the disk is full") as caught:
            await sink.persist([2, 3])
        assert caught.value.__cause__.errno == errno.ENOSPC
        assert path.read_bytes() == b"1\n"
        sink.file.room = 99
        assert (await sink.persist([2, 3]))["end"] == 6
        sink.file = file
    assert path.read_bytes() == b"1\n2\n3\n"


@pytest.mark.parametrize("writes_again", [True, False])
async def test_a_file_that_another_program_has_truncated_is_an_error(path, writes_again):
    with pytest.raises(CrawlFailed, match=r"lines\.txt was truncated while the crawl ran: it does not have all items"):
        sink = Lines(path)
        async with sink.lifespan(CRAWL):
            await sink.persist([1, 2])
            os.truncate(path, 1)
            if writes_again:
                await sink.persist([3])
    assert path.read_bytes() == b"1", "there is no hole of zeros"


@pytest.mark.parametrize("is_replaced", [True, False])
async def test_a_file_that_was_removed_or_replaced_is_an_error_at_the_end(path, is_replaced):
    with pytest.raises(CrawlFailed, match=r"lines\.txt was removed or replaced while the crawl ran"):
        async with Lines(path).lifespan(CRAWL):
            path.unlink()
            if is_replaced:
                path.write_text("7\n")


async def test_an_output_keeps_its_place_under_another_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    async with Lines(Path("lines.txt")).lifespan(CRAWL):
        monkeypatch.chdir(tmp_path / "other")
