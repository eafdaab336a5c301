"""The items of a job are written to an output."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from unit.plugins.web.test_job_folders import job

from crawler import ConfigError
from crawler.cli.export import export_items


async def test_all_items_of_a_job_are_written_once_and_the_file_appears_complete(autojump_clock, tmp_path):
    folder = await job(tmp_path / "job")
    assert await export_items(folder, str(tmp_path / "items.csv"), overwrite=False) == 2
    assert (tmp_path / "items.csv").read_text().split() == ["url", "https://site.test/", "https://site.test/1"]


async def test_a_file_that_exists_is_kept_unless_it_may_be_replaced(autojump_clock, tmp_path):
    folder, path = await job(tmp_path / "job"), tmp_path / "items.jsonl"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="exists already: --overwrite replaces it"):
        await export_items(folder, str(path), overwrite=False)
    assert path.read_text() == "mine"
    assert await export_items(folder, str(path), overwrite=True) == 2
    assert path.read_text().startswith('{"url":')


async def test_a_database_that_refuses_the_items_is_named_with_its_reason(autojump_clock, tmp_path):
    folder, path = await job(tmp_path / "job"), tmp_path / "items.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE items (_key PRIMARY KEY, _page, price NOT NULL)")
    with pytest.raises(ConfigError, match=r"^cannot write all items to .*: NOT NULL constraint failed: items.price$"):
        await export_items(folder, f"{path}?table=items", overwrite=False)
