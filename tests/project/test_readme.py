"""The two commands in the README are one line each, and CI runs the command of the tests."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def command(name: str) -> str:
    """Return the fenced block after the comment ``<!-- NAME command -->``."""
    marked = re.compile(rf"^<!-- {name} command -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    blocks = marked.findall((ROOT / "README.md").read_text())
    assert len(blocks) == 1, f"one block after <!-- {name} command -->"
    return blocks[0]


@pytest.mark.parametrize("name", ["demo", "test"])
def test_each_command_is_one_line(name):
    assert re.fullmatch(r"\S[^\n]*[^\s\\]\n", command(name))


def test_ci_runs_the_test_command_of_the_readme():
    printed = subprocess.run([ROOT / ".ci/run", "command"], check=True, capture_output=True, text=True).stdout
    assert printed == command("test")
