"""``.. reference:: PAGE``: the reference pages, written from the code so that they cannot drift from it.

Every public name of `crawler` is on exactly one page: settings, hooks, errors, or api for all others. The commands page
comes from the help of the command line, by ``.. cyclopts::``; this file adds what that omits.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import json
import re
import textwrap
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import msgspec
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import stringify_annotation

import crawler
from crawler import errors
from crawler.cli.commands import app_of
from crawler.cli.plugins import describe_option, find, option_docs, settable_options, text_of
from crawler.hooks.load import installed
from crawler.hooks.plugin import Plugin
from crawler.sinks.registry import output_names

app = app_of()
"""The whole command line."""
SETTINGS = ("Settings", "Pace")
TOPICS = {
    "Who you are": "user_agent headers cookies cross_origin_headers proxies proxy_env tls_verify http3",
    "Speed and politeness": "workers processes per_host slow_start delay jitter pacing obey_robots obey_nofollow",
    "Scope": "max_depth include exclude skip_extensions thorough srcset max_url_length traps max_per_template"
    " dedup_content private_network",
    "Time and size of a response": "connect_timeout request_deadline max_body max_active_size max_headers max_redirects"
    " follow_refresh",
    "Failures": "attempts backoff_base backoff_max backoff_jitter outage_patience quota_patience inline_wait",
    "The end of a crawl": "max_pages max_items max_seconds max_errors grace",
    "Jobs and outputs": "durability sink_lag",
}
"""Sections of the settings page: fields of `crawler.Settings`."""
HOOKS = ("Plugin", "Crawl")
API = {
    "Run a crawl": {"crawler": "run crawl crawl_items stream ItemStream Report Job"},
    "Spiders": {
        "crawler": "Spider CrawlSpider Rule SitemapSpider",
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


# ---- pages -----------------------------------------------------------------------------------------------------------


def commands_page() -> Iterator[str]:
    """What stands under the help of the command line: the exit codes."""
    yield str(app.help_epilogue)


def settings_page() -> Iterator[str]:
    """Every field of the settings, by topic: type, default, range, unit; then the fields of a pace."""
    fields = {field.name: field for field in attrs.fields(crawler.Settings) if not field.name.startswith("_")}
    topics = {title: names.split() for title, names in TOPICS.items()}
    if sorted(itertools.chain(*topics.values())) != sorted(fields):
        raise ValueError(
            f"not in exactly one topic: {', '.join(fields.keys() ^ set(itertools.chain(*topics.values())))}"
        )
    docs = field_docs(crawler.Settings)
    yield from [".. py:currentmodule:: crawler", ""]
    for title, names in topics.items():
        yield from [title, "-" * len(title), ""]
        for name in names:
            yield from map(outdented, field_block(crawler.Settings, fields[name], docs[name], owner="Settings."))
    yield from ["Pace", "----", ""]
    yield from class_block(crawler, "Pace", signature="(**fields)")
    yield from ["In Python", "---------", ""]
    yield from class_head(crawler, "Settings", fields, signature="(**fields)")


def hooks_page() -> Iterator[str]:
    """Every hook: signature, when it runs, what its answer means; and the crawl that a plugin is given."""
    for name in HOOKS:
        yield from class_block(crawler, name)


def errors_page() -> Iterator[str]:
    """The tree as its module draws it, then each error."""
    yield from [".. automodule:: crawler.errors", "   :no-members:", "   :no-index:", ""]
    for name in error_names():
        yield from class_block(crawler, name)


def api_page() -> Iterator[str]:
    """Every other public name of `crawler`, and the names of its other homes."""
    listed = [name for homes in API.values() for name in homes.get("crawler", "").split()]
    missing = {*crawler.__all__} - {*SETTINGS, *HOOKS, *error_names(), *listed}
    if missing:
        raise ValueError(f"no section of the API page has {', '.join(sorted(missing))}")
    for title, homes in API.items():
        yield from [title, "-" * len(title), ""]
        for home, names in homes.items():
            for name in names.split():
                yield from name_block(importlib.import_module(home), name)


def testing_page() -> Iterator[str]:
    """Every public name of `crawler.testing`."""
    testing = importlib.import_module("crawler.testing")
    yield from names_block(testing, testing.__all__)


def plugins_page() -> Iterator[str]:
    """Every included plugin and every output: a table of all, then what each does, its options and its facts."""
    yield from plugins_table()
    for name, (module, kind) in included_plugins().items():
        yield from [f"``{name}``", "-" * (len(name) + 4), ""]
        yield from [f".. autoclass:: {module}.{kind}{options_of(module, kind)}", "   :no-members:", ""]
        yield from facts_block(find(name), [name])
    for kind, names in outputs_by_class().items():
        yield from output_block(kind, names)


def scrapy_page() -> Iterator[str]:
    """What becomes of each setting of Scrapy in a project that runs here."""
    names = importlib.import_module("crawler_plugins.scrapy.setting_names")
    taken = sorted((name, f"``{ours}``" if ours.isidentifier() else ours) for name, ours in names.TAKEN.items())
    sections = {
        "Settings that become one of the crawl": ("In Scrapy", "Here", taken),
        "Settings without effect": ("In Scrapy", "Why, or what to use", sorted(names.IGNORED.items())),
    }
    for title, (left, right, rows) in sections.items():
        yield from [title, "-" * len(title), "", ".. list-table::", "   :header-rows: 1", ""]
        for name, value in [(left, right), *((f"``{name}``", value) for name, value in rows)]:
            yield from [f"   * - {name}", f"     - {value}"]
        yield ""
    title = "Settings that Scrapy's objects read, as before"
    yield from [title, "-" * len(title), "", ", ".join(f"``{name}``" for name in sorted(names.READ)) + "."]


PAGES = {
    "api": api_page,
    "commands": commands_page,
    "errors": errors_page,
    "hooks": hooks_page,
    "plugins": plugins_page,
    "scrapy": scrapy_page,
    "settings": settings_page,
    "testing": testing_page,
}


# ---- facts -----------------------------------------------------------------------------------------------------------


def hook_names() -> list[str]:
    """The hooks of a plugin, in the order of the source."""
    return [name for name, value in vars(Plugin).items() if inspect.isroutine(value) and not name.startswith("_")]


def included_plugins() -> dict[str, tuple[str, str]]:
    """The module and the class of each plugin that is installed with the framework, by name."""
    places = {name: point.value.split(":") for name, point in installed().items()}
    return {name: (module, kind) for name, (module, kind) in places.items() if module.startswith("crawler_plugins.")}


def outputs_by_class() -> dict[type[Plugin], list[str]]:
    """The names of each output: file extensions and schemes."""
    by_class: dict[type[Plugin], list[str]] = {}
    for name in output_names():
        by_class.setdefault(find(name), []).append(name)
    return by_class


def cost_of(names: list[str]) -> str:
    """The cost of a plugin, as ``tests/bench/sinks.py`` has measured it; empty: it has not."""
    found = [COSTS["costs"][name] for name in names if name in COSTS["costs"]]
    words = dict.fromkeys(
        f"{_microseconds(cost['us'])} a{'n' if cost['unit'] == 'item' else ''} {cost['unit']}" for cost in found
    )
    return ", ".join(words)


def _microseconds(figure: float) -> str:
    return "less than 1 µs" if figure < 1 else f"{figure:g} µs"


def options_of(module: str, kind: str) -> str:
    """The options of a plugin with their defaults, as a signature. Sphinx finds no page for the type `type`."""
    signature = inspect.signature(getattr(importlib.import_module(module), kind))
    bare = [option.replace(annotation=option.empty) for option in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def error_names() -> list[str]:
    """The errors, in the order of the source: a parent stands before its children."""
    return [name for name, value in vars(errors).items() if name in errors.__all__ and isinstance(value, type)]


def field_docs(cls: type) -> dict[str, str]:
    """The docstring under each field of a class, its bases' included."""
    docs: dict[str, str] = {}
    for base in filter(attrs.has, reversed(cls.__mro__)):
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        docs |= docs_of_assignments(typing.cast("ast.ClassDef", definition).body)
    return docs


