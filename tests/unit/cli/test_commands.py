"""A command line is one of the commands; only the module of that command is imported."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from support.cases import each

from crawler.cli.commands import COMMANDS, all_commands, command_of, load_command, summary_of
from crawler.cli.run import command as run
from crawler.errors import ConfigError, PluginError
from crawler.other_names import OTHER_NAMES


@each(("name", "place"), [*all_commands().items()])
def test_the_summary_of_a_command_is_the_first_line_of_its_docstring(name: str, place: str) -> None:
    function = load_command(name, {name: place}).function
    assert summary_of(place) == (inspect.getdoc(function) or "").partition("\n")[0] != ""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution with three commands."""
    (tmp_path / "greetings.py").write_text(
        "from typing import Annotated\n\nfrom crawler.cli import Argument\n\n"
        'def greet(name: Annotated[str, Argument("Who it is.")]) -> int:\n    """Greet somebody."""\n'
        "    return len(name)\n"
    )
    (tmp_path / "greetings-1.dist-info").mkdir()
    (tmp_path / "greetings-1.dist-info" / "METADATA").write_text("Name: greetings\nVersion: 1\n")
    (tmp_path / "greetings-1.dist-info" / "entry_points.txt").write_text(
        "[crawler.commands]\ngreet = greetings:greet\nrun = greetings:greet\nlost = nowhere.at_all:greet\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_installed_distributions_offer_commands(installed: None) -> None:
    assert command_of(["greet", "you"])() == 3
    assert summary_of(all_commands()["greet"]) == "Greet somebody."
    assert all_commands()["run"] == COMMANDS["run"]
    with pytest.raises(ConfigError, match=r"NAME is missing \(see crawler greet --help\)"):
        command_of(["greet"])


def test_a_command_that_cannot_be_imported_is_an_error_in_one_line_and_has_no_summary(installed: None) -> None:
    assert summary_of(all_commands()["lost"]) == ""
    with pytest.raises(PluginError, match="command lost cannot be imported: ModuleNotFoundError: No module named"):
        command_of(["lost"])


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
