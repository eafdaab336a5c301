"""``crawler new project``: everything in the new folder works as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.localsite import local_site

from crawler.cli import main

NO_NAME = "cannot name a spider: use letters, digits and underscores, and do not start with a digit"


def test_the_new_project_is_checked_planned_tested_and_crawled(in_process, monkeypatch, capsys):
    pages = {"/": "<title>One</title><a href='/two'>two</a>", "/two": "<title>Two</title><a href='/'>one</a>"}
    with local_site(pages) as site:
        assert main(["new", "project", "quiet_shelf", site.url]) == 0
        said = capsys.readouterr().err
        assert said == "wrote quiet_shelf/; run its spider with: cd quiet_shelf && crawler run quiet_shelf.py\n"
        monkeypatch.chdir("quiet_shelf")
        assert main(["check", "quiet_shelf.py"]) == 0
        assert capsys.readouterr().out == f"ok      parse  {site.url}\n"
        assert site.log == [], "the page is recorded"
        assert main(["plan", "quiet_shelf.py"]) == 0
        assert "delay 0.5 (pyproject.toml)" in (plan := capsys.readouterr().out)
        assert f"request   GET {site.url}" in plan
        assert main(["run", "quiet_shelf.py", "-s", "delay=0", "--quiet"]) == 0
        assert main(["check", "quiet_shelf.py", "--record"]) == 0
        assert Path("pages/quiet_shelf.html").read_text() == pages["/"]
    items = [json.loads(line) for line in Path("quiet_shelf.jsonl").read_text().splitlines()]
    assert [item["title"] for item in items] == ["One", "Two"]
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "error"],
        capture_output=True, text=True, timeout=120, check=False, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout


def test_the_files_of_a_project(in_process, tmp_path):
    assert main(["new", "project", "quiet_shelf", "https://www.shelf.example:8443/a?b=\\N'"]) == 0
    folder = tmp_path / "quiet_shelf"
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        ".github/workflows/test.yml",
        ".gitignore",
        "pages/quiet_shelf.html",
        "pyproject.toml",
        "quiet_shelf.py",
        "tests/test_quiet_shelf.py",
    ]
    spider = (folder / "quiet_shelf.py").read_text()
    assert 'allowed_domains = ["www.shelf.example:8443"]' in spider
    assert main(["check", "quiet_shelf/quiet_shelf.py"]) == 0, "a backslash of the URL is no escape of Python"
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["name"] == "quiet-shelf"
    assert project["tool"]["setuptools"]["py-modules"] == ["quiet_shelf"]
    workflow = (folder / ".github/workflows/test.yml").read_text()
    assert "      - run: crawler check quiet_shelf.py\n      - run: pytest\n" in workflow


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("quiet-shelf", f"'quiet-shelf' {NO_NAME} (did you mean quiet_shelf?)"),
        ("full", "full exists already: choose another name"),
        ("json", "json would hide the module 'json' from every program that is started here: choose another name"),
        ("setup", "setup.py in a project is run by pip or pytest: choose another name"),
        ("conftest", "conftest.py in a project is run by pip or pytest: choose another name"),
        ("étagère", "'étagère' cannot name a project: use the letters a to z, digits and underscores"),
        ("https://x.example/", f"'https://x.example/' {NO_NAME} (did you mean https___x_example?)"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(in_process, tmp_path, capsys, name, message):
    (tmp_path / "full").mkdir()
    assert main(["new", "project", name]) == 2
    assert capsys.readouterr().err == f"crawler: {message}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_a_name_and_a_url_are_needed(in_process, tmp_path, capsys):
    assert main(["new", "project"]) == 2
    assert capsys.readouterr().err == "crawler: NAME is missing (see crawler new project --help)\n"
    assert main(["new", "project", "shelf", "ftp://x.example/"]) == 2
    assert "ftp://x.example/" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_project_that_cannot_be_written_leaves_nothing(in_process, tmp_path, capsys, monkeypatch):
    write = Path.write_text

    def fail(path, text, **options):
        if path.name == ".gitignore":
            raise OSError(28, "No space left on device", str(path))
        return write(path, text, **options)

    monkeypatch.setattr(Path, "write_text", fail)
    assert main(["new", "project", "shelf"]) == 2
    assert capsys.readouterr().err == "crawler: cannot write shelf/.gitignore: no space left on device\n"
    assert list(tmp_path.iterdir()) == []
