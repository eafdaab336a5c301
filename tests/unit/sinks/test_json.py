"""`Json`: one array of all items."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from itertools import chain
from pathlib import Path

import pytest
import trio
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from support.crawls import CRAWL

from crawler.errors import ConfigError, JobError
from crawler.sinks import Json

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
items = st.dictionaries(st.text(), values, max_size=4)


async def test_a_crawl_without_items_leaves_an_empty_array(tmp_path, keep):
    await keep(Json(tmp_path / "items.json"))
    assert json.loads((tmp_path / "items.json").read_text()) == []


async def test_the_file_is_complete_while_it_is_empty(tmp_path):
    async with Json(tmp_path / "items.json").lifespan(CRAWL):
        assert json.loads((tmp_path / "items.json").read_text()) == []


@given(st.lists(st.lists(items, min_size=1, max_size=3), max_size=4), st.lists(items, min_size=1, max_size=3))
def test_after_each_batch_the_file_is_an_array_that_another_crawl_can_extend(keep, batches, later):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "items.json")
        seen = []
        trio.run(lambda: keep(Json(path), *batches, after=lambda: seen.append(json.loads(path.read_bytes()))))
        assert seen == [list(chain(*batches[: count + 1])) for count in range(len(batches))]
        trio.run(lambda: keep(Json(path, "append"), later))
        assert json.loads(path.read_bytes()) == list(chain(*batches, later))


async def test_the_position_is_that_of_the_next_item(tmp_path, keep):
    path = tmp_path / "items.json"
    positions = await keep(Json(path), [{"n": 1}], [{"n": 2}])
    content = path.read_bytes()
    assert [content[: position["end"]] + b"]" for position in positions] == [b'[\n{"n":1}]', b'[\n{"n":1},\n{"n":2}]']


@pytest.mark.parametrize(
    ("old", "count"),
    [
        ("[]", 0),
        (" [ \n ] \n\n", 0),
        ('[{"n": 1}]', 1),
        ('\n[\n  {\n    "n": 1\n  },\n  {"n": [2]}\n]', 2),
        ("[" + ",".join(['{"text": "' + "x" * 100 + '"}'] * 200) + "  ]\n", 200),
    ],
)
async def test_appending_continues_an_array_in_any_layout(tmp_path, keep, old, count):
    path = tmp_path / "items.json"
    path.write_text(old)
    await keep(Json(path, "append"), [{"n": "new"}])
    found = json.loads(path.read_text())
    assert (len(found), found[-1]) == (count + 1, {"n": "new"})


@pytest.mark.parametrize("old", ["", "[]", " [ \n ] \n\n"])
async def test_an_array_that_is_still_empty_is_continued_by_the_next_run_of_a_job(tmp_path, keep, old):
    path = tmp_path / "items.json"
    path.write_text(old)
    first = Json(path, "append", job=tmp_path / "job")
    await keep(first)
    again = Json(path, "append", job=tmp_path / "job")
    again.resumes, again.position = True, first.position
    await keep(again, [{"n": 1}], [{"n": 2}])
    assert json.loads(path.read_text()) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("old", ["{}", '{"n": 1}\n{"n": 2}\n', "[", "[1, 2]", "[{]", "title,year\n", " ", '[{"n": 1}'])
def test_a_file_that_is_not_an_array_of_objects_is_not_appended_to(tmp_path, old):
    path = tmp_path / "items.json"
    path.write_text(old)
    with pytest.raises(ConfigError, match="is not a JSON array"):
        Json(path, "append")
    assert path.read_text() == old


# ---- compressed files ------------------------------------------------------------------------------------------------

UNPACK = {".gz": gzip.decompress, ".zst": zstd.decompress}
ENDINGS = pytest.mark.parametrize("ending", UNPACK)


def unpacked(path):
    return json.loads(UNPACK[path.suffix](path.read_bytes()))


@ENDINGS
async def test_a_compressed_file_is_a_whole_array_after_each_batch(tmp_path, keep, ending):
    path, seen = tmp_path / f"items.json{ending}", []
    async with Json(path).lifespan(CRAWL):
        assert unpacked(path) == []
    path.unlink()
    batches = [{"n": 1}], [{"n": 2}, {"n": 3}], [{"text": "x" * 100_000}]
    await keep(Json(path), *batches, after=lambda: seen.append(unpacked(path)))
    assert seen == [list(chain(*batches[: count + 1])) for count in range(3)]
    await keep(Json(path, "append"), [{"n": 4}])
    assert unpacked(path) == [*chain(*batches), {"n": 4}]


@ENDINGS
async def test_an_empty_compressed_file_is_continued(tmp_path, keep, ending):
    path = tmp_path / f"items.json{ending}"
    await keep(Json(path))
    await keep(Json(path, "append"), [{"n": 1}])
    assert unpacked(path) == [{"n": 1}]


@ENDINGS
async def test_the_next_run_of_a_job_cuts_a_compressed_file_at_any_position(tmp_path, keep, rows, ending):
    whole, batches = tmp_path / f"whole.json{ending}", [[{"n": n}] for n in range(4)]
    first = Json(whole, job=tmp_path / "job")
    positions = [None, *await keep(first, *batches)]
    positions[0] = first.position  # that before the first batch
    flat = list(chain(*batches))
    for done, position in enumerate(positions):
        path = tmp_path / f"cut{done}.json{ending}"
        shutil.copy(whole, path)
        again = Json(path, job=tmp_path / "job")
        again.resumes, again.position = True, position | {"place": again.place}
        again.verify(lambda done=done: iter(rows(flat[done:])))
        await keep(again, *batches[done:])
        assert unpacked(path) == flat


@ENDINGS
async def test_a_compressed_file_that_somebody_has_changed_is_refused(tmp_path, keep, rows, ending):
    path = tmp_path / f"items.json{ending}"
    [position] = await keep(Json(path, job=tmp_path / "job"), [{"n": 1}])
    compress = {".gz": gzip.compress, ".zst": zstd.compress}[ending]
    path.write_bytes(path.read_bytes()[: position["end"]] + compress(b',\n{"n": "other"}\n]\n'))
    again = Json(path, job=tmp_path / "job")
    again.resumes, again.position = True, position
    with pytest.raises(JobError, match="has content after byte"):
        again.verify(lambda: iter(rows([{"n": 2}])))


@ENDINGS
def test_a_compressed_file_of_another_program_is_not_appended_to(tmp_path, ending):
    path = tmp_path / f"items.json{ending}"
    compress = {".gz": gzip.compress, ".zst": zstd.compress}[ending]
    path.write_bytes(compress(b'[\n{"n": 1}\n]\n'))
    with pytest.raises(ConfigError, match="its closing bracket is not compressed separately"):
        Json(path, "append")
    path.write_bytes(compress(b'{"n": 1}'))
    with pytest.raises(ConfigError, match="is not a JSON array"):
        Json(path, "append")
    path.write_bytes(b"[]")
    with pytest.raises(ConfigError, match="cannot append to"):
        Json(path, "append")


@ENDINGS
async def test_a_compressed_file_that_a_job_does_not_know_yet_is_begun_again(tmp_path, keep, ending):
    """The run was killed before the job had noted where the file begins."""
    path = tmp_path / f"items.json{ending}"
    await keep(Json(path, job=tmp_path / "job"))
    whole = path.read_bytes()
    for left in (whole, whole[:-3], whole[:5], b""):
        path.write_bytes(left)
        again = Json(path, job=tmp_path / "job")
        again.resumes = True
        await keep(again, [{"n": 1}])
        assert unpacked(path) == [{"n": 1}]
