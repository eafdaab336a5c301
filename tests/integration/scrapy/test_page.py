"""The commands of the manual's page about Scrapy projects print what the page says."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from crawler_plugins.scrapy.reactor import TrioReactor
from markdown_it import MarkdownIt

from crawler.cli.app import main
from crawler.testing.demo import demo_site

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "howto" / "run-a-scrapy-project.md"
FIGURES = re.compile(r"in [0-9.]+ s \([0-9.]+ pages/s")
PYTHON_OF_EXAMPLE = "bookshop"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the example."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCRAPY_SETTINGS_MODULE", "")
    monkeypatch.setattr(sys, "path", list(sys.path))
    shutil.copytree(ROOT / "examples" / "scrapy_project", tmp_path / "examples" / "scrapy_project")
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == PYTHON_OF_EXAMPLE]:
        del sys.modules[name]
    TrioReactor.uninstall()


def steps() -> list[tuple[str, str]]:
    """Return each command of the page that is followed by its output, with that output."""
    blocks = [(token.info, token.content) for token in MarkdownIt().parse(PAGE.read_text()) if token.type == "fence"]
    return [(script, said) for (kind, script), (then, said) in pairwise(blocks) if (kind, then) == ("sh", "text")]


def test_the_page_has_outputs():
    assert len(steps()) == 3


@pytest.mark.parametrize(("script", "said"), steps())
def test_a_command_prints_the_same_as_on_the_page(script, said, folder, capfd):
    words = shlex.split(script)[1:]
    with demo_site() as site:
        main([*words, "-a", f"start={site.url}quotes/"] if "quotes" in words else words)
    printed = FIGURES.sub("in N s (N pages/s", "".join(capfd.readouterr()))
    missing = [line for line in FIGURES.sub("in N s (N pages/s", said).splitlines() if line not in printed]
    assert missing == []
