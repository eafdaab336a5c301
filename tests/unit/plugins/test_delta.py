"""The output `delta`, read back with deltalake."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pyarrow as pa
import pytest
from crawler_plugins.outputs import delta
from crawler_plugins.outputs.delta import Delta
from deltalake import DeltaTable, write_deltalake
from support.databases import full_disk, rows_of
from support.objectstore import S3

from crawler import ConfigError, JobError, Settings, Spider, crawl
from crawler.cli.export import export_items
from crawler.files import full_disk_cause
from crawler.sinks import Held, open_output
from crawler.testing import FakeSite

CONNECT = """
import sys
from crawler_plugins.outputs.delta import Delta
try:
    Delta(sys.argv[1]).connect()
except Exception as error:
    print(error)
"""


class Clock:
    """A clock that tests set."""

    now = 0.0

    def __call__(self):
        return self.now


def crawl_of(clock=None):
    return SimpleNamespace(settings=Settings(), clock=clock or Clock())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "items.delta"


def rows_in(path):
    """Return the rows of a table without null values, in the order of their keys."""
    rows = DeltaTable(path).to_pyarrow_table().to_pylist()
    found = [{name: value for name, value in row.items() if value is not None and name != "_page"} for row in rows]
    return sorted(found, key=lambda row: row["_key"])


def numbers_in(path):
    return [row["n"] for row in rows_in(path)]


async def store(sink, *batches, position=None, clock=None):
    """Store batches in one run, and return the position behind them."""
    sink.position, sink.resumes = position, position is not None
    if sink.resumes:
        sink.verify(lambda: iter(()))
    sink.crawl = crawl_of(clock)
    async with sink.lifespan(sink.crawl):
        for batch in batches:
            sink.persist(batch)
        return sink.flush()


def numbered(*numbers):
    return rows_of(*({"n": n} for n in numbers), first=numbers[0])


async def test_items_are_rows_and_new_fields_add_columns(path):
    await store(Delta(path), rows_of({"a": 1, "b": [1, {"c": 2}]}, {"d": True, "e": 1.5, "a": None}))
    await store(Delta(path, if_exists="append"), rows_of({"b": "text", "f": "x"}, first=2))
    assert rows_in(path) == [
        {"_key": "k000", "a": 1, "b": '[1,{"c":2}]'},
        {"_key": "k001", "d": True, "e": 1.5},
        {"_key": "k002", "b": '"text"', "f": "x"},
    ]
    types = {field.name: field.type.type for field in DeltaTable(path).schema().fields}
    assert types == {
        "_key": "string", "_page": "string", "a": "long", "b": "string", "d": "boolean", "e": "double", "f": "string",
    }  # fmt: skip


async def test_a_value_that_does_not_fit_its_column_is_rescued(path):
    await store(Delta(path), rows_of({"n": 1}, {"n": 2**70}))
    await store(Delta(path, if_exists="append"), rows_of({"n": 1.5}, {"n": "x"}, {"n": 7}, first=2))
    assert rows_in(path) == [
        {"_key": "k000", "n": 1},
        {"_key": "k001", "_rescued_data": f'{{"n":{2**70}}}'},
        {"_key": "k002", "_rescued_data": '{"n":1.5}'},
        {"_key": "k003", "_rescued_data": '{"n":"x"}'},
        {"_key": "k004", "n": 7},
    ]


async def test_a_commit_holds_the_items_of_an_interval(path):
    clock, sink = Clock(), Delta(path, rows=3, seconds=60.0)
    sink.crawl = crawl_of(clock)
    async with sink.lifespan(sink.crawl):
        assert sink.persist(numbered(0, 1)) == Held(2, sink.position)
        clock.now = 59.0
        assert sink.persist([]).rows == 2
        assert sink.persist(numbered(2))["stored"] == 3
        assert sink.persist(numbered(3)).rows == 1
        clock.now = 119.0
        assert sink.persist(numbered(4))["stored"] == 5
        assert sink.persist(numbered(*range(5, 12)))["stored"] == 12
    assert numbers_in(path) == list(range(12))
    assert DeltaTable(path).version() == 5  # created, then 3, 2, 3, 3 and 1 rows


async def test_a_job_that_knows_less_than_the_table_stores_nothing_twice(path):
    begun = await store(Delta(path), numbered(0, 1))
    await store(Delta(path), numbered(2, 3, 4), position=begun)
    await store(Delta(path), numbered(2), numbered(3, 4, 5), position=begun)
    await store(Delta(path, rows=2), numbered(2), numbered(3, 4, 5, 6), numbered(7), position=begun)
    assert numbers_in(path) == list(range(8))


async def test_rows_in_place_of_which_the_job_has_others_are_replaced(path):
    begun = await store(Delta(path), numbered(0))
    await store(Delta(path), numbered(1, 2), position=begun)
    await store(Delta(path), rows_of({"n": 8}, {"n": 9}, first=1), position=begun)
    assert numbers_in(path) == [0, 8, 9]


async def test_the_transaction_of_a_commit_says_how_far_the_output_has_got(path):
    position = await store(Delta(path), numbered(0, 1, 2))
    table = DeltaTable(path)
    assert table.transaction_version(position["id"]) == position["stored"] == 3
    assert Delta(path).cursor(table, position["id"]).chain == position["chain"]
    assert Delta(path).cursor(table, "another") is None


async def test_another_program_may_optimize_the_table_during_the_crawl(path):
    sink = Delta(path, rows=1)
    sink.crawl = crawl_of()
    async with sink.lifespan(sink.crawl):
        sink.persist(numbered(0))
        sink.persist(numbered(1))
        DeltaTable(path).optimize.compact()
        sink.persist(numbered(2))
    assert numbers_in(path) == [0, 1, 2]


async def test_a_batch_that_failed_comes_again(path, monkeypatch):
    sink = Delta(path, rows=2, retry=0)
    sink.crawl = crawl_of()
    async with sink.lifespan(sink.crawl):
        sink.persist(numbered(0))
        with monkeypatch.context() as patched:
            patched.setattr(sink, "_append", lambda *_: 1 / 0)
            with pytest.raises(OSError, match="division by zero"):
                sink.persist(numbered(1, 2))
        sink.persist(numbered(1, 2))
        sink.flush()
    assert numbers_in(path) == [0, 1, 2]


async def test_a_full_disk_is_known_as_one_and_the_batch_comes_again(path):
    sink = Delta(path, rows=50)
    sink.crawl = crawl_of()
    async with sink.lifespan(sink.crawl):
        with full_disk(size=1_000), pytest.raises(OSError, match="too large") as caught:
            sink.persist(numbered(*range(50)))
        assert full_disk_cause(caught.value) is not None
        sink.persist(numbered(*range(50)))
        sink.flush()
    assert numbers_in(path) == list(range(50))


async def test_rows_for_which_there_is_no_space_are_not_written(path, monkeypatch):
    """A thread of deltalake would panic, and write pages to standard error."""
    sink = Delta(path, rows=2)
    sink.crawl = crawl_of()
    async with sink.lifespan(sink.crawl):
        with monkeypatch.context() as patched:
            patched.setattr(delta.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
            patched.setattr("deltalake.write_deltalake", lambda *_, **__: pytest.fail("the disk gets full"))
            with pytest.raises(OSError, match=r"No space left on device: '.*'$") as caught:
                sink.persist(numbered(1, 2))
        assert full_disk_cause(caught.value) is not None
        sink.persist(numbered(1, 2))
        sink.flush()
    assert numbers_in(path) == [1, 2]


async def test_rows_that_are_small_as_text_are_written_however_wide_the_table_is(path, monkeypatch):
    rows = rows_of(*({f"n{number}": number} for number in range(200)))
    monkeypatch.setattr(delta.shutil, "disk_usage", lambda _: SimpleNamespace(free=20_000))
    await store(Delta(path), rows)  # of 8 bytes for each row and column, which are empty
    assert len(rows_in(path)) == 200


async def test_the_backtrace_of_an_error_is_left_out(tmp_path):
    """The environment has ``RUST_BACKTRACE=1``: the process reads that at its first error."""
    await store(Delta(str(tmp_path / "items.delta")), numbered(0))
    (log,) = sorted((tmp_path / "items.delta" / "_delta_log").glob("*1.json"))
    log.write_text('{"add": garbage')
    ended = subprocess.run(
        [sys.executable, "-c", CONNECT, str(tmp_path / "items.delta")],
        env=os.environ | {"RUST_BACKTRACE": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout == "Kernel error: Json error: Encountered unexpected 'g' whilst parsing value\n"


async def test_a_table_that_has_lost_rows_is_refused(path, tmp_path):
    begun = await store(Delta(path), numbered(0))
    shutil.copytree(path, tmp_path / "older")
    position = await store(Delta(path), numbered(1), position=begun)
    shutil.rmtree(path)
    (tmp_path / "older").rename(path)
    with pytest.raises(JobError, match="has lost items that the job wrote to it"):
        await store(Delta(path), position=position)
    shutil.rmtree(path)
    with pytest.raises(JobError, match="has lost items that the job wrote to it"):
        await store(Delta(path), position=position)


async def test_a_crawl_without_items_makes_an_empty_table(path):
    await store(Delta(path))
    assert rows_in(path) == []


@pytest.mark.parametrize("if_exists", ["error", "append", "overwrite"])
async def test_a_table_that_exists(path, if_exists):
    await store(Delta(path), rows_of({"n": 1, "old": "x"}))
    sink = Delta(path, if_exists=if_exists)
    if if_exists == "error":
        with pytest.raises(ConfigError, match="has rows already: --overwrite replaces them"):
            sink.check()
        return
    sink.check()
    await store(sink, rows_of({"n": 2}, first=1))
    assert numbers_in(path) == ([1, 2] if if_exists == "append" else [2])
    assert ("old" in DeltaTable(path).to_pyarrow_table().column_names) == (if_exists == "append")


async def test_a_crawl_and_an_export_write_it(path, tmp_path):
    class Numbers(Spider):
        start_urls = [f"https://site.test/{n}" for n in range(5)]
        settings = Settings(obey_robots=False)

        def parse(self, response):
            return {"n": int(response.url[-1])}

    site = FakeSite(dict.fromkeys((f"/{n}" for n in range(5)), "x"))
    await crawl(Numbers(), outputs=[str(path)], job=tmp_path / "job", transport=site.transport)
    await export_items(tmp_path / "job", str(tmp_path / "exported.delta"), overwrite=False)
    assert sorted(numbers_in(path)) == sorted(numbers_in(tmp_path / "exported.delta")) == list(range(5))


# ---- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("items.delta?rows=0", "rows must be at least 1, not 0"),
        ("items.delta?seconds=-1", "seconds must be at least 0, not -1"),
        ("items.delta?seconds=nan", "seconds must be at least 0, not nan"),
        ("items.delta?retry=-1", "retry must be 0 seconds or more"),
        ("items.delta?rowz=1", "no argument 'rowz'"),
        ("%(type)s.delta", "the name of a Delta table has no fields"),
        ("none/items.delta", "no such folder: none"),
        ("file.delta", "file.delta is a file, and a Delta table is a folder"),
        ("folder.delta", "folder.delta is a folder of other files"),
        ("delta+s3://me:pw@bucket/items", "leave out the user: credentials come from the environment"),
        ("delta+ftp://bucket/items", "unknown scheme"),
    ],
)
def test_a_wrong_output_is_refused(tmp_path, monkeypatch, spec, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.delta").touch()
    (tmp_path / "folder.delta").mkdir()
    (tmp_path / "folder.delta" / "other").touch()
    with pytest.raises(ConfigError, match=words) as caught:
        open_output(spec)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"_key": ["a"], "_page": ["b"], "d": [1.5]}, None),
        ({"n": [1]}, "it has no columns _key and _page: name another table"),
        (
            {"_key": ["a"], "_page": ["b"], "d": pa.array([1], pa.date32())},
            "its column 'd' has a type that no item has",
        ),
    ],
)
def test_a_table_of_another_program(path, columns, words):
    write_deltalake(path, pa.table(columns))
    if words is None:
        Delta(path, if_exists="append").check()
        return
    with pytest.raises(ConfigError, match=words):
        Delta(path, if_exists="append").check()


def test_schemes_of_object_stores_are_taken():
    sink = open_output("delta+s3://bucket/items?rows=5")
    assert (type(sink), sink._table, sink._max_rows) == (Delta, "s3://bucket/items", 5)


def test_a_table_that_is_broken_is_reported(path):
    (path / "_delta_log").mkdir(parents=True)
    (path / "_delta_log" / "00000000000000000000.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot connect to"):
        Delta(path).check()


# ---- object stores ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store_server():
    with S3() as server:
        yield server


async def test_a_table_in_an_object_store(store_server, monkeypatch):
    store_server.reset()
    for name, value in store_server.variables.items():
        monkeypatch.setenv(name, value)
    sink = open_output("delta+s3://bucket/deep/items")
    sink.check()
    position = await store(sink, numbered(0, 1))
    await store(open_output("delta+s3://bucket/deep/items"), numbered(2), position=position)
    assert numbers_in("s3://bucket/deep/items") == [0, 1, 2]
    with pytest.raises(ConfigError, match="has rows already"):
        open_output("delta+s3://bucket/deep/items").check()
    with pytest.raises(ConfigError, match=r"cannot connect to delta\+s3://missing/items: NoSuchBucket: The specified"):
        open_output("delta+s3://missing/items").check()
    store_server.stop()
    with pytest.raises(ConfigError, match=r"cannot connect to delta\+s3://bucket/deep/items: Connection refused"):
        open_output("delta+s3://bucket/deep/items").check()


async def test_names_that_a_table_cannot_have_are_changed_and_equal_names_are_rescued(path):
    await store(Delta(path), rows_of({"_key": 1, "a\0b": 2, "Name": 3, "name": 4}))
    await store(Delta(path, if_exists="append"), rows_of({"NAME": 5, "_RESCUED_DATA": 6}, first=1))
    assert rows_in(path) == [
        {"_key": "k000", "_key_": 1, "a\N{REPLACEMENT CHARACTER}b": 2, "Name": 3, "_rescued_data": '{"name":4}'},
        {"_key": "k001", "_rescued_data": '{"NAME":5,"_RESCUED_DATA":6}'},
    ]
