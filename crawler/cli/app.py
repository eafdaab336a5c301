"""`app_of` assembles the commands; `main` runs one and turns every error into one line and an exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, get_type_hints

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError

from crawler.cli.logs import log_traceback, say
from crawler.cli.standard_streams import discard_output, discard_unwritten_errors, open_closed_streams
from crawler.errors import ConfigError, CrawlerError, CrawlFailed, JobError, PluginError
from crawler.lazy_pattern import lazy_pattern

__all__ = ["app_of", "main"]

EPILOGUE: Final = (
    "Example: crawler demo, then crawler new NAME and crawler run NAME.py.\n\n"
    "Exit codes: 0 finished; 1 the crawl failed; 2 wrong usage or configuration; 3 stopped by a quota, a budget or "
    "max_errors; 4 more failures than --tolerate allows, or no page; 130 interrupted."
)
ADDRESS: Final = lazy_pattern(r"(\[[0-9a-fA-F:]+\]|[\w.-]*):\d+|\d+")
"""The value of ``--ui``."""
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
"""Module and function of each command of a command."""


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
    function.__annotations__ = get_type_hints(function, include_extras=True)
    return function


def main(arguments: Sequence[str] | None = None, *, on_imported: Callable[[], object] | None = None) -> int:
    """Run one command.

    Parameters:
        arguments: Arguments of the command line. `None` means those of this process.
        on_imported: Called once the modules of the command are imported.

    Returns:
        The exit code: 0 finished · 1 failed · 2 wrong usage or configuration · 3 stopped by a limit · 4 more failures
        than tolerated · 130 interrupted.
    """
    open_closed_streams()
    words = _completed(list(sys.argv[1:] if arguments is None else arguments))
    try:
        _check(words)
        app = app_of(*words[:1]) if words and words[0] in COMMANDS else app_of()
        if on_imported is not None:
            on_imported()
        code: int = app(words) or 0
        sys.stdout.flush()
    except CycloptsError as error:
        command = " ".join(("crawler", *(error.command_chain or ())))
        code = _report_error(f"{_usage_error(error)} (see {command} --help)", 2)
    except (ConfigError, PluginError, JobError) as error:
        log_traceback(error)
        code = _report_error(str(error), 2)
    except CrawlerError as error:
        log_traceback(error)
        code = _report_error(f"the crawl failed: {error}" if isinstance(error, CrawlFailed) else str(error), 1)
    except BrokenPipeError:
        discard_output()  # the reader of our output has closed it
        code = 1
    except OSError as error:
        if error.filename is not None:
            raise
        if isinstance(error, FileNotFoundError):  # what `os.getcwd` raises, and no stream
            return _report_error("the working directory does not exist any more: change to another one", 2)
        discard_output()
        code = _report_error(f"cannot write to standard output: {error.strerror}", 1)
    except KeyboardInterrupt:
        code = _report_error("interrupted", 130)
    except BaseExceptionGroup as group:  # Ctrl-C while a nursery is open
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        code = _report_error("interrupted", 130)
    discard_unwritten_errors()
    return code


def _check(words: Sequence[str]) -> None:
    """Refuse words that no file name and no URL may contain."""
    for word in words:
        if "\0" in word:
            raise ConfigError(f"the argument {word!r} contains a NUL character")


def _completed(words: list[str]) -> list[str]:
    """Return the arguments with a value for each option that may be given without one, ``--ui``; help as an option."""
    if words[:1] == ["help"]:
        return [*words[1:], "--help"]
    for place, word in enumerate(words):
        if word == "--ui":
            following = words[place + 1] if place + 1 < len(words) else ""
            if not ADDRESS.fullmatch(following):
                return [*words[:place], "--ui=", *words[place + 1 :]]
    return words


def _report_error(message: str, code: int) -> int:
    """Write an error as one line to standard error, and return the exit code."""
    from crawler.cli.wording import for_command_line  # noqa: PLC0415 - only errors need it

    say(f"crawler: {for_command_line(' '.join(message.split()))}\n", level=logging.ERROR)
    return code


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
