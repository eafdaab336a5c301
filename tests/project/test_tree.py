"""The tree and the floors in `docs/explanation/architecture.md` match the package."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"
CONTRIBUTING = ROOT / "docs" / "contributing.md"
BLOCK = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"(?P<indent> *)(?P<names>[\w.]+(?:/|\.py)(?: +[\w.]+(?:/|\.py))*)(?: {2,}|$)")


def block(page: Path, beginning: str) -> list[str]:
    """Return the lines of the fenced text block of a page that begins with this; empty: the page has none."""
    found = [text for text in BLOCK.findall(page.read_text(encoding="utf-8")) if text.startswith(beginning)]
    assert len(found) <= 1, f"{page.name} has more than one block that begins with {beginning!r}"
    return found[0].splitlines() if found else []


def entries(lines: list[str]) -> Iterator[str]:
    """Yield the paths in a tree; folders end with a slash. A line may have several of one folder."""
    folders: list[tuple[int, str]] = []
    for line in lines:
        match = ENTRY.match(line)
        assert match is not None, f"not an entry of a tree: {line!r}"
        indent = len(match["indent"])
        folders = [(column, folder) for column, folder in folders if column < indent]
        inside = folders[-1][1] if folders else ""
        names = match["names"].split()
        yield from (inside + name for name in names)
        if names[-1].endswith("/"):
            folders.append((indent, inside + names[-1]))


def drawn_floors() -> list[str]:
    """Return the rooms of each floor in the picture, without its description."""
    lines = [re.split(r" {2,}", line) for line in block(ARCHITECTURE, "__main__ ")]
    assert all(len(parts) == 2 for parts in lines), "each floor has one description"
    return [rooms for rooms, _ in lines]


def rooms() -> set[str]:
    """Return the folders of the package and the modules at its top."""
    package = ROOT / "crawler"
    folders = {path.parent for path in package.rglob("*.py")}
    return {f"{folder.relative_to(ROOT).as_posix()}/" for folder in folders} | {
        path.relative_to(ROOT).as_posix() for path in package.glob("*.py")
    }


def test_the_page_lists_every_room_and_no_other():
    listed = list(entries(block(ARCHITECTURE, "crawler/")))
    assert len(listed) == len(set(listed))
    assert {"missing": sorted(rooms() - set(listed)), "stale": sorted(set(listed) - rooms())} == {
        "missing": [],
        "stale": [],
    }


def test_every_room_has_a_line_of_description():
    lines = [line for line in block(ARCHITECTURE, "crawler/")[1:] if len(line.split(maxsplit=1)) < 2]
    assert lines == []


def test_the_floors_are_those_that_import_linter_enforces():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]

    def floors(lines: list[str]) -> list[set[str]]:
        return [set(re.split(r" *[|:] *", line)) for line in lines]

    assert floors(drawn_floors()) == floors(layers)


def test_every_room_has_a_floor():
    floors = {name for line in drawn_floors() for name in line.split(" | ")}
    tops = {
        path.split("/")[1].removesuffix(".py")
        for path in entries(block(ARCHITECTURE, "crawler/"))
        if path != "crawler/"
    }
    assert floors == tops - {"__init__"}


def test_files_named_by_the_page_and_the_decisions_exist():
    pages = [ARCHITECTURE, CONTRIBUTING, *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    named = {path for page in pages for path in re.findall(r"`((?:crawler|tests|docs)/[\w./-]+)`", page.read_text())}
    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("lines", "paths"),
    [
        (["a/", "  b/    Text.", "    c/  Text.", "  d.py  Text."], ["a/", "a/b/", "a/b/c/", "a/d.py"]),
        (["a/  Text.", "  b/  c.py  Text.", "e/"], ["a/", "a/b/", "a/c.py", "e/"]),
    ],
)
def test_the_levels_of_a_tree_follow_its_indentation(lines, paths):
    assert list(entries(lines)) == paths
