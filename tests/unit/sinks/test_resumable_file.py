"""`ResumableFile`: edits of a file are noticed, and checksums continue over the runs of a job."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.crawls import CRAWL

from crawler.errors import JobError
from crawler.sinks import open_output
from crawler.sinks.compression import compression_of
from crawler.sinks.position import TAIL
from crawler.sinks.resumable_file import last_line, open_content


@pytest.mark.parametrize("name", ["items.jsonl", "items.jsonl.gz"])
def test_a_file_is_read_decompressed(tmp_path, name):
    content = b"one\ntwo\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with open_content(tmp_path / name, compression_of(name)) as file:
        assert last_line(file) == b"two\n"


@given(content=st.lists(st.text("ab", max_size=200), max_size=4).map(lambda lines: "\n".join(lines).encode()))
def test_the_last_line_agrees_with_splitlines(content):
    expected = content.splitlines(keepends=True)[-1] if content else b""
    assert last_line(io.BytesIO(content)) == expected


@pytest.mark.parametrize("size", [65_534, 65_535, 65_536, 65_537, 200_000])
def test_the_last_line_may_be_longer_than_a_read(size):
    line = b"x" * size
    assert last_line(io.BytesIO(b"first\n" + line)) == line
    assert last_line(io.BytesIO(b"first\n" + line + b"\n")) == line + b"\n"
    assert last_line(io.BytesIO(line)) == line


ITEMS = [{"n": number, "text": "some text"} for number in range(200)]
FORMATS = ["jsonl", "json", "csv", "jsonl.gz", "json.gz", "csv.gz"]


def edited(path):
    """Change one character in the first item, and nothing else: neither the length nor a later byte."""
    data = path.read_bytes()
    if path.suffix != ".gz":
        changed = data.replace(b"some text", b"same text", 1)
        path.write_bytes(changed)
        return len(changed) == len(data) and changed[-TAIL:] == data[-TAIL:]
    members, member = [], zlib.decompressobj(31)
    while data:
        members.append(member.decompress(data))
        data, member = member.unused_data, zlib.decompressobj(31)
    first = next(number for number, content in enumerate(members) if b"some text" in content)
    members[first] = members[first].replace(b"some text", b"same text", 1)
    path.write_bytes(b"".join(zlib.compress(content, level=6, wbits=31) for content in members))
    return True


async def store_in_job(path, rows, *batches, position=None, behind=()):
    """Store batches as a run of a job, checked as at its start, and return the last position."""
    sink = open_output(path, job=path.parent / "job")
    sink.resumes, sink.position = position is not None, position
    sink.verify(lambda: iter(rows(behind)))
    async with sink.lifespan(CRAWL):
        position = sink.position
        for batch in batches:
            position = await sink.persist(rows(batch))
    return position


@pytest.mark.parametrize("ending", FORMATS)
async def test_an_edit_far_before_the_position_that_keeps_the_length_is_noticed(tmp_path, rows, ending):
    path = tmp_path / f"items.{ending}"
    position = await store_in_job(path, rows, ITEMS[:100], ITEMS[100:])
    position = await store_in_job(path, rows, ITEMS, position=position)  # not edited
    assert edited(path)
    before = path.read_bytes()
    with pytest.raises(JobError, match=r"items\.\S+ has (changed before byte \d+, up to which the job|lost items)"):
        await store_in_job(path, rows, ITEMS, position=position)
    assert path.read_bytes() == before


@pytest.mark.parametrize("ending", FORMATS)
async def test_the_checksum_of_a_resumed_output_is_that_of_one_run(tmp_path, rows, ending):
    whole, parts = tmp_path / f"whole.{ending}", tmp_path / f"parts.{ending}"
    expected = await store_in_job(whole, rows, ITEMS[:50], ITEMS[50:100], ITEMS[100:])
    first = await store_in_job(parts, rows, ITEMS[:50])
    await store_in_job(parts, rows, ITEMS[50:70], position=first)  # killed before this was committed
    last = await store_in_job(parts, rows, ITEMS[50:100], ITEMS[100:], position=first, behind=ITEMS[50:])
    assert last["checksum"] == expected["checksum"] != first["checksum"] != ""


@pytest.mark.parametrize("ending", FORMATS)
async def test_an_output_of_a_job_without_checksums_gets_one(tmp_path, rows, ending):
    path = tmp_path / f"items.{ending}"
    expected = await store_in_job(path, rows, ITEMS)
    old = {name: value for name, value in expected.items() if name != "checksum"}
    again = await store_in_job(path, rows, ITEMS[:1], position=old)
    assert again["checksum"] == (await store_in_job(path, rows, ITEMS[:1], position=expected, behind=ITEMS))["checksum"]


@pytest.mark.parametrize("ending", FORMATS)
async def test_an_output_without_its_last_item_has_lost_items(tmp_path, rows, ending):
    path = tmp_path / f"items.{ending}"
    position = await store_in_job(path, rows, ITEMS[:100], ITEMS[100:])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(JobError, match=r"has lost items that the job wrote to it \(.*\): restore it, or name"):
        await store_in_job(path, rows, position=position)


@pytest.mark.parametrize("ending", FORMATS)
async def test_content_that_the_job_did_not_write_is_refused_with_the_command_that_removes_it(tmp_path, rows, ending):
    path = tmp_path / f"items.{ending}"
    position = await store_in_job(path, rows, ITEMS)
    with path.open("ab") as file:
        file.write(b'{"mine": true}\n')
    with pytest.raises(JobError, match=r"after byte \d+ that the job did not write: truncate -s \d+ "):
        await store_in_job(path, rows, position=position)
