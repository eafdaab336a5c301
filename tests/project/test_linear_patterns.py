"""Every regular expression of the package takes time in proportion to its input, whatever the input is."""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import crawler_plugins
import pytest
from support.adversarial import pattern_strings

import crawler

SIZES: Final = (24, 8000)
"""Characters: the smaller one shows exponential time while it is still bearable."""
SECONDS: Final = 2e-3
SECONDS_PER_CHARACTER: Final = 1e-6
"""CPU time that one call may take. Linear patterns take a twentieth of it, quadratic ones five times as much."""
REPEATS: Final = 4
"""Calls of which the fastest counts, if the first one took too long."""
BEYOND_DOUBT: Final = 10
"""Ratio to the time that a call may take from which it is not repeated."""
WAYS: Final = {"match": "match", "fullmatch": "fullmatch"} | dict.fromkeys(
    ("search", "finditer", "findall", "sub"), "search"
)
"""How a method uses a pattern: at the beginning, for the whole string, or at each position."""
INLINE: Final = re.compile(r"\bre\.\w+\(")
"""A call of a function of `re`. A module that has neither that nor a pattern need not be parsed."""


def _modules() -> Iterator[Any]:
    for package in (crawler, crawler_plugins):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def _patterns_in(value: Any, name: str) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Yield the patterns of a constant, also those inside a table."""
    if isinstance(value, re.Pattern):
        yield name, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _patterns_in(one, f"{name}[{key!r}]")
    elif isinstance(value, (tuple, list)):
        for place, one in enumerate(value):
            yield from _patterns_in(one, f"{name}[{place}]")


def _uses(nodes: list[ast.AST]) -> dict[str, set[str]]:
    """Return the ways in which names of a module are used as patterns; those of variables under an empty name."""
    ways: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in WAYS:
            value = node.value.value if isinstance(node.value, ast.Subscript) else node.value
            name = value.id if isinstance(value, ast.Name) and value.id.lstrip("_").isupper() else ""
            ways.setdefault(name, set()).add(WAYS[node.attr])
    return ways


def _inline(nodes: list[ast.AST]) -> Iterator[tuple[str, Any]]:
    """Yield way and pattern of calls such as ``re.split("[,;]", text)``."""
    for node in nodes:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in {*WAYS, "split"}
            and isinstance(node.args[0], ast.Constant)
        ):
            yield WAYS.get(node.func.attr, "search"), node.args[0].value


@functools.cache
def catalogue() -> dict[str, tuple[re.Pattern[Any], set[str]]]:
    """Return each pattern by its place, with the ways in which its module uses it; all ways if it is used elsewhere."""
    found: dict[str, tuple[re.Pattern[Any], set[str]]] = {}
    for module in _modules():
        code = Path(module.__file__).read_text(encoding="utf-8")
        constants = {name: list(_patterns_in(value, name)) for name, value in vars(module).items()}
        if not any(constants.values()) and not INLINE.search(code):
            continue
        nodes = list(ast.walk(ast.parse(code)))
        ways = _uses(nodes)
        for way, source in _inline(nodes):
            found[f"{module.__name__}: {source!r}"] = (re.compile(source), {way})
        for name, patterns in constants.items():
            used = ways.get(name) or ways.get("") or set(WAYS.values())
            found |= {f"{module.__name__}.{place}": (pattern, used) for place, pattern in patterns}
    return found


def _all_matches(pattern: re.Pattern[Any], text: Any) -> None:
    for _ in pattern.finditer(text):
        pass


def _seconds(call: Callable[[Any], object], text: Any) -> float:
    started = time.thread_time()
    call(text)
    return time.thread_time() - started


def slow_strings(pattern: re.Pattern[Any], ways: set[str]) -> Iterator[str]:
    """Yield the strings, shortened, on which a pattern takes too long."""
    calls: dict[str, Callable[[Any], object]] = {
        "match": pattern.match, "fullmatch": pattern.fullmatch, "search": lambda text: _all_matches(pattern, text),
    }  # fmt: skip
    for size in SIZES:
        for text in pattern_strings(pattern, size):
            for way in sorted(ways):
                most = SECONDS + SECONDS_PER_CHARACTER * len(text)
                first = _seconds(calls[way], text)
                if first > BEYOND_DOUBT * most or (
                    first > most and all(_seconds(calls[way], text) > most for _ in range(REPEATS))
                ):
                    yield f"{way}: {text[:40]!r} … {text[-10:]!r}, {len(text)} characters"
                    return


def test_every_pattern_takes_linear_time() -> None:
    slow = {place: list(slow_strings(pattern, ways)) for place, (pattern, ways) in catalogue().items()}
    assert {place: strings for place, strings in slow.items() if strings} == {}


def test_the_catalogue_has_the_patterns_of_all_rooms() -> None:
    assert len(catalogue()) > 100
    assert {place.split(".")[1] for place in catalogue()} >= {
        "content",
        "feeds",
        "html",
        "http",
        "limits",
        "records",
        "urls",
    }


@pytest.mark.parametrize(
    ("source", "way"),
    [
        (r"[0-9]*\.?[0-9]+x", "fullmatch"), (r"(?:a|aa)+b", "match"), (r"\s+$", "search"),
        (r"https?\s*s?\s*:", "match"),
        (r'"(?:[^"\\]|\\.)*"', "search"), (r"<!--.*?-->", "search"), (r"(?:[a-z]+-?)*!", "match"),
    ],
)  # fmt: skip
def test_the_strings_show_patterns_that_take_longer(source: str, way: str) -> None:
    assert list(slow_strings(re.compile(source, re.DOTALL), {way}))
