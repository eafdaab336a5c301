"""The README: its two commands are one line each, CI runs that of the tests, its links lead to files.

The step after the demo works as it is written.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PORT = import_module("crawler.cli.demo").PORT


def command(name: str) -> str:
    """Return the fenced block after the comment ``<!-- NAME command -->``."""
    marked = re.compile(rf"^<!-- {name} command -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    blocks = marked.findall(README)
    assert len(blocks) == 1, f"one block after <!-- {name} command -->"
    return blocks[0]


@pytest.mark.parametrize("name", ["demo", "test"])
def test_each_command_is_one_line(name):
    assert re.fullmatch(r"\S[^\n]*[^\s\\]\n", command(name))


def test_ci_runs_the_test_command_of_the_readme():
    printed = subprocess.run([ROOT / ".ci/run", "command"], check=True, capture_output=True, text=True).stdout
    assert printed == command("test")


def test_links_lead_to_files_of_the_repository():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("https://")]
    assert len(links) > 20
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []


def test_benchmarks_that_it_names_exist():
    named = re.findall(r"tests/bench/\w+\.py", README)
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_step_after_the_demo_works_as_written(tmp_path):
    """The bookshop has a free port here, so that two tests can run at once."""
    [serve, crawl] = re.findall(r"```sh\n\. \.venv/bin/activate\n(.*?)\n```", README)
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    site = subprocess.Popen([*shlex.split(serve), "--port", "0"], env=env, stdout=subprocess.PIPE, text=True)
    try:
        [url] = re.findall(r"http://[\d.]+:\d+/", site.stdout.readline())
        [written] = re.findall(r"http://[\d.]+:\d+/", crawl)
        command = shlex.split(crawl.replace(written, url).replace("examples/", f"{ROOT}/examples/"))
        subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True)
    finally:
        site.terminate()
        site.communicate()
    assert len((tmp_path / "quotes.jsonl").read_text().splitlines()) == 20


def test_the_port_of_the_bookshop_is_that_of_the_command():
    assert f"http://127.0.0.1:{PORT}/" in README
