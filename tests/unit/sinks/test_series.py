"""`Series`: parts of limited size, files by type, and the same parts again after a kill."""

from __future__ import annotations

import gzip
import json
import os
from types import SimpleNamespace

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from crawler import Settings
from crawler.errors import ConfigError, JobError
from crawler.messages import Row
from crawler.sinks import Csv, JsonLines, Series, open_output

CRAWL = SimpleNamespace(settings=Settings(), spider=SimpleNamespace(name="quotes"), clock=lambda: 0.0)


def row(number, kind=""):
    return Row(msgspec.json.encode({"n": number}), str(number), "http://site.test/", None, kind)


def numbers(path):
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line)["n"] for line in text.splitlines()]


def files(folder):
    found = {str(path.relative_to(folder)): numbers(path) for path in sorted(folder.rglob("*.jsonl*"))}
    return dict(sorted(found.items()))


async def store(series, *batches, position=None, behind=()):
    """Store batches, as a run of a crawl does, and return the positions; the first is that before the first batch."""
    series.resumes, series.position = position is not None, position
    if series.resumes:
        series.verify(lambda: iter(behind))
    async with series.lifespan(CRAWL):
        positions = [msgspec.json.encode(series.position)]
        positions += [msgspec.json.encode(await series.persist(batch)) for batch in batches]
    return [msgspec.json.decode(position) for position in positions]


async def test_a_part_ends_after_the_item_that_reaches_the_limit(tmp_path):
    series = Series(tmp_path / "a-%(n)03d.jsonl", JsonLines, max_rows=3)
    await store(series, [row(n) for n in range(8)], [row(8)])
    assert files(tmp_path) == {"a-001.jsonl": [0, 1, 2], "a-002.jsonl": [3, 4, 5], "a-003.jsonl": [6, 7, 8]}


async def test_a_limit_of_bytes_counts_the_items_as_json(tmp_path):
    series = Series(tmp_path / "a-%(n)d.jsonl.gz", JsonLines, max_bytes=20)  # {"n":0}\n is 8 bytes
    await store(series, [row(n) for n in range(7)])
    assert files(tmp_path) == {"a-1.jsonl.gz": [0, 1, 2], "a-2.jsonl.gz": [3, 4, 5], "a-3.jsonl.gz": [6]}


async def test_each_type_of_item_has_files_of_its_own(tmp_path):
    series = Series(tmp_path / "%(spider)s" / "%(type)s-%(n)d.jsonl", JsonLines, max_rows=2)
    await store(series, [row(n, ("Quote", "", "Author")[n % 3]) for n in range(8)])
    assert files(tmp_path / "quotes") == {
        "Author-1.jsonl": [2, 5],
        "Quote-1.jsonl": [0, 3],
        "Quote-2.jsonl": [6],
        "item-1.jsonl": [1, 4],
        "item-2.jsonl": [7],
    }


batches = st.lists(st.lists(st.sampled_from(["", "A", "B"]), min_size=1, max_size=7), min_size=1, max_size=5)


@given(batches, st.integers(1, 4), st.data())
def test_a_run_that_continues_from_any_position_makes_the_same_files(tmp_path_factory, kinds, limit, data):
    """The position is one of those of the first run, whose parts behind it are written again."""

    async def check():
        count = iter(range(1000))
        rows = [[row(next(count), kind) for kind in batch] for batch in kinds]
        flat = [each for batch in rows for each in batch]
        killed, whole = tmp_path_factory.mktemp("killed"), tmp_path_factory.mktemp("whole")

        def series(folder):
            return Series(folder / "%(type)s-%(n)d.jsonl.gz", JsonLines, max_rows=limit, job=folder / "job")

        await store(series(whole), *rows)
        written = data.draw(st.integers(0, len(rows)))
        positions = await store(series(killed), *rows[:written])
        kept = data.draw(st.integers(0, written))
        done = sum(map(len, rows[:kept]))
        size = data.draw(st.integers(1, 9))
        rest = [flat[at : at + size] for at in range(done, len(flat), size)]
        await store(series(killed), *rest, position=positions[kept], behind=flat[done:])
        assert files(killed) == files(whole)

    trio.run(check)


