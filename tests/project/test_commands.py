"""Commands in the README and the manual are ones that the command line accepts, and configurations can be loaded.

The commands of the tutorial and of the README's first steps are run as well: `test_tutorial`, `test_readme`.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from crawler.cli.commands import all_commands, command_of
from crawler.cli.configuration import parse_pairs
from crawler.cli.project_file import from_project
from crawler.errors import ConfigError
from crawler.hooks.load import installed, load_plugin
from crawler.settings.settings import NAMES

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if not {"_build", "changes"} & set(path.parts)),
]
SHELLS = {"sh", "console", "bash"}
ENDS = {"|", "||", "&&", ";", "&", "<", ">", ">>", "2>", "do", "done", "then"}


def blocks(page: Path, languages: set[str]) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each fenced block in one of these languages."""
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "fence" and token.info.strip() in languages:
            yield token.map[0] + 1, token.content


def commands(script: str) -> Iterator[list[str]]:
    """Yield the arguments of each command of the crawler in a script."""
    for line in script.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        for place, word in enumerate(words):
            begins = place == 0 or words[place - 1] in ENDS | {"-m"}
            if begins and word.rpartition("/")[2] == "crawler":
                arguments = words[place + 1 :]
                end = next((n for n, other in enumerate(arguments) if other in ENDS), len(arguments))
                yield arguments[:end]


def known(arguments: list[str]) -> str | None:
    """Return what is wrong with a command; `None` if nothing is."""
    if not arguments or arguments[0].startswith("-"):
        return None
    try:
        called: Any = command_of(arguments)
    except ConfigError as error:
        return str(error)
    given = called.keywords
    for name in parse_pairs(given.get("setting") or given.get("settings") or (), "-s"):
        if name not in NAMES:
            return f"no such setting: {name}"
    names = given.get("plugin") or given.get("plugins") or ()
    for name in names if isinstance(names, tuple | list) else ():
        if ":" not in name:
            load_plugin(name)
    missing = [
        word for word in arguments if word.startswith("examples/") and not (ROOT / word.partition(":")[0]).exists()
    ]
    return f"{missing[0]} is missing" if missing else None


@pytest.fixture(scope="module")
def shown():
    """Return the place and the arguments of each command of the manual."""
    return [
        (f"{page.relative_to(ROOT)}:{line}", arguments)
        for page in PAGES
        for line, script in blocks(page, SHELLS)
        for arguments in commands(script)
    ]


def test_the_manual_shows_every_command(shown):
    names = [name for _, words in shown for name in (words[0:1], words[0:2]) if name]
    assert len(shown) > 80
    assert [name for name in all_commands() if name.split() not in names] == []


def test_each_command_of_the_manual_is_accepted(shown):
    faults = {f"{place}: {shlex.join(arguments)}": known(arguments) for place, arguments in shown}
    assert {command: wrong for command, wrong in faults.items() if wrong} == {}


def test_wrong_commands_are_found():
    assert known(["run", "examples/quotes.py", "-s", "dealy=1"]) == "no such setting: dealy"
    assert known(["run", "examples/none.py"]) == "examples/none.py is missing"
    assert "--nope" in known(["run", "examples/quotes.py", "--nope"])
    assert list(commands("ls | crawler run a && python -m crawler job b > c # crawler x")) == [
        ["run", "a"],
        ["job", "b"],
    ]


def test_each_configuration_of_the_manual_can_be_loaded(tmp_path):
    missing = {}
    for page in PAGES:
        for line, text in blocks(page, {"toml"}):
            if not re.match(r"\[(project|build|tool)", text):
                (tmp_path / "crawler.toml").write_text(text)
                loaded = from_project(tmp_path)
                assert loaded.source == "crawler.toml"
                names = {name for name in loaded.plugins if ":" not in name}
                missing[f"{page.relative_to(ROOT)}:{line}"] = names - installed().keys()
    assert len(missing) > 2
    assert {place: names for place, names in missing.items() if names} == {}


def constants() -> str:
    """Return the text of all messages of the package; placeholders are ``…``."""
    texts = []
    for folder in ("crawler", "plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    texts.append("".join(p.value if isinstance(p, ast.Constant) else "…" for p in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(re.sub(r"%[.\d]*[sdgf]", "…", node.value))
    return "\n".join(texts)


def test_the_symptoms_of_troubleshooting_are_real_messages():
    page = (ROOT / "docs" / "howto" / "troubleshooting.md").read_text()
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 20
    sources = constants()
    parts = [
        part.strip(" ()'") for row in rows for text in re.findall(r"`([^`]+)`", row) for part in re.split("…|: ", text)
    ]
    assert [part for part in parts if len(part) > 12 and part not in sources] == []
