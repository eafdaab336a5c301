"""``crawler list``: the spiders of a folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from crawler.cli.logs import say
from crawler.cli.standard_streams import show
from crawler.errors import ConfigError

__all__ = ["list_spiders"]

SKIPPED: Final = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"})
"""Folders that contain no spiders of the user. Neither do those whose names begin with a dot."""
BASES: Final = ("Spider",)
"""What the names of base classes of spiders end with."""


def list_spiders(
    folder: Annotated[Path, Parameter(help="A folder; default: the working directory.")] = Path(),
    /,
) -> int:
    """List the spiders in the Python files of a folder, as TARGET of the other commands.

    The files are read, but not run.
    """
    if not folder.is_dir():
        raise ConfigError(f"no such folder: {folder}")
    found = [(target, summary) for path in _files(folder) for target, summary in spiders_of(path)]
    if not found:
        say(f"crawler: no spiders in {folder.resolve()}; create one with: crawler new NAME\n")
        return 0
    width = max(len(target) for target, _ in found)
    show(f"{target:{width}}  {summary}".rstrip() for target, summary in found)
    return 0


def _files(folder: Path) -> Iterator[Path]:
    """Yield the Python files of a folder and those below, in alphabetical order."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in SKIPPED or path.is_symlink():
            continue
        if path.is_dir() and not (path / "pyvenv.cfg").exists():
            yield from _files(path)
        elif path.suffix == ".py":
            yield path


def spiders_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each spider that a file defines, as a target, with the first line of its docstring.

    A class is a spider if the name of a base ends with ``Spider``, or if the base is a spider of the same file.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return
    spiders: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
        if any(base.endswith(BASES) or base in spiders for base in bases):
            spiders[node.name] = (ast.get_docstring(node) or "").partition("\n")[0]
    shown = {name: summary for name, summary in spiders.items() if not name.startswith("_")}
    for name, summary in shown.items():
        yield str(path) if len(shown) == 1 else f"{path}:{name}", summary
