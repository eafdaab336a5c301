"""`not_durable`: what a spider puts into requests that a job cannot keep, found by reading its source.

A job keeps requests as JSON: callbacks by their names, values by the codec. A callback that is not a method of the
spider has no name there, and selectors, responses, loaders, files and functions have no form in JSON. Nothing is run.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

__all__ = ["not_durable"]

MAKERS: Final = frozenset({"follow", "follow_all", "from_response", "from_curl", "replace"})
"""Functions that make requests, in addition to the classes whose names end with ``Request``."""
FIELDS: Final = ("meta", "cb_kwargs")
KNOWN: Final = {"self": "the spider", "response": "a response"}
"""The values of variables with these names, by convention."""
MADE_BY: Final = {
    "css": "a list of selectors", "xpath": "a list of selectors", "open": "an open file", "partial": "a function",
    "Selector": "a selector", "iter": "an iterator",
}  # fmt: skip
"""The results of functions with these names."""


def not_durable(spider_class: Any) -> Iterator[str]:
    """Yield the fields of requests that a job cannot keep, each with its place.

    Parameters:
        spider_class: A class that derives from `scrapy.Spider`.
    """
    for kind in spider_class.__mro__:
        if kind.__module__.partition(".")[0] in ("scrapy", "builtins"):
            continue
        file = Path(getattr(sys.modules.get(kind.__module__), "__file__", None) or "")
        definition = _definition(file, kind)
        for function in ast.walk(definition) if definition is not None else ():
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for line, reason in _Function(function, spider_class).reasons():
                    yield f"{reason} ({file.name}:{line})"


def _definition(file: Path, kind: Any) -> ast.ClassDef | None:
    """Return the definition of a class; `None` if its source is not available."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None
    found = (one for one in ast.walk(tree) if isinstance(one, ast.ClassDef) and one.name == kind.__name__)
    return next(found, None)


class _Function:
    """A method of a spider, with what its variables are."""

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef, spider_class: Any) -> None:
        self._function = function
        self._module = vars(sys.modules[spider_class.__module__])
        self._variables = dict(KNOWN)
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._name(node.targets[0].id, self._kind(node.value))
            elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
                self._name(node.target.id, "a selector" if self._kind(node.iter) == MADE_BY["css"] else "")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node is not function:
                self._name(node.name, "a function")

    def reasons(self) -> Iterator[tuple[int, str]]:
        """Yield the line of each such field, and what is in it."""
        for node in ast.walk(self._function):
            if isinstance(node, ast.Call) and _is_maker(node.func):
                yield from self._call(node)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
                place = node.targets[0]
                if isinstance(place.value, ast.Attribute) and place.value.attr in FIELDS:
                    yield from self._value(f"{place.value.attr}[{ast.unparse(place.slice)}]", node.value)

    def _call(self, call: ast.Call) -> Iterator[tuple[int, str]]:
        given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        if len(call.args) > 1 and "callback" not in given:
            given["callback"] = call.args[1]
        for name in ("callback", "errback"):
            if name in given and (reason := self._callable(given[name])):
                yield given[name].lineno, f"{name} is {reason}"
        for name in FIELDS:
            for key, value in _pairs(given.get(name)):
                yield from self._value(f"{name}[{key}]", value)

    def _value(self, where: str, value: ast.expr) -> Iterator[tuple[int, str]]:
        if kind := self._kind(value):
            yield value.lineno, f"{where} is {kind}"

    def _callable(self, value: ast.expr) -> str:
        """Return why a callback has no name in the spider; empty if it may have one."""
        if isinstance(value, ast.Lambda):
            return "a lambda"
        if isinstance(value, ast.Call):
            return "a partial" if _last_name(value.func) == "partial" else ""
        if isinstance(value, ast.Name):
            is_inner = self._variables.get(value.id) == "a function"
            is_outer = inspect.isfunction(self._module.get(value.id))
            return f"{value.id}, which is not a method of the spider" if is_inner or is_outer else ""
        if isinstance(value, ast.Attribute) and not isinstance(value.value, ast.Name):
            return f"{ast.unparse(value)}, which is not a method of the spider"
        return ""

    def _kind(self, value: ast.expr) -> str:
        """Return what a value is, if a job cannot keep it; else an empty string."""
        if isinstance(value, ast.Lambda):
            return "a function"
        if isinstance(value, ast.GeneratorExp):
            return "a generator"
        if isinstance(value, ast.Name):
            return self._variables.get(value.id, "")
        if isinstance(value, ast.Subscript):
            return "a selector" if self._kind(value.value) == MADE_BY["css"] else ""
        if isinstance(value, ast.Call):
            name = _last_name(value.func)
            return "an item loader" if name.endswith("Loader") else MADE_BY.get(name, "")
        return ""

    def _name(self, name: str, kind: str) -> None:
        if kind:
            self._variables[name] = kind
        else:
            self._variables.pop(name, None)


def _is_maker(function: ast.expr) -> bool:
    name = _last_name(function)
    return name.endswith("Request") or name in MAKERS


def _last_name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _pairs(value: ast.expr | None) -> Iterator[tuple[str, ast.expr]]:
    """Yield the entries of a dict that is written in place."""
    if isinstance(value, ast.Dict):
        yield from (
            (ast.unparse(key), one) for key, one in zip(value.keys, value.values, strict=True) if key is not None
        )
    elif isinstance(value, ast.Call) and _last_name(value.func) == "dict":
        yield from ((repr(one.arg), one.value) for one in value.keywords if one.arg)
