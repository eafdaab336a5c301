"""The outputs of a command line: which ones may be opened together, and what happens to files that exist."""

from __future__ import annotations

import os

import pytest

from crawler import ConfigError
from crawler.cli.open_outputs import open_outputs


def count_lines(path):
    return len(path.read_text().splitlines())


def test_an_existing_output_is_refused_appended_to_or_overwritten(command, books, tmp_path):
    page = ["run", "books.py", "-o", "items.jsonl", "-s", "max_depth=0", "--quiet"]
    assert command(*page) == (0, "", "")
    code, _, err = command(*page)
    assert (code, err.count("\n")) == (2, 1)
    assert command(*page, "--append") == (0, "", "")
    assert count_lines(tmp_path / "items.jsonl") == 2
    assert command(*page, "--overwrite") == (0, "", "")
    assert count_lines(tmp_path / "items.jsonl") == 1


def test_an_output_is_given_once_whatever_its_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"output \./items\.jsonl is given twice"):
        open_outputs(["items.jsonl", "./items.jsonl"], "error")
    with pytest.raises(ConfigError, match="output - is given twice"):
        open_outputs(["-", "-"], "error")


def test_no_output_may_be_a_file_of_a_series(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"output items-00001\.jsonl may be a file of the output items-%"):
        open_outputs(["items-%(n)05d.jsonl?max_rows=10", "items-00001.jsonl"], "error")
    assert len(open_outputs(["items-%(n)05d.jsonl?max_rows=10", "items.jsonl"], "error")) == 2


def test_standard_output_that_is_closed_takes_no_items():
    before, unwritable = os.dup(1), os.open(os.devnull, os.O_RDONLY)  # as `open_closed_streams` leaves it
    try:
        os.dup2(unwritable, 1)
        with pytest.raises(ConfigError, match="standard output .* is closed"):
            open_outputs(["-"], "error")
    finally:
        os.dup2(before, 1)
        os.close(before)
        os.close(unwritable)
