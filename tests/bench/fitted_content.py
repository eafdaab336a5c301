"""`FittedContent`: HTML that the selectors of a spider match, and JSON with the keys that it reads.

Both follow from the source of the spider: from the strings that it gives to ``css`` and ``xpath``, and from the keys
of its subscripts. Selectors of one function are nested in each other, so that a loop over a selection finds the parts
of each element.
"""

from __future__ import annotations

import ast
import html
import inspect
import re
import sys
import zlib
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["FittedContent"]

SELECTING: Final = re.compile(r"(?:add_|replace_|nested_|get_)?(css|xpath)")
"""Methods whose argument is a selector."""
MOST: Final = 24
"""Selectors of a function that are used."""
STEP: Final = re.compile(r"(?:[^/\[\]'\"]|\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]|'[^']*'|\"[^\"]*\")+")
ATTRIBUTE: Final = re.compile(r"@([\w-]+)\s*(?:=|,)\s*(['\"])(.*?)\2")
TEXT: Final = re.compile(r"(?:text\(\)|\.)\s*(?:=|,)\s*(['\"])(.*?)\1")
COMPOUND: Final = re.compile(r"([.#]?)([\w-]+)|\[([\w-]+)[*^$~|]?=?['\"]?([^\]'\"]*)['\"]?\]|::?[\w-]+(?:\([^)]*\))?")
TEXTS: Final = (
    "Text {}", "{}", "$ {}.50", "2026-01-3{}", "31/01/2026", "Shop {} (a), b: c", "{},5 km", "Jan 1{}, 2026",
)  # fmt: skip

Element = tuple[str, dict[str, str], str]
"""Name, attributes, text."""


class FittedContent:
    """Makes content for one spider.

    Parameters:
        spider_class: Its class. The modules of its base classes count, except for those of Scrapy.
    """

    def __init__(self, spider_class: type) -> None:
        self._functions: list[list[list[Element]]] = []
        keys: dict[str, None] = {}
        for tree in _trees(spider_class):
            keys.update(dict.fromkeys(_keys(tree)))
            for function in ast.walk(tree):
                if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    self._functions.append(list(_paths(function))[:MOST])
        self._keys = list(keys)[:80]

    def page(self, number: int) -> str:
        """Return HTML for a page with a number."""
        parts = []
        for paths in self._functions:
            whole = "".join(_written(path, number + n) for n, path in enumerate(paths))
            parts += [_written(path, number + n, whole) for n, path in enumerate(paths)]
        return "".join(parts)

    def record(self, number: int, depth: int = 0) -> dict[str, Any]:
        """Return an object with the keys that the spider reads. The types of values depend on the number."""
        return {key: self._value(key, number, depth) for key in self._keys}

    def _value(self, key: str, number: int, depth: int) -> Any:
        kind = (zlib.crc32(key.encode()) + number // 3) % 8
        if kind < 3 and depth < (2 if len(self._keys) < 30 else 1):
            records = [self.record(number + n, depth + 1) for n in range(number % 3 if kind else 2)]
            return records if kind else records[0]
        n = number % 10
        return (None, n, TEXTS[number % 8].format(n), f"/page/{n}", f"{n}")[kind % 5]


def _trees(spider_class: type) -> Iterator[ast.AST]:
    for name in dict.fromkeys(kind.__module__ for kind in spider_class.__mro__):
        if name.partition(".")[0] not in ("scrapy", "builtins", "crawler_plugins"):
            try:
                yield ast.parse(inspect.getsource(sys.modules[name]))
            except (OSError, TypeError, SyntaxError, KeyError):
                continue


def _keys(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        found: Any = None
        if isinstance(node, ast.Subscript):
            found = node.slice
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get" and node.args:
            found = node.args[0]
        if isinstance(found, ast.Constant) and isinstance(found.value, str):
            yield found.value


def _paths(function: ast.AST) -> Iterator[list[Element]]:
    """Yield the elements, from the outer to the inner one, of each selector in a function."""
    for node in ast.walk(function):
        match = SELECTING.fullmatch(getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else None
        for value in node.args if match and isinstance(node, ast.Call) else ():
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found = _of_css(value.value) if match and match[1] == "css" else _of_xpath(value.value)
                if found:
                    yield found


def _of_css(selector: str) -> list[Element]:
    found: list[Element] = []
    for part in re.split(r"[\s>+~]+(?![^\[]*\])", selector.partition(",")[0].strip()):
        name, fields = "div", {}
        for match in COMPOUND.finditer(part):
            kind, word, attribute, value = match.groups()
            if word and not kind:
                name = word
            elif word:
                key = "class" if kind == "." else "id"
                fields[key] = f"{fields[key]} {word}" if key in fields else word
            elif attribute:
                fields[attribute] = value or "1"
            elif match[0].startswith("::attr("):
                fields.setdefault(match[0][7:-1], "")
        if part:
            found.append((name, fields, ""))
    return found


def _of_xpath(selector: str) -> list[Element]:
    found: list[Element] = []
    for step in STEP.findall(selector.partition("|")[0].strip("() ")):
        name, _, conditions = step.partition("[")
        name = name.rpartition("::")[2].strip()
        if name.startswith("@"):
            if found:
                found[-1][1].setdefault(name[1:], "")
            continue
        if name == "*" or re.fullmatch(r"[\w-]+", name):
            fields = {attribute: value for attribute, _, value in ATTRIBUTE.findall(conditions)}
            texts = [value for _, value in TEXT.findall(conditions)]
            found.append(("div" if name == "*" else name, fields, texts[0] if texts else ""))
    return found


def _written(path: list[Element], number: int, inner: str = "") -> str:
    """Return elements as HTML, each in the one before it; text and `inner` are in the last one."""
    n = number % 10
    text = inner
    for name, fields, words in reversed(path):
        if name in ("html", "body", "head"):
            continue
        given = {"href": f"/page/{n}", "src": f"/images/{n}.png"} if name in ("a", "img", "link") else {}
        given |= {key: value or (f"/page/{n}" if key in ("href", "src") else f"{n}") for key, value in fields.items()}
        written = "".join(f' {key}="{html.escape(value)}"' for key, value in given.items())
        text = f"<{name}{written}>{html.escape(words or TEXTS[number % 8].format(n))}{text}</{name}>"
    return text
