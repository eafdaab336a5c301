"""The rules in `docs/explanation/limit-rules.md` are numbered, and the files, models and tests that they name exist."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from support.cases import each
from support.limit_models import MODELS

ROOT = Path(__file__).parents[2]
PARTS = runpy.run_path(str(ROOT / "tests" / "bench" / "limit_parts.py"))
EXPLANATION = ROOT / "docs" / "explanation"
PAGE = (EXPLANATION / "limit-rules.md").read_text(encoding="utf-8")
RULE = re.compile(
    r"^R(?P<number>\d+) .+\n: .+\n(?:  .+\n)*\n  In `(?P<file>\S+)`\. Shown by\s+(?P<evidence>`.+(?:\n  .+)*)\.$",
    re.MULTILINE,
)
RULES = {f"R{match['number']}": match for match in RULE.finditer(PAGE)}


def named(number: str) -> list[str]:
    """Return the models and tests that a rule names."""
    return re.findall(r"`([^`]+)`", RULES[number]["evidence"])


def test_the_numbers_are_consecutive() -> None:
    headings = re.findall(r"^(R\d+) ", PAGE, re.MULTILINE)
    assert list(RULES) == headings == [f"R{number}" for number in range(1, len(headings) + 1)]


@each("number", RULES)
def test_the_file_and_the_evidence_of_a_rule_exist(number: str) -> None:
    file = RULES[number]["file"]
    assert (ROOT / (file if file.startswith("crawler/") else f"crawler/limits/{file}")).is_file(), file
    assert named(number)
    for name in named(number):
        path, _, test = name.partition("::")
        if test:
            text = (ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"^ *(?:async )?def {test}\(", text, re.MULTILINE), name
        else:
            assert name in MODELS, name


def test_every_model_is_in_the_table_of_measurements() -> None:
    text = (EXPLANATION / "limits.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (declared|silent) \|", text, re.MULTILINE)
    assert rows == [(name, "declared" if model.declared else "silent") for name, model in MODELS.items()]


def test_every_model_shows_a_rule() -> None:
    assert set(MODELS) <= {name for number in RULES for name in named(number)}


@each("name", PARTS["PARTS"])
def test_the_benchmark_of_the_parts_of_rules_removes_what_is_there(name: str) -> None:
    part = PARTS["PARTS"][name]
    path, text = PARTS["removed"](part)
    assert part.rule in RULES
    compile(text, str(path), "exec")
