"""The public names of `crawler` are listed, and every module lists its public names."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import crawler
from crawler import errors
from crawler.hooks.plugin import Plugin
from crawler.hooks.table import HOOKS

PACKAGE = Path(crawler.__file__).parent


def declared(path: Path) -> list[str] | None:
    """Return the names of `__all__` as written in a source file; `None` if it has none."""
    for statement in ast.parse(path.read_text()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List() as value):
                return ast.literal_eval(value)
    return None


def module_of(path: Path) -> ModuleType:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return importlib.import_module(".".join(part for part in parts if part != "__init__"))


HOMES = (
    "crawler", "crawler.api_client", "crawler.cli", "crawler.feeds", "crawler.monitor", "crawler.sinks",
    "crawler.spiders", "crawler.store",
)  # fmt: skip
"""Packages whose public names are imported at first use."""


def imported_for_type_checkers(module: ModuleType) -> dict[str, str]:
    """Return the names that the ``TYPE_CHECKING`` block of a package exports, with their modules."""
    tree = ast.parse(inspect.getsource(module))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        alias.asname: statement.module
        for statement in block.body
        for alias in statement.names
        if alias.asname == alias.name
    }


@pytest.mark.parametrize("home", HOMES)
def test_type_checkers_and_the_runtime_find_the_same_names_in_the_same_places(home):
    module = importlib.import_module(home)
    assert imported_for_type_checkers(module) == module._PLACES
    assert module.__all__ == sorted(set(module._PLACES))


@pytest.mark.parametrize("home", HOMES)
def test_every_public_name_can_be_imported(home):
    module = importlib.import_module(home)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert dir(module) == module.__all__


def test_the_top_level_has_the_names_that_most_programs_need():
    assert 40 <= len(crawler.__all__) <= 57


def test_every_error_is_public():
    assert set(errors.__all__) <= set(crawler.__all__)


def test_the_tree_in_the_docstring_of_errors_matches_its_classes():
    drawn: list[tuple[str, str]] = []
    ancestors: list[tuple[int, str]] = []
    for line in inspect.getdoc(errors).split("::", 1)[1].splitlines():
        rest = line.lstrip(" │├└─")
        if not line.startswith(" ") or not rest:
            continue
        depth, name = len(line) - len(rest), rest.split()[0]
        ancestors = [(column, parent) for column, parent in ancestors if column < depth]
        drawn.append((name, ancestors[-1][1] if ancestors else "Exception"))
        ancestors.append((depth, name))
    classes = [getattr(errors, name) for name in errors.__all__]
    assert sorted(drawn) == sorted((error.__name__, error.__base__.__name__) for error in classes)


def test_the_table_of_hooks_matches_the_methods_of_a_plugin():
    methods = [name for name, value in vars(Plugin).items() if inspect.isroutine(value) and not name.startswith("_")]
    assert list(HOOKS) == methods


def test_every_name_in_the_all_of_a_module_exists():
    wrong = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for name in declared(path) or []
        if not hasattr(module_of(path), name)
    ]
    assert wrong == []


def loaded_by(code: str) -> list[str]:
    """Return the modules of the framework that a program has imported by its end."""
    code += "; import sys; print(*(name for name in sys.modules if name.startswith('crawler')))"
    return subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True).stdout.split()


def test_importing_the_framework_imports_nothing_before_first_use():
    assert sorted(loaded_by("import crawler")) == ["crawler", "crawler.lazy"]
    assert "crawler.engine.scheduler" not in loaded_by("from crawler import Pace, Settings")


def test_a_crawl_imports_no_more_than_it_needs():
    loaded = loaded_by("from crawler import Request, Response, Settings, Spider, crawl, run")
    beside = ("crawler_plugins", "crawler.testing", "crawler.cli", "crawler.records", "crawler.spiders.api")
    beside += ("crawler.spiders.crawl", "crawler.spiders.feed", "crawler.spiders.sitemap", "crawler.feeds.feed")
    beside += ("crawler.feeds.sitemap", "crawler.messages.form", "crawler.api_client.client", "crawler.fetch.proxies")
    assert not [name for name in loaded if name.startswith(beside)]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'crawler' has no attribute 'spider'"):
        _ = crawler.spider


def test_no_room_hides_a_public_name():
    """Importing a subpackage sets an attribute of its package: a room named `client` would replace the function."""
    for path in sorted(PACKAGE.glob("*/__init__.py")):
        module_of(path)
    assert [name for name in crawler.__all__ if inspect.ismodule(getattr(crawler, name))] == []
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir()}.isdisjoint(crawler.__all__)
