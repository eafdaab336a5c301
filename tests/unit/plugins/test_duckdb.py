"""The output `.duckdb`; tests/integration/databases tests the rest."""

from __future__ import annotations

import pytest
from crawler_plugins.outputs.duckdb import DuckDB
from support.crawls import CRAWL
from support.databases import Database, full_disk, rows_of, store

from crawler import ConfigError
from crawler.files import full_disk_cause
from crawler.sinks import open_output


def test_the_ending_and_the_query_select_it(tmp_path):
    sink = open_output(f"{tmp_path}/items.duckdb?table=quotes")
    assert (type(sink), sink.table, sink.path) == (DuckDB, "quotes", tmp_path / "items.duckdb")


async def test_a_batch_of_many_rows_is_stored(tmp_path):
    database = Database(lambda **options: DuckDB(tmp_path / "items.duckdb", **options))
    await store(database.sink(), rows_of(*({"n": n} for n in range(1_000))))
    assert database.select("n") == [(n,) for n in range(1_000)]


async def test_a_full_disk_is_known_as_one_and_the_batch_comes_again(tmp_path):
    database = Database(lambda **options: DuckDB(tmp_path / "items.duckdb", **options))
    sink, rows = database.sink(), rows_of(*({"n": "x" * 1_000 + str(n)} for n in range(100)))
    async with sink.lifespan(CRAWL):
        with full_disk(size=50_000), pytest.raises(OSError, match="too large") as caught:
            sink.persist(rows)
        assert full_disk_cause(caught.value) is not None
        sink.persist(rows)
    assert len(database.select("n")) == 100


async def test_columns_of_other_types_take_convertible_values(tmp_path):
    database = Database(lambda **options: DuckDB(tmp_path / "items.duckdb", **options))
    database.execute(
        "CREATE TABLE items (_key VARCHAR PRIMARY KEY, _page VARCHAR, day DATE, n INTEGER, x DECIMAL(9, 2))"
    )
    await store(database.sink(), rows_of({"day": "2026-01-02", "n": 1, "x": 0.25}, {"day": None, "n": 2}))
    assert [tuple(map(str, row)) for row in database.select("day", "n", "x")] == [
        ("2026-01-02", "1", "0.25"),
        ("None", "2", "None"),
    ]


async def test_a_file_that_is_not_a_database_is_refused_before_the_crawl(tmp_path):
    (tmp_path / "items.duckdb").write_text("title,year\n" * 100)
    with pytest.raises(ConfigError, match="cannot connect to .*items.duckdb: "):
        await store(DuckDB(tmp_path / "items.duckdb"))
