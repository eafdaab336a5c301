"""Projects with the most used extensions do the same here as with Scrapy: what the site gets, and what they leave."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.scrapy_extensions.catalogue import BROKEN, PROJECTS, Project
from integration.scrapy_extensions.environment import OLDER, REQUIREMENTS, environment_python
from integration.scrapy_extensions.running import outcome_of
from integration.scrapy_extensions.site import Site, loopback_site

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with loopback_site() as site:
        yield site


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_a_project_does_the_same_with_both_engines(project: Project, site: Site, tmp_path: Path) -> None:
    theirs = outcome_of("scrapy", project, site, tmp_path / "scrapy", {})
    assert re.search(project.proof, json.dumps(theirs)), (tmp_path / "scrapy" / "log").read_text()
    ours = outcome_of("crawler", project, site, tmp_path / "crawler", {})
    theirs["exit"] = list(project.exits) or theirs["exit"]
    assert ours == theirs, (tmp_path / "crawler" / "log").read_text()


@pytest.mark.parametrize("package", BROKEN)
@pytest.mark.parametrize("scrapy", ["2.19", "2.11"])
def test_a_package_that_needs_an_older_scrapy_cannot_be_imported(package: str, scrapy: str) -> None:
    name, message = BROKEN[package]
    environment = os.environ | ({"PYTHONPATH": str(OLDER)} if scrapy == "2.11" else {})
    command = [environment_python(), "-c", f"import {name}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert message in done.stderr


def test_the_manual_lists_the_packages_that_are_tested() -> None:
    lines = REQUIREMENTS.read_text().split()
    versions = dict(line.split("==") for line in lines)
    tested = [[one.package, versions[one.package], one.scrapy] for one in PROJECTS]
    tested += [[package, versions[package], ""] for package in BROKEN]
    listed = json.loads((ROOT / "docs" / "reference" / "scrapy_extensions.json").read_text())
    assert [[one["package"], one["version"], one["scrapy"]] for one in listed] == sorted(tested)
