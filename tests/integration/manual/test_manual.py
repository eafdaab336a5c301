"""The manual is complete: it builds without warnings, and its reference contains every public name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import attrs
import pytest

import crawler
from crawler import testing
from crawler.cli.commands import all_commands
from crawler.cli.plugins import find, settable_options
from crawler.hooks.load import installed
from crawler.hooks.table import HOOKS
from crawler.sinks.choose import output_names

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def pages():
    """Build the manual and return its folder; beside it, ``warnings.txt`` has the messages of Sphinx."""
    folder = ROOT / "docs" / "_build" / "html"
    options = ["-E", "-n", "--keep-going", "-q", "-b", "html", "-w", folder.parent / "warnings.txt"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, "-P", "-m", "sphinx", *options, ROOT / "docs", folder]
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    subprocess.run(command, env=env | {"MANUAL_URL": "https://docs.test/manual/"}, check=True)
    return folder


@pytest.fixture(scope="module")
def targets(pages):
    """Return all link targets of the manual, such as ``py:class crawler.Request``."""
    inventory = (pages / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {" ".join(line.split()[1::-1]) for line in zlib.decompress(inventory).decode().splitlines()}


@pytest.fixture(scope="module")
def names(targets):
    """Return the dotted names of the documented Python objects."""
    return {target.split()[1] for target in targets if target.startswith("py:")}


def test_the_manual_builds_without_a_warning(pages):
    """Broken links and undocumented types of the project are warnings, too."""
    assert (pages.parent / "warnings.txt").read_text() == ""


def test_every_public_name_is_in_the_reference(names):
    assert [name for name in crawler.__all__ if not name.startswith("_") and f"crawler.{name}" not in names] == []


def test_every_setting_is_in_the_reference(names):
    settings = [field.name for field in attrs.fields(crawler.Settings) if not field.name.startswith("_")]
    assert [name for name in settings if f"crawler.Settings.{name}" not in names] == []


def test_each_setting_is_below_a_topic(pages):
    page = (pages / "reference" / "settings.md").read_text()
    topics = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    assert len(topics) > 6
    [speed] = [topic for topic in topics if topic.startswith("Speed")]
    assert "per\\_host: int = 8" in speed
    assert "durability" not in speed


def test_each_page_has_markdown_that_llms_txt_lists(pages):
    listed = re.findall(r"\((https://[^)]*/manual/)([^)]+)\.md\)", (pages / "llms.txt").read_text())
    assert len({base for base, _ in listed}) == 1
    built = {path.relative_to(pages).with_suffix("").as_posix() for path in pages.rglob("*.html")}
    assert {name for _, name in listed} == built - {"genindex", "search", "py-modindex"}
    for _, name in listed:
        assert (pages / f"{name}.md").read_text().startswith("# ")
    head = (pages / "howto" / "configuration.html").read_text()
    assert '<link rel="alternate" type="text/markdown" href="configuration.md">' in head


def test_markdown_contains_code_tables_and_links_to_the_published_manual(pages):
    page = (pages / "howto" / "configuration.md").read_text()
    assert '```\noutputs = ["quotes.jsonl"]' in page
    assert "| `-s delay=1` |" in page
    assert "/manual/howto/secrets.html)" in page


def test_every_plugin_and_output_is_in_the_reference_with_its_options(pages):
    page = (pages / "reference" / "plugins.html").read_text()
    for name in [*installed(), *output_names()]:
        assert name in page
        assert [option.name for option in settable_options(find(name)) if f"{option.name}" not in page] == []
    assert "trio-crawler[postgres]" in page
    assert "exactly once: rows and cursor are written in one transaction" in page


def test_every_hook_is_in_the_reference(names):
    assert [name for name in HOOKS if f"crawler.Plugin.{name}" not in names] == []


def test_every_included_plugin_is_in_the_reference(names):
    included = [point.value.replace(":", ".") for point in installed().values() if "crawler_plugins" in point.value]
    assert len(included) > 5
    assert [name for name in included if name not in names] == []


def test_every_command_is_in_the_reference(targets):
    labels = {name: f"std:label command-{name.replace(' ', '-')}" for name in all_commands()}
    assert {"run", "serve"} < labels.keys()
    assert [name for name, label in labels.items() if label not in targets] == []


def test_every_name_of_the_test_kit_is_in_the_reference(names):
    assert [name for name in testing.__all__ if f"crawler.testing.{name}" not in names] == []
