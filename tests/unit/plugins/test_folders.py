"""`LocalFolder`: a part is complete or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from crawler_plugins.outputs.folders import LocalFolder, writable

from crawler import ConfigError


def test_parts_are_written_read_listed_and_deleted(tmp_path):
    folder = LocalFolder(tmp_path / "items")
    assert (folder.names(), folder.read("a")) == ([], None)
    folder.write("b", b"2")
    folder.write("a", b"1")
    folder.write("a", b"3")
    assert (folder.names(), folder.read("a")) == (["a", "b"], b"3")
    folder.delete("a")
    folder.delete("a")
    folder.remove()
    assert folder.names() == ["b"]
    folder.delete("b")
    folder.remove()
    assert not folder.path.exists()


def test_a_write_that_fails_leaves_nothing_and_keeps_the_old_part(tmp_path, monkeypatch):
    folder = LocalFolder(tmp_path)
    folder.write("a", b"old")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        folder.write("a", b"new")
    assert (folder.names(), folder.read("a")) == (["a"], b"old")


def test_the_unfinished_file_of_a_killed_process_is_deleted(tmp_path):
    folder = LocalFolder(tmp_path / "items")
    folder.tidy()
    folder.write("part-000000000000.parquet", b"1")
    (tmp_path / "items" / ".part-000000000007.parquet.tmp").write_bytes(b"half")
    folder.tidy()
    assert [path.name for path in folder.path.iterdir()] == ["part-000000000000.parquet"]


def test_outputs_that_cannot_be_written_are_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for path, folder, message in [
        (tmp_path / "none" / "a", False, "no such folder"),
        (tmp_path / "file", True, "is a file, and a job writes a folder"),
        (tmp_path / "folder", False, "is a folder"),
        (tmp_path / "file", False, "exists already"),
        (Path("/dev/null"), False, "exists already"),
    ]:
        with pytest.raises(ConfigError, match=message):
            writable(path, "error", folder=folder)
    with pytest.raises(ConfigError, match="not a regular file"):
        writable(Path("/dev/null"), "overwrite", folder=False)
    writable(tmp_path / "file", "append", folder=False)
    writable(tmp_path / "folder", "error", folder=True)
