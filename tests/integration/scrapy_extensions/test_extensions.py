"""Projects with the most used extensions do the same here as with Scrapy: what the site gets, and what they leave."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from integration.scrapy_extensions.catalogue import BROKEN, OTHERS, PROJECTS, Project
from integration.scrapy_extensions.environment import OLDER, REQUIREMENTS, environment_python
from integration.scrapy_extensions.running import outcome_of
from integration.scrapy_extensions.services import SERVICES
from integration.scrapy_extensions.site import Site, loopback_site

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with loopback_site() as site:
        yield site


Running = Callable[[str], Any]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """Return what starts a service at its first use."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(SERVICES[name]()))


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_project_does_the_same_with_both_engines(
    project: Project, site: Site, running: Running, tmp_path: Path
) -> None:
    services = {name: running(name) for name in project.services}
    theirs = outcome_of("scrapy", project, site, tmp_path / "scrapy", services)
    assert re.search(project.proof, json.dumps(theirs)), (tmp_path / "scrapy" / "log").read_text()
    ours = outcome_of("crawler", project, site, tmp_path / "crawler", services)
    theirs["exit"] = list(project.exits) or theirs["exit"]
    assert ours == theirs, (tmp_path / "crawler" / "log").read_text()


@pytest.mark.parametrize("package", BROKEN)
@pytest.mark.parametrize("scrapy", ["2.19", "2.11"])
def test_a_package_that_needs_older_libraries_runs_with_no_scrapy(package: str, scrapy: str) -> None:
    program, message = BROKEN[package]
    environment = os.environ | ({"PYTHONPATH": str(OLDER)} if scrapy == "2.11" else {})
    command = [environment_python(), "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert message in done.stderr


def test_the_manual_lists_the_packages_that_are_tested() -> None:
    lines = REQUIREMENTS.read_text().split()
    versions = dict(line.split("==") for line in lines)
    newest = {one.package: one.scrapy for one in PROJECTS} | dict.fromkeys(BROKEN, "") | OTHERS
    listed = json.loads((ROOT / "docs" / "reference" / "scrapy_extensions.json").read_text())
    found = [(one["package"], one["version"], one["scrapy"]) for one in listed]
    assert found == [(name, versions[name], newest[name]) for name in sorted(newest, key=str.lower)]
