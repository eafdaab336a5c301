"""The pages of ``--help``: plain text, as wide as the terminal, made from the signature and docstring of a command."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Final

from crawler.cli.arguments import Command, Parameter
from crawler.cli.standard_streams import write

__all__ = ["EXIT_CODES", "first_page", "show_help", "usage", "words_of"]

EXIT_CODES: Final = (
    "Exit codes: 0 finished; 1 the crawl failed; 2 wrong usage or configuration; 3 stopped by a quota, a budget or "
    "max_errors; 4 more failures than --tolerate allows, no page, or pages lost; 130 interrupted."
)
WIDEST: Final = 100
"""Columns of the longest line: longer ones are hard to read."""
MOST_INDENTED: Final = 28
"""Columns of the longest name that has its meaning on the same line."""


def first_page(commands: Mapping[str, str]) -> str:
    """Return the page of all commands, whose summaries are given."""
    options = {"-h, --help": "Show this page, or that of a command.", "--version": "Show the version."}
    return _page(
        _paragraph("Usage: crawler COMMAND"),
        _paragraph("Crawl sites and APIs: polite, lossless, fast."),
        _section("Commands", commands),
        _section("Options", options),
        _paragraph("Example: crawler demo, then crawler new NAME and crawler run NAME.py."),
        _paragraph(EXIT_CODES),
    )


def show_help(command: Command) -> None:
    """Print the page of a command."""
    text = inspect.getdoc(command.function) or ""
    options = {f"{', '.join(one.names)} {one.metavar}".rstrip(): words_of(one) for one in command.options}
    page = _page(
        _paragraph(f"Usage: {usage(command)}"),
        *map(_paragraph, text.split("\n\n")),
        _section("Arguments", {one.label: words_of(one) for one in command.arguments}),
        _section("Options", options),
    )
    write(page)


def usage(command: Command) -> str:
    """Return how to write a command."""
    words = [f"{one.label}..." if one.is_repeatable else one.label for one in command.arguments]
    shown = [word if one.is_required else f"[{word}]" for word, one in zip(words, command.arguments, strict=True)]
    needed = [f"{one.label} {one.metavar}" for one in command.options if one.is_required]
    options = ["[OPTIONS]"] if command.options else []
    return " ".join(["crawler", command.name, *options, *needed, *shown])


def words_of(parameter: Parameter) -> str:
    """Return what a parameter means, and its choices."""
    about = parameter.argument.about
    if all(choice in about for choice in parameter.choices):
        return about
    choices = [f"{one} (default)" if one == parameter.default else one for one in parameter.choices]
    return f"{about} [{', '.join(choices)}]"


def _section(title: str, entries: Mapping[str, str]) -> str:
    """Return a list of names and their meanings; empty if there are none."""
    width = 4 + max((len(name) for name in entries if len(name) <= MOST_INDENTED), default=0)
    lines = [line for name, words in entries.items() for line in _entry(name, words, width)]
    return "\n".join([f"{title}:", *lines]) if lines else ""


def _entry(name: str, words: str, width: int) -> Iterator[str]:
    head, *lines = [f"  {name}", *textwrap.wrap(words, _columns() - width, break_on_hyphens=False)]
    if len(head) + 2 <= width:
        head = f"{head:{width}}{lines.pop(0)}"
    yield head
    yield from (f"{'':{width}}{line}" for line in lines)


def _paragraph(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), _columns(), break_on_hyphens=False)


def _page(*blocks: str) -> str:
    return "\n\n".join(filter(None, blocks)) + "\n"


def _columns() -> int:
    return min(shutil.get_terminal_size().columns, WIDEST)
