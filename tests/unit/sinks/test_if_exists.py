"""The check of a file that is to be written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler.errors import ConfigError
from crawler.sinks.if_exists import OTHER, check_target


@pytest.mark.parametrize(
    ("in_job", "words"),
    [
        (False, "exists already: --overwrite replaces it, --append adds to it (in Python: if_exists)"),
        (True, f"exists already: {OTHER}, or --overwrite replaces it (in Python: if_exists)"),
    ],
)
def test_a_file_that_exists_needs_a_decision(tmp_path, in_job, words):
    path = tmp_path / "items.jsonl"
    check_target(path, "error", in_job=in_job)
    path.write_text("")
    with pytest.raises(ConfigError, match=f"^{re.escape(f'{path} {words}')}$"):
        check_target(path, "error", in_job=in_job)
    check_target(path, "overwrite", in_job=in_job)
    check_target(path, "append", in_job=in_job)


@pytest.mark.parametrize("if_exists", ["error", "overwrite", "append"])
def test_a_path_that_cannot_be_a_file_is_refused(tmp_path, if_exists):
    with pytest.raises(ConfigError, match="is a folder"):
        check_target(tmp_path, if_exists)
    with pytest.raises(ConfigError, match=r"no such folder: .*none \(for .*items\)"):
        check_target(tmp_path / "none" / "items", if_exists)
    with pytest.raises(ConfigError, match="^cannot write .*: file name too long"):
        check_target(tmp_path / ("x" * 300), if_exists)


def test_a_device_is_not_a_regular_file():
    with pytest.raises(ConfigError, match="/dev/null is not a regular file"):
        check_target(Path("/dev/null"), "overwrite")
