"""Facts about the public names, read from the code: plugins, outputs, errors, fields, defaults, ranges."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import json
import textwrap
import typing
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import msgspec

from crawler import errors
from crawler.cli.plugins import find
from crawler.hooks.load import installed
from crawler.hooks.plugin import Plugin
from crawler.sinks.choose import output_names

API = {
    "Run a crawl": {"crawler": "run crawl crawl_items stream ItemStream Report Job"},
    "Spiders": {
        "crawler": "Spider CrawlSpider Rule SitemapSpider Login",
        "crawler.spiders": "SiteSpider FeedSpider ApiSpider",
    },
    "Requests and responses": {"crawler": "Request Response Headers Form"},
    "Selectors and links": {"crawler.html": "Selector SelectorList Link LinkValue"},
    "Content and data of pages": {"crawler.html": "Article PageData"},
    "Results of callbacks and hooks": {"crawler": "Item Produced Drop Retry Pause Stop Failure Usage Row"},
    "For plugins": {
        "crawler": "Sink State RetryPolicy BodyWriter",
        "crawler.messages.exchange": "Exchange",
        "crawler.stats": "RunRecord",
    },
    "Outputs": {
        "crawler.sinks": "open_output JsonLines Json Csv Stdout Series Names"
        " FileSink KeyedSink SqlSink Cursor Held IfExists",
    },
    "Sitemaps and feeds": {
        "crawler.feeds": "sitemaps Sitemaps SitemapEntry SitemapImage SitemapVideo SitemapNews"
        " read_feed Feed FeedEntry Enclosure"
    },
    "A crawl while it runs": {
        "crawler.monitor": "Monitor Snapshot Host HostState QuotaGauge Problem Rate",
    },
    "HTTP client": {
        "crawler": "client Limits QuotaEvent",
        "crawler.api_client": "Client GovernedTransport MappedResponses QuotaTimeout",
    },
}
"""Sections of the API page, in the order in which a user meets them: module to names."""
COSTS = json.loads((Path(__file__).parents[1] / "reference" / "plugin_costs.json").read_text())
"""The costs of plugins, which ``tests/bench/sinks.py`` measures."""
LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "min_length": "length at least"}


def hook_names() -> list[str]:
    """Return the hooks of a plugin, in the order of the source."""
    return [name for name, value in vars(Plugin).items() if inspect.isroutine(value) and not name.startswith("_")]


def included_plugins() -> dict[str, tuple[str, str]]:
    """Return the module and the class of each plugin that is installed with the framework, by name."""
    places = {name: point.value.split(":") for name, point in installed().items()}
    return {name: (module, kind) for name, (module, kind) in places.items() if module.startswith("crawler_plugins.")}


def outputs_by_class() -> dict[type[Plugin], list[str]]:
    """Return the names of each output: file extensions and schemes."""
    by_class: dict[type[Plugin], list[str]] = {}
    for name in output_names():
        by_class.setdefault(find(name), []).append(name)
    return by_class


def cost_of(names: list[str]) -> str:
    """Return the cost of a plugin, as ``tests/bench/sinks.py`` has measured it; empty without a measurement."""
    found = [COSTS["costs"][name] for name in names if name in COSTS["costs"]]
    words = dict.fromkeys(
        f"{_microseconds(cost['us'])} a{'n' if cost['unit'] == 'item' else ''} {cost['unit']}" for cost in found
    )
    return ", ".join(words)


def _microseconds(figure: float) -> str:
    return "less than 1 µs" if figure < 1 else f"{figure:g} µs"


def options_of(module: str, kind: str) -> str:
    """Return the options of a plugin with their defaults, as a signature without types."""
    signature = inspect.signature(getattr(importlib.import_module(module), kind))
    bare = [option.replace(annotation=option.empty) for option in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def error_names() -> list[str]:
    """Return the errors, in the order of the source: a parent comes before its children."""
    return [name for name, value in vars(errors).items() if name in errors.__all__ and isinstance(value, type)]


def field_docs(cls: type) -> dict[str, str]:
    """Return the docstring under each field of a class and of its bases."""
    docs: dict[str, str] = {}
    for base in filter(attrs.has, reversed(cls.__mro__)):
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        docs |= docs_of_assignments(typing.cast("ast.ClassDef", definition).body)
    return docs


def docs_of_assignments(body: list[ast.stmt]) -> dict[str, str]:
    """Return the docstring under each assignment of a class or module."""
    docs = {}
    for statement, after in itertools.pairwise(body):
        match statement, after:
            case (
                (ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)])),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                docs[name] = inspect.cleandoc(text)
    return docs


def home_of(module: ModuleType, name: str) -> ast.Module:
    """Return the syntax tree of the module that assigns `name`, found by following imports from `module`."""
    tree = ast.parse(inspect.getsource(module))
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom) and name in {alias.asname or alias.name for alias in statement.names}:
            return home_of(importlib.import_module(statement.module or ""), name)
    return tree


def limits_of(hint: Any) -> list[str]:
    """Return the ranges that an annotation carries, in words."""
    words = [
        f"{word} {getattr(meta, key)}"
        for meta in getattr(hint, "__metadata__", ())
        if isinstance(meta, msgspec.Meta)
        for key, word in LIMITS.items()
        if getattr(meta, key) is not None
    ]
    return words + [word for part in typing.get_args(hint) for word in limits_of(part)]


def default_of(field: attrs.Attribute[Any]) -> str | None:
    """Return the default of a field as source text; `None` if the field is required."""
    if field.default is attrs.NOTHING:
        return None
    if isinstance(field.default, attrs.Factory):
        return repr(field.default.factory()) if not field.default.takes_self else "…"
    return repr(field.default)
