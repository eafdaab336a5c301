"""Outputs to a database file: the folder is checked before the crawl, and a row replaces the one of its key."""

from __future__ import annotations

import pytest
from crawler_plugins.outputs.duckdb import DuckDB
from crawler_plugins.outputs.sqlite import SQLite
from support.databases import Database, rows_of, store

from crawler import ConfigError


@pytest.mark.parametrize("kind", [SQLite, DuckDB])
def test_a_folder_that_does_not_exist_is_refused(tmp_path, kind):
    with pytest.raises(ConfigError, match=r"no such folder: .*none \(for .*items\.db\)"):
        kind(tmp_path / "none" / "items.db")


@pytest.mark.parametrize("kind", [SQLite, DuckDB])
async def test_a_row_that_comes_again_replaces_the_one_before(tmp_path, kind):
    database = Database(lambda **options: kind(tmp_path / "items.db", **options))
    await store(database.sink(), rows_of({"n": 1}, {"n": 2}))
    await store(database.sink(if_exists="append"), rows_of({"n": 3}))
    assert database.select("n") == [(3,), (2,)]
