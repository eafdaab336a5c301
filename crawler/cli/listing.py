"""``crawler list``: the spiders of a folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from crawler.cli.arguments import Argument
from crawler.cli.logs import say
from crawler.cli.standard_streams import show
from crawler.errors import ConfigError

__all__ = ["FoundSpider", "find_spiders", "list_spiders"]

SKIPPED: Final = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"})
"""Folders that contain no spiders of the user. Neither do those whose names begin with a dot."""
BASES: Final = ("Spider",)
"""The endings of the names of spider base classes."""


class FoundSpider(NamedTuple):
    """A spider in a file that was read, but not run."""

    target: str
    """Its TARGET on the command line."""
    name: str
    """Its name, which jobs and reports have."""
    summary: str
    """The first line of its docstring."""


def list_spiders(
    folder: Annotated[Path, Argument("A folder; default: the working directory.")] = Path(),
    /,
) -> int:
    """List the spiders in the Python files of a folder.

    Each line is the TARGET of other commands. The files are read, but not run.

    Example: crawler list spiders
    """
    if not folder.is_dir():
        raise ConfigError(f"no such folder: {folder}")
    found = find_spiders(folder)
    if not found:
        say(f"crawler: no spiders in {folder.resolve()}; create one with: crawler new NAME\n")
        return 0
    width = max(len(spider.target) for spider in found)
    show(f"{spider.target:{width}}  {spider.summary}".rstrip() for spider in found)
    return 0


def find_spiders(folder: Path) -> list[FoundSpider]:
    """Return the spiders in the Python files of a folder and those below, without running the files."""
    return [spider for path in _files(folder) for spider in _spiders_of(path)]


def _files(folder: Path) -> Iterator[Path]:
    """Yield the Python files of a folder and those below, in alphabetical order, as far as they can be listed."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return
    for path in paths:
        if path.name.startswith(".") or path.name in SKIPPED or path.is_symlink():
            continue
        if _is_folder_of_code(path):
            yield from _files(path)
        elif path.suffix == ".py":
            yield path


def _is_folder_of_code(path: Path) -> bool:
    """Return whether a path is a folder that may be read, and not a virtual environment."""
    try:
        return path.is_dir() and not (path / "pyvenv.cfg").exists()
    except OSError:
        return False


def _spiders_of(path: Path) -> Iterator[FoundSpider]:
    """Yield each spider that a file defines.

    A class is a spider if the name of a base ends with ``Spider``, or if the base is a spider of the same file.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):  # the last two by deeply nested code
        return
    spiders: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
        if any(base.endswith(BASES) or base in spiders for base in bases):
            spiders[node.name] = node
    shown = {name: node for name, node in spiders.items() if not name.startswith("_")}
    for name, node in shown.items():
        target = str(path) if len(shown) == 1 else f"{path}:{name}"
        yield FoundSpider(target, _name_of(node), (ast.get_docstring(node) or "").partition("\n")[0])


def _name_of(node: ast.ClassDef) -> str:
    """Return the name of a spider: its attribute `name`, or the class name in lower case."""
    for statement in node.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="name")], value=ast.Constant(value=str(name)))
                | ast.AnnAssign(target=ast.Name(id="name"), value=ast.Constant(value=str(name)))
            ) if name:
                return name
    return node.name.lower()
