"""A command line is one of the commands; only the module of that command is imported."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
from support.cases import each

from crawler.cli.commands import COMMANDS, command_of, load_command, summary_of
from crawler.cli.run import command as run
from crawler.errors import ConfigError
from crawler.other_names import OTHER_NAMES


@each("name", COMMANDS)
def test_the_summary_of_a_command_is_the_first_line_of_its_docstring(name: str) -> None:
    assert summary_of(name) == (inspect.getdoc(load_command(name).function) or "").partition("\n")[0] != ""


def test_a_command_of_two_words_comes_before_one_of_the_first() -> None:
    assert command_of(["new", "project", "shop"]).func is load_command("new project").function  # type: ignore[attr-defined]
    assert command_of(["new", "shop"]).args == ("shop",)  # type: ignore[attr-defined]


def test_the_arguments_of_a_command_are_those_after_its_name() -> None:
    called = command_of(["run", "a.py", "--quiet"])
    assert (called.func, called.args, called.keywords) == (run, ("a.py",), {"quiet": True})  # type: ignore[attr-defined]


@each("name", OTHER_NAMES["crawler"])
def test_a_command_of_scrapy_is_named_as_it_is_called_here(name: str) -> None:
    assert name not in COMMANDS
    with pytest.raises(ConfigError) as caught:
        command_of([name])
    assert str(caught.value) == f'unknown command "{name}" (here: {OTHER_NAMES["crawler"][name]})'


IMPORTED = """
import sys
from crawler.cli import main
main([*sys.argv[1:]])
print(sorted({"crawler.engine.api", "trio", "httpx", "rich", "pycurl"} & set(sys.modules)), file=sys.stderr)
"""


@each("words", [["--help"], ["help"], ["--version"], []])
def test_help_and_version_import_no_crawl(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED, *words], check=True, capture_output=True, text=True)
    assert done.stderr == "[]\n"
