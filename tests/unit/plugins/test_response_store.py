"""Responses in an SQLite file."""

from __future__ import annotations

from pathlib import Path

import pytest
from crawler_plugins.archive.response_store import ResponseStore, Stored

from crawler import ConfigError

ONE = Stored(at=1.0, request_fields=[("A", "1")], status=200, fields=[("B", "2"), ("b", "ä")], body=b"\0x" * 1000)


def test_responses_are_kept_in_the_file_the_newest_first(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path / "x.sqlite", "cache")
    store.add(b"k", ONE, replaces=False)
    store.add(b"k", Stored(at=2.0, request_fields=[], status=404, fields=[], body=b""), replaces=False)
    store.close()
    store = ResponseStore(tmp_path / "x.sqlite", "cache")
    newest, oldest = store.find(b"k")
    assert (newest.status, oldest.status, oldest.fields, oldest.body) == (404, 200, ONE.fields, ONE.body)
    store.update(oldest.id, [("C", "3")])
    store.remove(newest.id)
    assert [stored.fields for stored in store.find(b"k")] == [[("C", "3")]]
    store.add(b"k", ONE, replaces=True)
    assert len(store.find(b"k")) == 1
    assert store.find(b"other") == []
    store.close()


def test_a_file_that_is_not_a_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"no database, but long enough to be taken for one" * 100)
    with pytest.raises(ConfigError, match="cannot use .* as a cache"):
        ResponseStore(path, "cache")
