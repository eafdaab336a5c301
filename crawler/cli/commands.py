"""`app_of` assembles the commands with cyclopts; `command_line` parses the arguments of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, get_type_hints

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError

from crawler.errors import ConfigError

__all__ = ["app_of", "command_line"]

EPILOGUE: Final = (
    "Example: crawler demo, then crawler new NAME and crawler run NAME.py.\n\n"
    "Exit codes: 0 finished; 1 the crawl failed; 2 wrong usage or configuration; 3 stopped by a quota, a budget or "
    "max_errors; 4 more failures than --tolerate allows, or no page; 130 interrupted."
)
COMMANDS: Final = {
    "demo": "demo:demo",
    "new": "new:new",
    "run": "run:command",
    "list": "listing:list_spiders",
    "parse": "parse:parse",
    "check": "check:check",
    "plan": "plan:plan",
    "fetch": "fetch:fetch",
    "links": "fetch:links",
    "sitemap": "sitemap:sitemap",
    "robots": "robots:robots",
    "limits": "limits:limits",
    "shell": "shell:shell",
    "job": "job:job",
    "worker": "worker:worker",
    "top": "top:top",
    "serve": "serve:serve",
    "settings": "settings:settings",
    "from-curl": "from_curl:from_curl",
    "plugins": "plugins:plugins",
    "bench": "bench:bench",
    "scrapy": "scrapy:scrapy",
    "completion": "completion:completion",
}
"""Module and function of each command, in the order of the help page."""
SUBCOMMANDS: Final = {"new": {"project": "new_project:new_project"}}
"""Module and function of each subcommand."""


def app_of(*names: str) -> App:
    """Return the command line with some commands, or with all. Only their modules are imported, which saves time.

    Parameters:
        names: Names of commands. Without any, the command line has all commands.
    """
    app = App(
        name="crawler",
        help="Crawl sites and APIs: polite, lossless, fast.",
        help_epilogue=EPILOGUE,
        help_format="markdown",
        version=lambda: f"crawler {_version()}",
        default_parameter=Parameter(negative=(), show_default=False),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        verbose=False,
        suppress_keyboard_interrupt=False,
    )
    for place, name in enumerate(names or COMMANDS):
        app.command(_function(COMMANDS[name]), name=name, sort_key=place, help_epilogue="")
        for subcommand, function in SUBCOMMANDS.get(name, {}).items():
            app[name].command(_function(function), name=subcommand)
    return app


def _function(place: str) -> Callable[..., int]:
    """Import the function of a command from ``module:function``, and evaluate its annotations.

    The parser would evaluate each of them four times.
    """
    module, _, name = place.partition(":")
    function: Callable[..., int] = getattr(import_module(f"crawler.cli.{module}"), name)
    function.__annotations__ = get_type_hints(function, localns={"Parameter": Parameter}, include_extras=True)
    return function


def command_line(arguments: Sequence[str]) -> Callable[[], int | None]:
    """Return a function that parses a command line and runs its command.

    Raises:
        ConfigError: The function raises it if the command line is wrong.
    """
    app = app_of(*arguments[:1]) if arguments and arguments[0] in COMMANDS else app_of()

    def run() -> int | None:
        try:
            code: int | None = app(arguments)
        except CycloptsError as error:
            from crawler.cli.scrapy_words import hint_of_scrapy  # noqa: PLC0415 - only for errors

            command = " ".join(("crawler", *(error.command_chain or ())))
            message = _usage_error(error)
            is_run = command in {"crawler", "crawler run", "crawler scrapy"}
            raise ConfigError((is_run and hint_of_scrapy(message)) or f"{message} (see {command} --help)") from None
        return code

    return run


def _usage_error(error: CycloptsError) -> str:
    """Return the parser's message in our style: one line, in lower case."""
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"unexpected argument {error.unused_tokens[0]!r}"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        return f"{error.keyword} needs a value" if error.keyword else f"{error.argument.name} is missing"
    text = str(error).partition(" Available commands:")[0].rstrip(".")
    return text[:1].lower() + text[1:]


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - slow to import, and rarely needed

    return version("trio-crawler")
