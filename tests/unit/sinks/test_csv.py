"""`Csv`: RFC 4180, columns that are added later, and appending to tables."""

from __future__ import annotations

import csv
import io
import json
import stat
import tempfile
from itertools import chain
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from support.crawls import CRAWL

from crawler.errors import ConfigError, JobError
from crawler.sinks import Csv
from crawler.sinks.position import Position

names = st.text(st.characters(exclude_characters=";\t\N{BOM}", codec="utf-8"), min_size=1, max_size=5)
texts = st.text(st.sampled_from('ab",;\r\n\t\0 é\N{BOM}'), max_size=6) | st.text(st.characters(codec="utf-8"))
items = st.dictionaries(names, texts, min_size=1, max_size=4)
batches = st.lists(st.lists(items, min_size=1, max_size=3), min_size=1, max_size=4)


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def table(path):
    header, *records = read(path)
    assert all(len(record) == len(header) for record in records)
    return [dict(zip(header, record, strict=True)) for record in records]


@given(batches, batches)
def test_all_fields_in_any_order_can_be_read_back_also_after_appending(keep, first, second):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "items.csv")
        sizes = []
        for mode, these in (("error", first), ("append", second)):
            positions = trio.run(
                lambda mode=mode, these=these: keep(
                    Csv(path, mode), *these, after=lambda: sizes.append(len(read(path)) - 1)
                )
            )
            assert [position["end"] for position in positions] == sizes[-len(these) :]
        kept = list(chain(*first, *second))
        columns = dict.fromkeys(name for item in kept for name in item)
        assert table(path) == [dict.fromkeys(columns, "") | item for item in kept]
        assert [path.name for path in Path(folder).iterdir()] == ["items.csv"]


async def test_values_that_are_not_strings_are_json_and_none_is_empty(tmp_path, keep):
    path = tmp_path / "items.csv"
    await keep(Csv(path), [{"n": 1, "x": 0.5, "ok": True, "none": None, "tags": ["a", "b"], "by": {"id": 7}}])
    [row] = table(path)
    assert row == {"n": "1", "x": "0.5", "ok": "true", "none": "", "tags": '["a","b"]', "by": '{"id":7}'}


async def test_files_follow_rfc_4180(tmp_path, keep):
    path = tmp_path / "items.csv"
    await keep(Csv(path), [{"a": 'say "x"', "b": "1,2"}, {"a": "two\nlines", "b": "ü"}])
    assert path.read_bytes() == 'a,b\r\n"say ""x""","1,2"\r\n"two\nlines",ü\r\n'.encode()


async def test_the_columns_are_the_fields_of_the_whole_first_batch(tmp_path, keep):
    path = tmp_path / "items.csv"
    await keep(Csv(path), [{"a": 1}, {"b": 2, "a": 1}])
    assert read(path) == [["a", "b"], ["1", ""], ["1", "2"]]


async def test_a_later_field_adds_a_column_and_loses_nothing(tmp_path, keep):
    path = tmp_path / "items.csv"
    sizes = []
    batches = ([{"a": 1}], [{"b": "x\ny"}], [{"c": 3, "a": 2}])
    positions = await keep(Csv(path), *batches, after=lambda: sizes.append(len(read(path)) - 1))
    assert read(path) == [["a", "b", "c"], ["1", "", ""], ["", "x\ny", ""], ["2", "", "3"]]
    assert [position["end"] for position in positions] == sizes


async def test_an_added_column_keeps_the_mode_and_the_link_of_the_file(tmp_path, keep):
    real, link = tmp_path / "real.csv", tmp_path / "items.csv"
    real.write_text("a\r\n1\r\n")
    real.chmod(0o640)
    link.symlink_to(real)
    await keep(Csv(link, "append"), [{"b": 2}])
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert read(real) == [["a", "b"], ["1", ""], ["", "2"]]


async def test_a_field_longer_than_the_reader_allows_survives_an_added_column(tmp_path, keep):
    path = tmp_path / "items.csv"
    long = "x" * (csv.field_size_limit() + 1) + '\n"'
    await keep(Csv(path), [{"a": long}], [{"b": 1}])
    expected = io.StringIO(newline="")
    csv.writer(expected).writerows([["a", "b"], [long, ""], ["", "1"]])
    assert path.read_bytes() == expected.getvalue().encode()


async def test_the_file_is_unchanged_if_a_column_cannot_be_added(tmp_path, keep, rows, monkeypatch):
    path = tmp_path / "items.csv"
    sink = Csv(path)
    async with sink.lifespan(CRAWL):
        await sink.persist(rows([{"a": 1}]))
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk is gone")))
            with pytest.raises(OSError, match="disk is gone"):
                await sink.persist(rows([{"b": 2}]))
        assert read(path) == [["a"], ["1"]]
        assert [found.name for found in tmp_path.iterdir()] == ["items.csv"]
        await sink.persist(rows([{"b": 2}]))
    assert read(path) == [["a", "b"], ["1", ""], ["", "2"]]


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([[{}, {}]], b"\r\n\r\n\r\n"),
        ([[{}, {}], [{"a": 1}]], b'a\r\n""\r\n""\r\n1\r\n'),
        ([[{}, {}], [{"a": 1, "b": 2}]], b"a,b\r\n,\r\n,\r\n1,2\r\n"),
        ([[{"a": ""}], [{"b": 1}]], b"a,b\r\n,\r\n,1\r\n"),
    ],
)
async def test_an_item_without_fields_is_a_record_too(tmp_path, keep, batches, expected):
    path = tmp_path / "items.csv"
    await keep(Csv(path), *batches)
    assert path.read_bytes() == expected


