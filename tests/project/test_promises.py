"""Each promise of the manual names tests, and these exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "promises.md"
ROW = re.compile(r"^\| (?P<name>[a-z ]+) \| (?P<promise>.+) \| (?P<proofs>.+) \|$", re.MULTILINE)
ROWS = {row["name"]: re.findall(r"`([^`]+)`", row["proofs"]) for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))}


def number_of_tests(path: Path) -> int:
    """Return the number of tests in a file or a folder."""
    files = path.rglob("test_*.py") if path.is_dir() else [path]
    return sum(len(re.findall(r"^(?:async )?def test_", file.read_text(), re.MULTILINE)) for file in files)


@pytest.mark.parametrize(("name", "proofs"), ROWS.items(), ids=ROWS)
def test_the_tests_of_a_promise_exist(name: str, proofs: list[str]) -> None:
    tests = [proof for proof in proofs if proof.endswith(".py") or "." not in proof]
    assert tests, f"{name}: no test is named"
    assert [proof for proof in proofs if not (ROOT / proof).exists()] == []
    assert [proof for proof in tests if not number_of_tests(ROOT / proof)] == []


def test_every_row_of_the_table_is_read() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("|---"))
    assert len(ROWS) == next(n for n, line in enumerate(lines[start + 1 :]) if not line.startswith("|"))


def test_the_benchmarks_that_the_limits_name_exist() -> None:
    named = re.findall(r"`(tests/bench/[^`]+)`", PAGE.read_text(encoding="utf-8"))
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []
