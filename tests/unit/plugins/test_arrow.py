"""`ArrowStream`: readable after each batch, cut at a batch, and nothing is lost for which there is no column."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pyarrow as pa
import pytest

from crawler import ConfigError, JobError, Row, Settings
from crawler.sinks import open_output

CRAWL = SimpleNamespace(settings=Settings(), spider=SimpleNamespace(name="quotes"), clock=lambda: 0.0)


def row(item):
    return Row(msgspec.json.encode(item), "key", "http://site.test/")


def read(path):
    with path.open("rb") as file, pa.ipc.open_stream(file) as stream:
        return [
            {name: value for name, value in one.items() if value is not None} for one in stream.read_all().to_pylist()
        ]


async def store(sink, *batches, position=None, behind=(), flush=False):
    """Store batches, as a run of a crawl does, and return the positions; the first is that before the first batch."""
    sink.resumes, sink.position = position is not None, position
    sink.verify(lambda: iter([row(item) for item in behind]))
    async with sink.lifespan(CRAWL):
        positions = [sink.position]
        positions += [await sink.persist([row(item) for item in batch]) for batch in batches]
        if flush:
            positions.append(sink.flush())
    return positions


async def test_values_without_a_column_are_rescued(tmp_path):
    path = tmp_path / "items.arrows"
    await store(open_output(path), [{"n": 1, "l": [1]}], [{"n": 0.5}, {"s": "x", "n": 2**60}])
    assert read(path) == [
        {"n": 1, "l": "[1]"},
        {"_rescued_data": '{"n":0.5}'},
        {"n": 2**60, "_rescued_data": '{"s":"x"}'},
    ]


@pytest.mark.parametrize("kept", range(4))
@pytest.mark.parametrize("lost", [0, 1, 60])
async def test_a_job_cuts_the_stream_at_its_position_and_continues(tmp_path, kept, lost):
    path, items = tmp_path / "items.arrows", [{"n": n} for n in range(9)]
    batches = [items[:2], items[2:3], items[3:9]]
    positions = await store(open_output(path, job=tmp_path), *batches)
    if kept < 3:
        path.write_bytes(path.read_bytes()[: path.stat().st_size - lost])  # what a power failure leaves
    done = (0, 2, 3, 9)[kept]
    again = open_output(path, job=tmp_path, if_exists="append")
    await store(again, *([items[done:]] if kept < 3 else []), position=positions[kept], behind=items[done:])
    assert read(path) == items


async def test_content_that_the_job_did_not_write_is_refused(tmp_path):
    path = tmp_path / "items.arrows"
    first, second, _ = await store(open_output(path, job=tmp_path), [{"n": 1}], [{"n": 2}])
    for position, behind in ((first, [{"n": 1}, {"n": 3}]), (second, [{"n": 3}])):
        with pytest.raises(JobError, match="has content after byte"):
            await store(open_output(path, job=tmp_path, if_exists="append"), position=position, behind=behind)
    path.write_bytes(path.read_bytes() + b"something else")
    with pytest.raises(JobError, match="has content after byte"):
        await store(open_output(path, job=tmp_path, if_exists="append"), position=second, behind=[{"n": 2}])


async def test_a_crawl_without_items_makes_an_empty_table_that_a_job_replaces(tmp_path):
    path = tmp_path / "items.arrows"
    *_, position = await store(open_output(path, job=tmp_path), flush=True)
    assert read(path) == []
    await store(open_output(path, job=tmp_path, if_exists="append"), [{"n": 1}], position=position, flush=True)
    assert read(path) == [{"n": 1}]


async def test_items_are_appended_to_a_stream(tmp_path):
    path = tmp_path / "items.arrows"
    await store(open_output(path), [{"n": 1}])
    with path.open("ab") as file:
        file.write(b"\xff\xff\xff\xff\0\0\0\0")  # as other programs end a stream
    await store(open_output(path, if_exists="append"), [{"n": 2, "s": "x"}])
    assert read(path) == [{"n": 1}, {"n": 2, "_rescued_data": '{"s":"x"}'}]


def test_files_that_cannot_be_appended_to_are_refused(tmp_path):
    path = tmp_path / "items.arrows"
    path.write_bytes(b"no stream")
    with pytest.raises(ConfigError, match="cannot append to"):
        open_output(path, if_exists="append")
    with path.open("wb") as file, pa.ipc.new_stream(file, pa.schema([("n", pa.int64())])):
        pass
    with pytest.raises(ConfigError, match="it has no column _rescued_data"):
        open_output(path, if_exists="append")
    with pytest.raises(ConfigError, match="cannot be compressed"):
        open_output(tmp_path / "other.arrows.gz")


async def test_a_stream_is_split_into_parts(tmp_path):
    await store(open_output(f"{tmp_path}/items-%(n)d.arrows?max_rows=2"), [{"n": 0}, {"n": 1}, {"s": "x"}])
    assert read(tmp_path / "items-1.arrows") == [{"n": 0}, {"n": 1}]
    assert read(tmp_path / "items-2.arrows") == [{"s": "x"}]