async def test_a_batch_that_failed_in_the_middle_is_continued(tmp_path):
    """The third file cannot be opened at first."""
    series = Series(tmp_path / "a-%(n)d.jsonl", JsonLines, max_rows=2)
    async with series.lifespan(CRAWL):
        (tmp_path / "a-3.jsonl").mkdir()
        with pytest.raises(ConfigError, match="is a folder"):
            await series.persist([row(n) for n in range(6)])
        (tmp_path / "a-3.jsonl").rmdir()
        await series.persist([row(n) for n in range(6)])
    assert files(tmp_path) == {"a-1.jsonl": [0, 1], "a-2.jsonl": [2, 3], "a-3.jsonl": [4, 5]}


async def test_existing_files_of_the_series_are_refused_deleted_or_followed(tmp_path):
    template = tmp_path / "a-%(n)d.jsonl"
    await store(Series(template, JsonLines, max_rows=1), [row(n) for n in range(3)])
    with pytest.raises(ConfigError, match=r"a-1.jsonl exists already: --overwrite .*--append adds parts"):
        Series(template, JsonLines)
    await store(Series(template, JsonLines, max_rows=2, if_exists="append"), [row(n) for n in range(3, 6)])
    assert files(tmp_path) == {f"a-{n}.jsonl": [n - 1] for n in (1, 2, 3)} | {"a-4.jsonl": [3, 4], "a-5.jsonl": [5]}
    await store(Series(template, JsonLines, max_rows=2, if_exists="overwrite"), [row(9)])
    assert files(tmp_path) == {"a-1.jsonl": [9]}


@pytest.mark.parametrize("if_exists", ["error", "overwrite"])
async def test_a_file_of_another_output_whose_name_looks_alike_is_left_alone(tmp_path, if_exists):
    other = tmp_path / "all.jsonl"
    first = open_output(str(tmp_path / "%(type)s.jsonl"), if_exists=if_exists, job=tmp_path / "job")
    async with first.lifespan(CRAWL):
        other.write_text("of another output")  # which is opened later
        position = await first.persist([row(1, "Book")])
        await first.persist([row(2, "Author")])  # the job does not note it
    again = open_output(str(tmp_path / "%(type)s.jsonl"), if_exists=if_exists, job=tmp_path / "job")
    again.resumes, again.position = True, position
    async with again.lifespan(CRAWL):
        await again.persist([row(3, "Author")])
    assert {path.name: path.read_text() for path in tmp_path.glob("*.jsonl")} == {
        "all.jsonl": "of another output", "Book.jsonl": '{"n":1}\n', "Author.jsonl": '{"n":3}\n',
    }  # fmt: skip


async def test_overwriting_replaces_the_files_of_the_types_that_come(tmp_path):
    spec = str(tmp_path / "%(type)s-%(n)d.jsonl?max_rows=1")
    await store(open_output(spec), [row(1, "Book"), row(2, "Book"), row(3, "Author")])
    (tmp_path / "all-1.jsonl").write_text("of another output")
    await store(open_output(spec, if_exists="overwrite"), [row(4, "Book")])
    assert {path.name: path.read_text() for path in tmp_path.glob("*.jsonl")} == {
        "all-1.jsonl": "of another output", "Book-1.jsonl": '{"n":4}\n', "Author-1.jsonl": '{"n":3}\n',
    }  # fmt: skip


async def test_a_part_that_somebody_has_edited_is_refused(tmp_path):
    def series(limit=5):
        return Series(tmp_path / "a-%(n)d.jsonl", JsonLines, max_rows=limit, job=tmp_path / "job")

    [*_, position] = await store(series(), [row(n) for n in range(7)])
    content = (tmp_path / "a-2.jsonl").read_bytes()
    (tmp_path / "a-2.jsonl").write_bytes(content + b'{"n":7}\n')
    with pytest.raises(JobError, match="content after byte 16 that the job did not write"):
        await store(series(), position=position)
    (tmp_path / "a-2.jsonl").write_bytes(content)
    with pytest.raises(JobError, match="the job began this output with max_rows=5: keep them"):
        await store(series(6), position=position)
    await store(series(), [row(7)], position=position)
    assert numbers(tmp_path / "a-2.jsonl") == [5, 6, 7]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.jsonl", {"max_rows": 1}, r"max_rows makes several files: put %\(n\)05d into the name"),
        ("a-%(n)d.jsonl", {"max_bytes": 0}, "max_bytes must be at least 1, not 0"),
        ("a-%(type)s.jsonl", {"if_exists": "append"}, "a new part needs a number"),
        ("none/a-%(n)d.jsonl", {}, "no such folder"),
    ],
)
def test_wrong_options_are_refused(tmp_path, name, options, message):
    with pytest.raises(ConfigError, match=message):
        Series(tmp_path / name, JsonLines, **options)