def docs_of_assignments(body: list[ast.stmt]) -> dict[str, str]:
    """The docstring under each assignment of a class or module."""
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
    """The syntax tree of the module that assigns `name`, found by following imports from `module`."""
    tree = ast.parse(inspect.getsource(module))
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom) and name in {alias.asname or alias.name for alias in statement.names}:
            return home_of(importlib.import_module(statement.module or ""), name)
    return tree


def limits_of(hint: Any) -> list[str]:
    """The ranges that an annotation carries, in words."""
    words = [
        f"{word} {getattr(meta, key)}"
        for meta in getattr(hint, "__metadata__", ())
        if isinstance(meta, msgspec.Meta)
        for key, word in LIMITS.items()
        if getattr(meta, key) is not None
    ]
    return words + [word for part in typing.get_args(hint) for word in limits_of(part)]


def default_of(field: attrs.Attribute[Any]) -> str | None:
    """A field's default as one would write it; ``None``: it must be given."""
    if field.default is attrs.NOTHING:
        return None
    if isinstance(field.default, attrs.Factory):
        return repr(field.default.factory()) if not field.default.takes_self else "…"
    return repr(field.default)


# ---- markup ----------------------------------------------------------------------------------------------------------


def plugins_table() -> Iterator[str]:
    """All plugins and outputs: name, hooks, guarantee, extra and cost."""
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
    """One row of a list-table."""
    for number, cell in enumerate(cells):
        yield f"   {'*' if number == 0 else ' '} - {cell or '–'}"


