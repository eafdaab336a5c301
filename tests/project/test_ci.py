"""nox and the workflow run exactly the steps of `.ci/run`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def defined() -> set[str]:
    """Return the functions of the script that are steps."""
    return set(re.findall(r"^(\w+)\(\) \{", SCRIPT, re.MULTILINE)) - {"readme_command", "run"}


def by_default() -> list[str]:
    """Return the steps that run if none is named, in order."""
    [groups] = re.findall(r"groups=\(([\w \"]+)\)", SCRIPT)
    return groups.replace('"', "").split()


def constant(name: str) -> tuple[str, ...]:
    """Return a tuple of strings that `noxfile.py` defines."""
    for statement in ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8")).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                return ast.literal_eval(value)
    raise LookupError(name)


def test_every_step_but_the_measured_coverage_runs_by_default():
    assert {*by_default(), "coverage"} == defined()


def test_the_workflow_runs_every_step():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    named = re.findall(r"- run: \.ci/run ((?:\w+ ?)+)$", workflow, re.MULTILINE)
    [matrix] = re.findall(r"^        steps:\n((?:          - .*\n)+)", workflow, re.MULTILINE)
    named += re.findall(r"- (.*)", matrix)
    assert {step for steps in named for step in steps.split()} == defined()


WITH_SERVERS = (
    "sites",
    "limited",
    "power",
    "outages",
    "databases",
    "fleet",
    "web",
    "browser",
    "notebook",
    "extensions",
)


def test_nox_runs_every_step_that_needs_no_servers():
    assert set(constant("STEPS")) == defined() - {"servers", *WITH_SERVERS}


def test_the_rooms_of_the_fast_session_are_rooms():
    assert [room for room in constant("FAST") if not (ROOT / "crawler" / room).is_dir()] == []
