"""The distribution: exactly two packages, typed, and dependencies that are all declared and all needed."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BY_HTTPX = {"certifi", "h11", "httpcore"}  # dependencies of httpx
BY_SDK = {"opentelemetry-semantic-conventions"}  # of opentelemetry-sdk, in the same namespace
BY_SCRAPY = {"botocore"}  # of projects with s3 URLs: Scrapy demands it from them, too
PACKAGES = {"crawler": ROOT / "crawler", "crawler_plugins": ROOT / "plugins" / "crawler_plugins"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel without network and isolation; return the paths in it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [path] = folder.iterdir()
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def distribution(requirement: str) -> str:
    """Return the normalised name in a requirement: ``hypercorn`` for ``hypercorn[h3]>=0.18``."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0]).lower()


def test_the_wheel_contains_exactly_the_two_packages(wheel):
    project = PROJECT["project"]
    info = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    assert {path.split("/")[0] for path in wheel} == {*PACKAGES, info}


def test_the_wheel_contains_every_module_and_nothing_else(wheel):
    sources = {
        f"{package}/{path.relative_to(folder)}"
        for package, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path for path in wheel if ".dist-info/" not in path} == sources


def test_both_packages_are_typed(wheel):
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(wheel)


def in_scrapy_project(path: Path) -> bool:
    """Return whether a file belongs to a Scrapy project, which is a distribution of its own."""
    return any((folder / "scrapy.cfg").exists() for folder in path.parents)


def test_no_folder_next_to_the_packages_is_a_package():
    """A folder with an ``__init__.py`` would be importable as `plugins`, `tests` or `docs` from the checkout."""
    inits = [*(ROOT / "plugins").glob("__init__.py")]
    inits += [path for folder in ("tests", "examples", "docs") for path in (ROOT / folder).rglob("__init__.py")]
    inits = [path for path in inits if not in_scrapy_project(path)]
    assert inits == [ROOT / "examples" / "plugin_package" / "src" / "crawler_prices" / "__init__.py"]  # has its project


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements in a tree, also those inside others; most nodes are expressions, and are passed over."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.expr):
            yield node
            yield from statements(node)


@functools.cache
def imported(folder: str) -> frozenset[str]:
    """Return the top-level names that the Python files of a folder import; benchmarks may import other crawlers."""
    names = set()
    for path in (ROOT / folder).rglob("*.py"):
        if path.is_relative_to(ROOT / "tests" / "bench") or in_scrapy_project(path):
            continue
        for node in statements(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
    return frozenset(names)


@functools.cache
def owners() -> Mapping[str, list[str]]:
    """Return the installed distributions by the modules that they provide."""
    return packages_distributions()


def distributions_of(modules: set[str] | frozenset[str]) -> set[str]:
    """Return the distributions that provide third-party modules."""
    return {distribution(owner) for module in modules & owners().keys() for owner in owners()[module]}


def required(*groups: str) -> set[str]:
    """Return the distributions that the project and the given extras require."""
    project = PROJECT["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][group] for group in groups)]
    return {distribution(requirement) for requirements in lists for requirement in requirements}


def test_the_packages_import_only_required_distributions():
    extras = PROJECT["project"]["optional-dependencies"].keys() - {"test"}
    used = distributions_of(imported("crawler") | imported("plugins"))
    assert used - required(*extras) - BY_HTTPX - BY_SDK - BY_SCRAPY - {"trio-crawler"} == set()


def test_every_requirement_is_imported():
    used = distributions_of(imported("crawler") | imported("plugins"))
    assert required() - used == set()


def test_tests_examples_and_manual_import_only_required_distributions():
    used = distributions_of(imported("tests") | imported("examples") | imported("docs"))
    servers = ROOT / "tests" / "integration" / "rate_limiters" / "apps" / "requirements.txt"  # apart, in the cache
    allowed = (
        {"trio-crawler"} | BY_HTTPX | BY_SDK | BY_SCRAPY | {distribution(line) for line in servers.read_text().split()}
    )
    assert used - required(*PROJECT["project"]["optional-dependencies"]) - allowed == set()


def test_every_requirement_of_the_tests_is_needed():
    """A test imports it, or it is a tool of CI, the manual or the configuration."""
    used = distributions_of(imported("tests") | imported("docs"))
    words = (ROOT / ".ci/run").read_text() + (ROOT / "docs/conf.py").read_text() + repr(PROJECT["tool"])
    modules = {distribution(owner): module for module, names in owners().items() for owner in names}
    asked = {distribution(requirement) for requirement in PROJECT["project"]["optional-dependencies"]["test"]}
    idle = {name for name in asked - used if name not in words and modules.get(name, name) not in words}
    # hatchling builds the wheel above, and moto.server has CORS
    elsewhere = {"trio-crawler", "hatchling", "flask-cors"}
    assert idle - elsewhere == set()