def hooks_of(kind: type[Plugin]) -> list[str]:
    """The hooks that a plugin uses, as links."""
    used = [name for name in hook_names() if getattr(kind, name) is not getattr(Plugin, name)]
    return [f":py:meth:`~crawler.Plugin.{name}`" for name in used]


def output_block(kind: type[Plugin], names: list[str]) -> Iterator[str]:
    """One output, from its class."""
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
    """What a plugin uses, guarantees, needs and costs."""
    yield f":Hooks: {', '.join(hooks_of(kind)) or '–'}"
    yield from [f":Guarantee: {literal(kind.guarantee)}"] if kind.guarantee else []
    yield from [f":Needs: ``pip install '{package}'``" for package in dict.fromkeys(kind.requires.values())]
    yield from [f":Cost: {cost_of(names)}"] if cost_of(names) else []
    yield ""


def literal(line: str) -> str:
    """A line of a docstring, with its names as literals: not all of them are in the reference."""
    return re.sub(r"(?<![`:])`([^`]+)`(?!`)", r"``\1``", line)


def names_block(module: ModuleType, names: list[str]) -> Iterator[str]:
    """Functions, then classes, then types and values, each in alphabetical order."""
    groups: dict[str, list[str]] = {"Functions": [], "Classes": [], "Types and values": []}
    for name in sorted(names):
        groups[kind_of(getattr(module, name), name)] += name_block(module, name)
    for title, block in groups.items():
        if block:
            yield from [title, "-" * len(title), "", *block]


def kind_of(value: Any, name: str) -> str:
    """The group that a public name belongs to."""
    if isinstance(value, type) and value.__name__ == name:
        return "Classes"
    return "Functions" if inspect.isroutine(value) else "Types and values"


