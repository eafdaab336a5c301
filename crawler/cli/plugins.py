"""``crawler plugins``: list the installed plugins and outputs, and print the manual of one."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

from crawler.cli.arguments import Argument
from crawler.cli.logs import say
from crawler.errors import ConfigError, CrawlerError
from crawler.hooks.load import import_class, installed, load_entry_point, options_of
from crawler.hooks.plugin import Plugin
from crawler.hooks.sink import Sink
from crawler.hooks.table import HOOKS
from crawler.printable import printable_line
from crawler.redaction import HIDDEN, is_secret
from crawler.sinks.choose import ALIASES, find_output, output_names
from crawler.sinks.file_sink import FileSink
from crawler.sinks.series import Series
from crawler.suggest import did_you_mean

__all__ = ["describe_option", "find", "manual", "option_docs", "plugins", "settable_options", "text_of"]

GIVEN = ("if_exists", "job")
"""Arguments of an output that are not options: the command line has options of its own for them."""
WIDTH: Final = 116
"""Characters of a line of a manual, as in docstrings."""


def plugins(
    name: Annotated[
        str | None, Argument("A plugin, or an output such as .csv or postgresql, whose manual is printed.")
    ] = None,
    /,
) -> int:
    """List plugins and outputs, or print the manual of one.

    An installed plugin is not enabled until you name it, as in crawler run TARGET -p PLUGIN. An output is
    chosen by its file extension or the scheme of its URL, as in crawler run TARGET -o FILE.csv.

    Example: crawler plugins warc
    """
    if name is not None:
        for line in manual(name, find(name)):
            sys.stdout.write(f"{_plain(line)}\n")
        return 0
    names = list(installed())
    if not names:
        say("crawler: no plugins are installed; to enable your own, use crawler run -p module:Class\n")
    entries = [(name, _loader(name)) for name in names] + [(name, _output_loader(name)) for name in output_names()]
    width = max(len(name) for name, _ in entries)
    for entry, load in entries:
        try:
            description = _describe(load())
        except CrawlerError as error:
            description = str(error)
        sys.stdout.write(f"{entry:{width}}  {_plain(description)}\n")
    return 0


def _plain(line: str) -> str:
    """Return a line for a terminal, without the markup of code in docstrings."""
    return printable_line(line).replace("``", "")


def _loader(name: str) -> Callable[[], type[Plugin]]:
    return lambda: load_entry_point(installed()[name], f"plugin {name}")


def _output_loader(name: str) -> Callable[[], type[Plugin]]:
    def load() -> type[Plugin]:
        found = find_output(name)
        assert found is not None
        return found

    return load


def find(name: str) -> type[Plugin]:
    """Return a plugin or an output by name; ``csv`` finds ``.csv``."""
    if name in installed():
        return _loader(name)()
    for output in (name.lower(), f".{name.lower()}", name.lower().removesuffix("://")):
        found = find_output(output)
        if found is not None:
            return found
    if ":" in name:
        found = import_class(name)
        if isinstance(found, type) and issubclass(found, Plugin):
            return found
        raise ConfigError(f"{name} is not a plugin")
    names = [*installed(), *(output.removeprefix(".") for output in output_names())]
    hint = did_you_mean(name.removeprefix("."), names) or ": crawler plugins lists them"
    raise ConfigError(f"no plugin or output named {name!r}{hint}")


def settable_options(kind: type[Plugin]) -> list[inspect.Parameter]:
    """Return the options that a command line can set: of an output, those in its query."""
    options = list(options_of(kind).values())
    if not issubclass(kind, Sink) or not options:
        return options
    if issubclass(kind, FileSink):
        options += [option for name, option in options_of(Series).items() if name.startswith("max_")]
    return [option for option in options[1:] if option.name not in GIVEN]


def manual(name: str, kind: type[Plugin]) -> Iterator[str]:
    """Yield the lines of the manual of a plugin or an output."""
    first, _, rest = (inspect.getdoc(kind) or kind.__name__).partition("\n")
    yield f"{name}: {first}"
    text = text_of(rest)
    if text:
        yield from ["", *text]
    options = settable_options(kind)
    docs = option_docs(kind)
    if options:
        yield from ["", "options"]
    for option in options:
        words = " ".join([f"{describe_option(option)} ", *docs.get(option.name, [])]).rstrip()
        yield from textwrap.wrap(
            words, WIDTH, initial_indent="  ", subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False
        )
    hooks = [hook for hook in HOOKS if getattr(kind, hook) is not getattr(Plugin, hook)]
    yield ""
    yield f"hooks      {', '.join(hooks)}"
    if kind.guarantee:
        yield f"guarantee  {kind.guarantee}"
    for requirement in dict.fromkeys(kind.requires.values()):
        yield f"needs      pip install '{requirement}'"
    yield f"use        {_usage(name, kind, options)}"


def _usage(name: str, kind: type[Plugin], options: list[inspect.Parameter]) -> str:
    """Return an example of a command line."""
    name, known = name.removesuffix("://"), [*output_names(), *ALIASES]
    if issubclass(kind, Sink) and name not in installed() and ":" not in name:
        is_file = name.startswith(".") or (name.lower() not in known and f".{name.lower()}" in known)
        number = "-%(n)05d" if options and options[0].name.startswith("max_") else ""
        place = f"items{number}.{name.removeprefix('.')}" if is_file else f"{name}://…"
        query = f"?{options[0].name}=…" if options else ""
        return f"crawler run TARGET -o '{place}{query}'"
    option = f" -P {kind.name}.{options[0].name}=…" if options else ""
    return f"crawler run TARGET -p {name}{option}"


def _describe(kind: type[Plugin]) -> str:
    """Return one line: what a plugin does."""
    return (inspect.getdoc(kind) or kind.__name__).partition("\n")[0].rstrip(".")


def describe_option(parameter: inspect.Parameter) -> str:
    """Return an option with its type and default, as source text."""
    kind = "" if parameter.annotation is parameter.empty else f": {_type(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return f"{parameter.name}{kind}"
    default = str(parameter.default) if isinstance(parameter.default, Path) else parameter.default
    shown = HIDDEN if default and is_secret(parameter.name) else repr(default)
    return f"{parameter.name}{kind} = {shown}"


def _type(annotation: Any) -> str:
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(annotation))


def text_of(text: str) -> list[str]:
    """Return the lines of a docstring before "Parameters:" or "Raises:"."""
    lines = []
    for line in text.strip("\n").splitlines():
        if line in ("Parameters:", "Raises:"):
            break
        lines.append(line)
    return "\n".join(lines).strip("\n").splitlines()


def option_docs(kind: type) -> dict[str, list[str]]:
    """Return what the docstrings of a class and its bases say about each parameter, in lines.

    "See `Base`." is replaced by the text of the base class.
    """
    docs: dict[str, list[str]] = {}
    sources = [base for base in reversed(kind.__mro__) if base.__doc__]
    if issubclass(kind, FileSink):
        sources.insert(0, Series)
    for base in sources:
        name, section = "", ""
        for line in inspect.cleandoc(base.__doc__ or "").splitlines():
            if line and not line.startswith(" "):
                section, name = line, ""
            elif section == "Parameters:" and line.startswith("    ") and not line.startswith("     "):
                name, _, text = line.strip().partition(": ")
                inherited = docs.get(name, []) if text.startswith("See `") else []
                docs[name] = [*inherited, text.partition(". ")[2]] if inherited else [text]
            elif name and line.startswith("     "):
                docs[name].append(line.strip())
    return docs
