"""The reference in reStructuredText: a block for each plugin, output, class, field, function and value."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
import typing
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import attrs
from reference_facts import (
    API,
    COSTS,
    cost_of,
    default_of,
    docs_of_assignments,
    field_docs,
    home_of,
    hook_names,
    included_plugins,
    limits_of,
    outputs_by_class,
)
from sphinx.util.typing import stringify_annotation

import crawler
from crawler.cli.plugins import describe_option, find, option_docs, settable_options, text_of
from crawler.hooks.plugin import Plugin


def plugins_table() -> Iterator[str]:
    """Yield a table of all plugins and outputs: name, hooks, guarantee, extra and cost."""
    entries = [(find(name), [name]) for name in included_plugins()] + list(outputs_by_class().items())
    yield from [".. list-table::", "   :header-rows: 1", ""]
    yield from table_row(["name", "hooks", "guarantee", "extra", "cost"])
    for kind, names in entries:
        extras = [package.partition("[")[2].rstrip("]") for package in kind.requires.values()]
        guarantee = kind.guarantee.partition(":")[0]
        shown = ", ".join(f"``{name}``" for name in names)
        yield from table_row([shown, ", ".join(hooks_of(kind)), guarantee, ", ".join(extras), cost_of(names)])
    yield ""
    yield f"The costs are CPU time of the crawling process, measured by ``tests/bench/sinks.py`` on {COSTS['date']}"
    yield f"with {COSTS['python']}: items of eight fields, pages of 10 kB, files of 15 kB. ``.jsonl.gz`` costs"
    yield f"{cost_of(['.jsonl.gz'])}, ``.jsonl.zst`` {cost_of(['.jsonl.zst'])}."
    yield "``browser`` and ``replay`` take the place of requests, and ``llms_txt`` makes one for each start page: they"
    yield "have no figure. That of ``opentelemetry`` is without an exporter, that of ``web`` without an open page."
    yield ""


def table_row(cells: list[str]) -> Iterator[str]:
    """Yield one row of a list-table."""
    for number, cell in enumerate(cells):
        yield f"   {'*' if number == 0 else ' '} - {cell or '–'}"


def hooks_of(kind: type[Plugin]) -> list[str]:
    """Return the hooks that a plugin uses, as links."""
    used = [name for name in hook_names() if getattr(kind, name) is not getattr(Plugin, name)]
    return [f":py:meth:`~crawler.Plugin.{name}`" for name in used]


def output_block(kind: type[Plugin], names: list[str]) -> Iterator[str]:
    """Yield the block of an output, from its class."""
    title = ", ".join(f"``{name}``" for name in names)
    first, _, rest = (inspect.getdoc(kind) or "").partition("\n")
    yield from [title, "-" * len(title), "", literal(first), "", *map(literal, text_of(rest)), ""]
    docs = option_docs(kind)
    for option in settable_options(kind):
        yield f"``{describe_option(option)}``"
        yield from [f"   {literal(line)}" for line in docs.get(option.name, ["–"])]
        yield ""
    yield from facts_block(kind, names)


def facts_block(kind: type[Plugin], names: list[str]) -> Iterator[str]:
    """Yield the hooks, the guarantee, the requirements and the cost of a plugin."""
    yield f":Hooks: {', '.join(hooks_of(kind)) or '–'}"
    yield from [f":Guarantee: {literal(kind.guarantee)}"] if kind.guarantee else []
    yield from [f":Needs: ``pip install '{package}'``" for package in dict.fromkeys(kind.requires.values())]
    yield from [f":Cost: {cost_of(names)}"] if cost_of(names) else []
    yield ""


def literal(line: str) -> str:
    """Return a line of a docstring with its names as literals: not all of them are in the reference."""
    return re.sub(r"(?<![`:])`([^`]+)`(?!`)", r"``\1``", line)


def names_block(module: ModuleType, names: list[str]) -> Iterator[str]:
    """Yield functions, then classes, then types and values, each in alphabetical order."""
    groups: dict[str, list[str]] = {"Functions": [], "Classes": [], "Types and values": []}
    for name in sorted(names):
        groups[kind_of(getattr(module, name), name)] += name_block(module, name)
    for title, block in groups.items():
        if block:
            yield from [title, "-" * len(title), "", *block]


def kind_of(value: Any, name: str) -> str:
    """Return the group that a public name belongs to."""
    if isinstance(value, type) and value.__name__ == name:
        return "Classes"
    return "Functions" if inspect.isroutine(value) else "Types and values"


def name_block(module: ModuleType, name: str) -> Iterator[str]:
    """Yield the block of a public name."""
    kind = kind_of(getattr(module, name), name)
    if kind == "Classes":
        yield from class_block(module, name)
    elif kind == "Functions":
        yield from [f".. autofunction:: {module.__name__}.{name}", ""]
    else:
        yield from value_block(module, name)


def class_block(module: ModuleType, name: str, *, signature: str = "") -> Iterator[str]:
    """Yield the block of a class: its docstring, fields, methods and properties."""
    cls = getattr(module, name)
    fields = [field for field in attrs.fields(cls) if not field.name.startswith("_")] if attrs.has(cls) else []
    yield from class_head(module, name, [field.name for field in fields], signature=signature)
    docs = field_docs(cls)
    for field in fields:
        if field.name in docs:
            yield from field_block(cls, field, docs[field.name])


def class_head(module: ModuleType, name: str, fields: Iterable[str], *, signature: str = "") -> Iterator[str]:
    """Yield the block of a class without some fields: its docstring, methods and properties."""
    yield f".. autoclass:: {module.__name__}.{name}{signature}"
    excluded = ", ".join(fields)
    yield from [f"   :exclude-members: {excluded}"] if excluded else []
    yield from ["   :show-inheritance:"] if issubclass(getattr(module, name), BaseException) else []
    yield from ["   :inherited-members:"] if has_parts(getattr(module, name)) else []
    yield ""


def has_parts(cls: type) -> bool:
    """Return whether a class is divided into bases of its own room that are not public: they belong to its page."""
    room = cls.__module__.rpartition(".")[0]
    return any(
        base.__module__.startswith(f"{room}.") and not hasattr(crawler, base.__name__) and base.__name__[0] != "_"
        for base in cls.__mro__[1:]
    )


def outdented(text: str) -> str:
    """Return the lines of a class for the top level of a page."""
    return "\n".join(line.removeprefix("   ") for line in text.split("\n"))


def field_block(cls: type, field: attrs.Attribute[Any], doc: str, *, owner: str = "") -> Iterator[str]:
    """Yield the block of a field: its type, its default, its docstring, and its range.

    `owner` names the class if the block is outside of it: ``Settings.``.
    """
    hint = typing.get_type_hints(cls, hint_names(cls))[field.name]
    ranges = limits_of(typing.get_type_hints(cls, hint_names(cls), include_extras=True)[field.name])
    default = default_of(field)
    yield f"   .. py:attribute:: {owner}{field.name}"
    yield f"      :type: {stringify_annotation(hint, 'smart')}"
    yield from [f"      :value: {default}"] if default is not None else []
    yield from ["", textwrap.indent(doc, " " * 6), ""]
    yield from [f"      {', '.join(ranges).capitalize()}.", ""] if ranges else []


def hint_names(cls: type) -> dict[str, Any]:
    """Return the names for the annotations of a class: those of its module, and public ones."""
    public = {name: getattr(crawler, name) for name in crawler.__all__}
    homes = {
        name: getattr(importlib.import_module(home), name)
        for section in API.values()
        for home, names in section.items()
        for name in names.split()
    }
    return homes | public | vars(importlib.import_module(cls.__module__))


def value_block(module: ModuleType, name: str) -> Iterator[str]:
    """Yield the block of a type alias or a constant, with the docstring under its assignment."""
    doc = docs_of_assignments(home_of(module, name).body)[name]
    yield from [f".. py:data:: {module.__name__}.{name}", "", textwrap.indent(doc, " " * 3), ""]