def name_block(module: ModuleType, name: str) -> Iterator[str]:
    """One public name."""
    kind = kind_of(getattr(module, name), name)
    if kind == "Classes":
        yield from class_block(module, name)
    elif kind == "Functions":
        yield from [f".. autofunction:: {module.__name__}.{name}", ""]
    else:
        yield from value_block(module, name)


def class_block(module: ModuleType, name: str, *, signature: str = "") -> Iterator[str]:
    """A class with its docstring, fields, methods and properties."""
    cls = getattr(module, name)
    fields = [field for field in attrs.fields(cls) if not field.name.startswith("_")] if attrs.has(cls) else []
    yield from class_head(module, name, [field.name for field in fields], signature=signature)
    docs = field_docs(cls)
    for field in fields:
        if field.name in docs:
            yield from field_block(cls, field, docs[field.name])


def class_head(module: ModuleType, name: str, fields: Iterable[str], *, signature: str = "") -> Iterator[str]:
    """A class with its docstring, methods and properties, without these fields."""
    yield f".. autoclass:: {module.__name__}.{name}{signature}"
    excluded = ", ".join(fields)
    yield from [f"   :exclude-members: {excluded}"] if excluded else []
    yield from ["   :show-inheritance:"] if issubclass(getattr(module, name), BaseException) else []
    yield from ["   :inherited-members:"] if has_parts(getattr(module, name)) else []
    yield ""


def has_parts(cls: type) -> bool:
    """Whether a class is divided into bases of its own room that are not public: they belong to its page."""
    room = cls.__module__.rpartition(".")[0]
    return any(
        base.__module__.startswith(f"{room}.") and not hasattr(crawler, base.__name__) and base.__name__[0] != "_"
        for base in cls.__mro__[1:]
    )


def outdented(text: str) -> str:
    """Lines of a class, at the top of a page."""
    return "\n".join(line.removeprefix("   ") for line in text.split("\n"))


def field_block(cls: type, field: attrs.Attribute[Any], doc: str, *, owner: str = "") -> Iterator[str]:
    """One field: its type, its default, what stands under it, and its range.

    Outside of its class, `owner` names that: ``Settings.``.
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
    """What the annotations of a class may name: its module's names, and the public ones that only checkers import."""
    public = {name: getattr(crawler, name) for name in crawler.__all__}
    homes = {
        name: getattr(importlib.import_module(home), name)
        for section in API.values()
        for home, names in section.items()
        for name in names.split()
    }
    return homes | public | vars(importlib.import_module(cls.__module__))


def value_block(module: ModuleType, name: str) -> Iterator[str]:
    """A type alias or a constant, with the docstring under its assignment."""
    doc = docs_of_assignments(home_of(module, name).body)[name]
    yield from [f".. py:data:: {module.__name__}.{name}", "", textwrap.indent(doc, " " * 3), ""]


# ---- Sphinx ----------------------------------------------------------------------------------------------------------


class Reference(SphinxDirective):
    """``.. reference:: PAGE``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the page as reStructuredText and let Sphinx read it."""
        lines = PAGES[self.arguments[0]]()
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def read_sections(_sphinx: Sphinx, what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Understand "Parameters:" and "Raises:"; not in a property, where napoleon takes "A: b" for a type and a text."""
    if what != "property":
        lines[:] = GoogleDocstring(lines, what=what).lines()


def hide_protocol(
    _sphinx: Sphinx, _what: str, _name: str, obj: object, _options: object, signature: str, returns: str
) -> tuple[str, str]:
    """A protocol is never made by hand: it has no signature."""
    return ("", "") if getattr(obj, "_is_protocol", False) else (signature, returns)


def setup(sphinx: Sphinx) -> dict[str, Any]:
    """Register what this file adds."""
    sphinx.setup_extension("sphinx.ext.autodoc")
    sphinx.add_directive("reference", Reference)
    sphinx.connect("autodoc-process-docstring", read_sections)
    sphinx.connect("autodoc-process-signature", hide_protocol)
    return {"parallel_read_safe": True}
