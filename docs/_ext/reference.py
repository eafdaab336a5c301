"""``.. reference:: PAGE``: the reference pages, written from the code so that they cannot drift from it.

Every public name of `crawler` is on exactly one page: settings, hooks, errors, or api for all others. The commands page
has what their signatures and docstrings say.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from docutils import nodes
from reference_facts import API, error_names, field_docs, included_plugins, options_of, outputs_by_class
from reference_markup import (
    class_block,
    class_head,
    facts_block,
    field_block,
    name_block,
    names_block,
    outdented,
    output_block,
    plugins_table,
)
from sphinx.application import Sphinx
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.docutils import SphinxDirective

import crawler
from crawler.cli.commands import all_commands, load_command
from crawler.cli.help_page import EXIT_CODES, usage, words_of
from crawler.cli.plugins import find

SETTINGS = ("Settings", "Pace")
TOPICS = {
    "Who you are": "user_agent headers cookies cross_origin_headers proxies proxy_env tls_verify http3",
    "Speed and politeness": "workers processes per_host slow_start delay jitter pacing obey_robots obey_nofollow",
    "Scope": "max_depth include exclude skip_extensions skip_logout accept_walls thorough srcset max_url_length traps"
    " max_per_template dedup_content private_network",
    "Time and size of a response": "connect_timeout request_deadline max_body incomplete max_active_size max_headers"
    " max_redirects follow_refresh",
    "Failures": "attempts backoff_base backoff_max backoff_jitter outage_patience quota_patience inline_wait",
    "The end of a crawl": "max_pages max_items max_seconds max_errors problem_share grace",
    "Jobs and outputs": "durability sink_lag",
}
"""Sections of the settings page: fields of `crawler.Settings`."""
HOOKS = ("Plugin", "Crawl")
EXTENSIONS = json.loads((Path(__file__).parents[1] / "reference" / "scrapy_extensions.json").read_text())
EXTENSIONS_TESTED = (
    "A test crawls a site on the loopback with each of these packages, once with Scrapy and once here, and compares "
    "the requests with their header fields, the items, the stats and the files. The Scrapy is the newest of 2.19 and "
    "2.11 that the package itself runs with; with a dash it runs with neither."
)
CRAWL_PARTS = ("CrawlControl", "CrawlJob", "CrawlCookies")


# ---- pages -----------------------------------------------------------------------------------------------------------


def commands_page() -> Iterator[str]:
    """Yield the exit codes, and every command with its arguments and options."""
    yield from [EXIT_CODES, ""]
    known = all_commands()
    for name in known:
        command = load_command(name, known)
        yield from [f".. _command-{name.replace(' ', '-')}:", "", f"crawler {name}", "-" * (len(name) + 8), ""]
        yield from ["::", "", f"    {usage(command)}", "", *(inspect.getdoc(command.function) or "").splitlines(), ""]
        for one in (*command.arguments, *command.options):
            words = ", ".join(one.names) if one.is_option else one.label
            value = f" {one.metavar}" if one.is_option and one.metavar else ""
            yield from [f"``{words}{value}``", f"    {words_of(one)}", ""]


def settings_page() -> Iterator[str]:
    """Yield every field of the settings, by topic: type, default, range, unit; then the fields of a pace."""
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
    """Yield every hook: signature, time of its call, meaning of its result; and the crawl that a plugin gets."""
    for name in HOOKS:
        yield from class_block(crawler, name)
    for name in CRAWL_PARTS:
        yield from class_block(importlib.import_module("crawler.hooks.crawl"), name)


def errors_page() -> Iterator[str]:
    """Yield the tree of errors as its module draws it, then each error."""
    yield from [".. automodule:: crawler.errors", "   :no-members:", "   :no-index:", ""]
    for name in error_names():
        yield from class_block(crawler, name)


def api_page() -> Iterator[str]:
    """Yield every other public name of `crawler`, and the public names of its packages."""
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
    """Yield every public name of `crawler.testing`."""
    testing = importlib.import_module("crawler.testing")
    yield from names_block(testing, testing.__all__)


def plugins_page() -> Iterator[str]:
    """Yield a table of the included plugins and outputs, then what each does, its options and its facts."""
    yield from plugins_table()
    for name, (module, kind) in included_plugins().items():
        yield from [f"``{name}``", "-" * (len(name) + 4), ""]
        yield from [f".. autoclass:: {module}.{kind}{options_of(module, kind)}", "   :no-members:", ""]
        yield from facts_block(find(name), [name])
    for kind, names in outputs_by_class().items():
        yield from output_block(kind, names)


def scrapy_page() -> Iterator[str]:
    """Yield the effect of each setting of Scrapy in a project that runs here."""
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
    yield from ["", "Extensions", "----------", "", EXTENSIONS_TESTED, "", ".. list-table::", "   :header-rows: 1", ""]
    rows = [(f"``{one['package']}`` {one['version']}", one["scrapy"] or "–", one["here"]) for one in EXTENSIONS]
    for package, version, here in [("Package", "Scrapy", "Here"), *rows]:
        yield from [f"   * - {package}", f"     - {version}", f"     - {here}"]


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


# ---- Sphinx ----------------------------------------------------------------------------------------------------------


class Reference(SphinxDirective):
    """``.. reference:: PAGE``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the page as reStructuredText and let Sphinx read it."""
        lines = PAGES[self.arguments[0]]()
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def read_sections(_sphinx: Sphinx, what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Convert "Parameters:" and "Raises:"; not in a property, where napoleon takes "A: b" for a type and a text."""
    if what != "property":
        lines[:] = GoogleDocstring(lines, what=what).lines()


def hide_protocol(
    _sphinx: Sphinx, _what: str, _name: str, obj: object, _options: object, signature: str, returns: str
) -> tuple[str, str]:
    """Remove the signature of a protocol, which is never instantiated."""
    return ("", "") if getattr(obj, "_is_protocol", False) else (signature, returns)


def setup(sphinx: Sphinx) -> dict[str, Any]:
    """Register the directive and the event handlers."""
    sphinx.setup_extension("sphinx.ext.autodoc")
    sphinx.add_directive("reference", Reference)
    sphinx.connect("autodoc-process-docstring", read_sections)
    sphinx.connect("autodoc-process-signature", hide_protocol)
    return {"parallel_read_safe": True}