def test_a_folder_for_new_folders_that_cannot_be_written_is_refused_before_the_crawl(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(ConfigError, match="no permission to write"):
        Series(tmp_path / "%(type)s" / "%(spider)s" / "a.jsonl", JsonLines)
    assert list(tmp_path.iterdir()) == []


def test_a_path_is_one_file_whatever_its_name_is(tmp_path):
    sink = open_output(tmp_path / "a-%(n)d.csv")
    assert (type(sink), sink.path.name) == (Csv, "a-%(n)d.csv")


@pytest.mark.parametrize("query", ["max_rows=2", "max_rows=2&max_bytes=100"])
def test_a_query_selects_a_series(tmp_path, query):
    series = open_output(f"{tmp_path}/a-%(n)d.csv?{query}")
    assert isinstance(series, Series)
    assert isinstance(series._sink("", 1), Csv)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("a.jsonl?max_rows=2", "put %(n)05d into the name"),
        ("a-%(n)d.jsonl?max_row=2", "has no argument 'max_row' (did you mean max_rows?)"),
        ("a-%(n)d.jsonl?max_rows=two", "argument max_rows: "),
        ("a-%(n)d.arrows.gz", "cannot be compressed"),
    ],
)
def test_a_wrong_query_is_refused(tmp_path, monkeypatch, spec, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        open_output(spec)
    assert message in str(caught.value)


async def test_each_worker_of_a_shared_crawl_writes_a_series_of_its_own(tmp_path):
    for part in (3, 4):
        series = Series(tmp_path / "%(n)03d.jsonl", JsonLines, max_rows=1)
        series.divide(part)
        await store(series, [row(part), row(part)])
    names = ["001-00003.jsonl", "001-00004.jsonl", "002-00003.jsonl", "002-00004.jsonl"]
    assert files(tmp_path) == dict(zip(names, ([3], [4], [3], [4]), strict=True))


def shared(template, part):
    """Return the series of a worker of a shared crawl."""
    series = Series(template, JsonLines, max_rows=2)
    series.divide(part)
    return series


async def test_parts_of_a_removed_worker_after_its_last_position_are_deleted(tmp_path):
    template = tmp_path / "%(type)s-%(n)d.jsonl"
    series = shared(template, 3)
    async with series.lifespan(CRAWL):
        position = await series.persist([row(1, "Book"), row(2, "Book"), row(3, "Book")])
        await series.persist([row(n, "Book") for n in (4, 5, 6)])
        await series.persist([row(7, "Author")])  # the first of its type
    position = json.loads(json.dumps(position))
    (tmp_path / "all-1-00003.jsonl").write_text("of another output")
    other = Series(tmp_path / "all-%(n)d.jsonl", JsonLines)
    known = {"names": ["", ""], "parts": {"": [1, 1, 1, {}]}}
    heir = shared(template, 4)
    heir.cut_part(3, position, lambda path: other.claims(path, 3, known))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "Book-1-00003.jsonl": '{"n":1}\n{"n":2}\n', "Book-2-00003.jsonl": '{"n":3}\n',
        "all-1-00003.jsonl": "of another output",
    }  # fmt: skip
    heir.cut_part(3, position | {"place": "elsewhere:/"}, lambda path: False)
    assert len(list(tmp_path.iterdir())) == 3


async def test_a_file_that_somebody_else_has_written_is_not_cut(tmp_path):
    template = tmp_path / "%(n)d.jsonl"
    series = shared(template, 3)
    async with series.lifespan(CRAWL):
        position = await series.persist([row(1)])
    path = tmp_path / "1-00003.jsonl"
    path.write_text("something else, and longer\n")
    shared(template, 4).cut_part(3, position, lambda path: False)
    assert path.read_text() == "something else, and longer\n"
