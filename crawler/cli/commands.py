"""`command_of` finds the command that a command line calls, and imports its module, and no other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from crawler.cli.arguments import Command
from crawler.cli.standard_streams import write
from crawler.errors import ConfigError, PluginError
from crawler.other_names import here
from crawler.suggest import did_you_mean

__all__ = ["COMMANDS", "all_commands", "command_of", "load_command", "summary_of"]

COMMANDS: Final = {
    "demo": "crawler.cli.demo:demo",
    "new": "crawler.cli.new:new",
    "new project": "crawler.cli.new_project:new_project",
    "run": "crawler.cli.run:command",
    "list": "crawler.cli.listing:list_spiders",
    "parse": "crawler.cli.parse:parse",
    "check": "crawler.cli.check:check",
    "plan": "crawler.cli.plan:plan",
    "fetch": "crawler.cli.fetch:fetch",
    "links": "crawler.cli.fetch:links",
    "sitemap": "crawler.cli.sitemap:sitemap",
    "robots": "crawler.cli.robots:robots",
    "limits": "crawler.cli.limits:limits",
    "shell": "crawler.cli.shell:shell",
    "job": "crawler.cli.job:job",
    "worker": "crawler.cli.worker:worker",
    "settings": "crawler.cli.settings:settings",
    "from-curl": "crawler.cli.from_curl:from_curl",
    "plugins": "crawler.cli.plugins:plugins",
    "bench": "crawler.cli.bench:bench",
    "scrapy": "crawler.cli.scrapy:scrapy",
    "completion": "crawler.cli.completion:completion",
}
"""Module and function of each command of the framework, in the order of the help page."""
GROUP: Final = "crawler.commands"
"""Entry-point group of commands: each is a function with a signature as ours have."""


def all_commands() -> dict[str, str]:
    """Return module and function of each command, those of installed distributions included."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow, and most commands are ours

    others = {point.name: point.value for point in sorted(entry_points(group=GROUP)) if point.name not in COMMANDS}
    return COMMANDS | others


def command_of(words: Sequence[str]) -> Callable[[], int | None]:
    """Return the function that a command line calls, with its arguments."""
    if words[:1] in (["help"], ["-h"], ["--help"]):
        words = [*words[1:], "--help"]
    if not words or words == ["--help"]:
        return _show_commands
    if words[0] == "--version":
        return _show_version
    known = COMMANDS if words[0] in COMMANDS else all_commands()  # reading the entry points takes a moment
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)
    if name is None:
        hint = here("crawler", words[0]) or did_you_mean(words[0], known) or " (see crawler --help)"
        raise ConfigError(f'unknown command "{words[0]}"{hint}')
    return load_command(name, known).parse(words[1 + name.count(" ") :])


def load_command(name: str, known: Mapping[str, str] = COMMANDS) -> Command:
    """Import the function of a command."""
    module, _, function = known[name].partition(":")
    try:
        return Command(name, getattr(import_module(module), function))
    except Exception as error:
        if name in COMMANDS:
            raise
        raise PluginError(f"command {name} cannot be imported: {type(error).__name__}: {error}") from error


def summary_of(place: str) -> str:
    """Return the first line of the docstring of a command's function, without an import of what the command needs."""
    module, _, function = place.partition(":")
    try:
        spec = find_spec(module)
    except Exception:  # of a package that cannot be imported
        spec = None
    source = Path(spec.origin).read_text("utf-8") if spec is not None and spec.origin is not None else ""
    found = re.search(rf'^def {function}\(.*?^    """(.*?)$', source, re.DOTALL | re.MULTILINE)
    return "" if found is None else found[1].removesuffix('"""')


def _show_commands() -> None:
    from crawler.cli.help_page import first_page  # noqa: PLC0415 - only help needs it

    write(first_page({name: summary_of(place) for name, place in all_commands().items()}))


def _show_version() -> None:
    from importlib.metadata import version  # noqa: PLC0415 - slow to import, and rarely needed

    write(f"crawler {version('trio-crawler')}\n")
