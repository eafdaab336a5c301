"""`FileIndex`: what a folder has."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from crawler_plugins.files.index import FileIndex

FACTS = {"path": "a/b", "digest": "ab", "size": 3}


def test_files_are_found_by_url_and_by_digest_in_a_later_process(tmp_path):
    with closing(FileIndex(tmp_path / "index", sync=False)) as index:
        index.add("v", "https://site.test/a", FACTS, 100.0)
    with closing(FileIndex(tmp_path / "index", sync=True)) as index:
        assert index.by_url("v", "https://site.test/a", 100.0) == FACTS
        assert list(index.by_digest("v", "ab")) == [FACTS]
        assert index.by_url("v", "https://site.test/a", 100.1) is None  # too old
        assert index.by_url("other", "https://site.test/a", 0.0) is None
        assert list(index.by_digest("other", "ab")) == []
        assert index.by_url("v", "https://site.test/b", 0.0) is None


def test_a_file_replaces_the_older_one_of_its_url(tmp_path):
    with closing(FileIndex(tmp_path / "index", sync=False)) as index:
        index.add("v", "u", FACTS, 100.0)
        index.add("v", "u", FACTS | {"digest": "cd"}, 200.0)
        assert list(index.by_digest("v", "ab")) == []
        assert index.by_url("v", "u", 150.0)["digest"] == "cd"


def test_the_validator_of_a_file_is_kept_until_it_is_complete(tmp_path):
    with closing(FileIndex(tmp_path / "index", sync=False)) as index:
        assert index.validator("u") == ""
        index.set_validator("u", '"1"')
        index.set_validator("u", '"2"')
        assert index.validator("u") == '"2"'
        index.set_validator("u", "")
        assert index.validator("u") == ""
        index.set_validator("u", '"3"')
        index.add("v", "u", FACTS, 100.0)
        assert index.validator("u") == ""


def test_after_a_power_failure_no_unfinished_file_is_trusted(tmp_path):
    with closing(FileIndex(tmp_path / "index", sync=False)) as index:
        index.set_validator("u", '"1"')
    with closing(FileIndex(tmp_path / "index", sync=True)) as index:
        assert index.validator("u") == ""


def test_a_file_that_is_not_a_database_is_an_error(tmp_path):
    (tmp_path / "index").write_bytes(b"something else" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        FileIndex(tmp_path / "index", sync=False)
