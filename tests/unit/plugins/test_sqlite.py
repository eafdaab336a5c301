"""The output `.sqlite`."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from crawler_plugins.outputs.sqlite import SQLite
from support.databases import CHECKS, Database, rows_of, store

from crawler import ConfigError
from crawler.sinks import open_output


@pytest.mark.parametrize("check", CHECKS)
async def test_sqlite_meets_the_contract_of_outputs(check, tmp_path):
    await check(Database(lambda **options: SQLite(tmp_path / "items.sqlite", **options)))


def test_the_ending_and_the_query_select_it(tmp_path):
    sink = open_output(f"{tmp_path}/items.sqlite?table=quotes")
    assert (type(sink), sink.table, sink.path) == (SQLite, "quotes", tmp_path / "items.sqlite")
    with pytest.raises(ConfigError, match=r"no argument 'tabel' \(did you mean table\?\)"):
        open_output(f"{tmp_path}/items.sqlite?tabel=quotes")


async def test_a_file_that_is_not_a_database_is_refused_before_the_crawl(tmp_path):
    (tmp_path / "items.sqlite").write_text("title,year\n" * 100)
    with pytest.raises(ConfigError, match=r"items.sqlite: file is not a database"):
        await store(SQLite(tmp_path / "items.sqlite"))


async def test_a_database_that_another_process_holds_is_waited_for(tmp_path, monkeypatch):
    sink = SQLite(tmp_path / "items.sqlite")
    sink.retry = 0.05  # seconds of the attempts
    monkeypatch.setattr("crawler_plugins.outputs.sqlite.LOCKED", 0.05)  # seconds that SQLite itself waits
    with closing(sqlite3.connect(tmp_path / "items.sqlite", isolation_level=None, check_same_thread=False)) as other:
        pauses = []

        def release(pause):
            pauses.append(pause)
            other.execute("COMMIT")

        class Holding(SQLite):
            def start(self, connection):
                if not pauses and self._connection is not None:
                    other.execute("BEGIN IMMEDIATE")
                super().start(connection)

        sink.__class__ = Holding
        monkeypatch.setattr(sink._ending, "wait", release)
        await store(sink, rows_of({"n": 1}))
        assert pauses == [0.05]