@pytest.mark.parametrize(
    "old", ["b,a\r\n1,2\r\n", "b,a\n1,2\n", "b,a\n1,2", "\N{BOM}b,a\r\n1,2\r\n", '"b","a"\r\n"1","2"\r\n']
)
async def test_appending_uses_the_header_of_the_file(tmp_path, keep, old):
    path = tmp_path / "items.csv"
    path.write_bytes(old.encode())
    await keep(Csv(path, "append"), [{"a": "A", "b": "B"}])
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [["b", "a"], ["1", "2"], ["B", "A"]]


@pytest.mark.parametrize(
    ("old", "words"),
    [
        (b'a,b\r\n1,"2', "ends inside a quoted field"),
        (b"\xff\xfe,\x80\n", "not UTF-8"),
        (b'{"a": 1, "b": 2}\n', "first line is not CSV"),
        (b"a,,b\n1,2,3\n", "not a header"),
        (b"a,a\n1,2\n", "not a header"),
        (b"a;b\n1;2\n", "not separated by commas"),
    ],
)
def test_a_file_that_is_not_such_a_table_is_not_appended_to(tmp_path, old, words):
    path = tmp_path / "items.csv"
    path.write_bytes(old)
    with pytest.raises(ConfigError, match=words):
        Csv(path, "append")
    assert path.read_bytes() == old


async def test_items_of_the_item_log_can_be_restored(tmp_path, keep):
    path = tmp_path / "items.csv"
    item = {"n": 1, "deep": {"list": [1, {"x": None}]}}
    await keep(Csv(path), [item])
    assert {name: json.loads(cell) for name, cell in table(path)[0].items()} == item


# ---- the checksum of a job -------------------------------------------------------------------------------------------


async def in_job(path, rows, *batches, if_exists="error", position=None, behind=()):
    """Store batches as a run of a job, checked as at its start, and return the positions."""
    sink = Csv(path, if_exists, job=path.parent / "job")
    sink.resumes, sink.position = position is not None, position
    sink.verify(lambda: iter(rows(behind)))
    async with sink.lifespan(CRAWL):
        return [await sink.persist(rows(batch)) for batch in batches]


EMPTY_ITEMS = [{}, {"a": ""}, {"a": "x", "b": ""}, {"c": 'y"\r\n'}, {"a": "", "d": ","}]


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
async def test_columns_added_after_a_position_are_not_an_edit(tmp_path, rows, ending):
    path = tmp_path / f"items.{ending}"
    batches = [[item, item] for item in EMPTY_ITEMS]
    positions = await in_job(path, rows, *batches)
    for done in range(len(batches) - 1, 0, -1):  # killed after each of them, with a wider file
        behind = [item for batch in batches[done:] for item in batch]
        again = await in_job(path, rows, *batches[done:], position=positions[done - 1], behind=behind)
        assert again[-1] == positions[-1]


@pytest.mark.parametrize(("old", "new"), [(b"some", b"same"), (b"text", b"tixt"), (b"m,,\r", b"m,e\r")])
async def test_an_edit_of_a_file_with_added_columns_is_noticed(tmp_path, rows, old, new):
    path = tmp_path / "items.csv"
    first, _ = await in_job(path, rows, [{"text": f"some{n}m"} for n in range(300)], [{"b": 1, "c": 2}])
    data = path.read_bytes()
    path.write_bytes(data.replace(old, new, 1))
    with pytest.raises(JobError, match="has changed before byte"):
        await in_job(path, rows, position=first, behind=[{"b": 1, "c": 2}])
    path.write_bytes(data)
    await in_job(path, rows, position=first, behind=[{"b": 1, "c": 2}])


@pytest.mark.parametrize("table", [b"a,b\n1,2\n3\n", b"a\n\n1\n\n", b'"a"\r\n""\r\nx'])
async def test_columns_added_to_a_foreign_table_are_not_an_edit(tmp_path, rows, table):
    path = tmp_path / "items.csv"
    path.write_bytes(table)
    first, last = await in_job(path, rows, [{"a": "x"}], [{"c": "y"}], if_exists="append")
    again = await in_job(path, rows, [{"c": "y"}], if_exists="append", position=first, behind=[{"c": "y"}])
    assert again == [last]


async def test_garbage_after_a_position_without_records_is_not_checksummed(tmp_path, rows):
    path = tmp_path / "items.csv.gz"
    sink = Csv(path, job=tmp_path / "job")
    async with sink.lifespan(CRAWL):
        position = sink.position
    path.write_bytes(b"lost")
    assert not sink.holds(Position.of(position), iter(()))
    assert sink.is_unchanged(None, Position.of(position))
