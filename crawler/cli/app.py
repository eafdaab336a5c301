"""`app` has the commands, `main` runs one and makes one clear line and an exit code of whatever goes wrong."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError

from crawler.cli.logs import log_traceback, say
from crawler.cli.standard_streams import abandon, drop_unwritten_errors, ready
from crawler.errors import ConfigError, CrawlerError, CrawlFailed, JobError, PluginError

__all__ = ["app_of", "main"]

EPILOGUE: Final = (
    "Start here: crawler demo, then crawler new NAME, then crawler run NAME.py. For more: crawler COMMAND --help.\n\n"
    "Exit codes: 0 finished, 1 the crawl could not go on, 2 wrong usage or configuration, 3 stopped by a quota or "
    "max_errors, 4 finished with more failures than --tolerate, 130 interrupted."
)
COMMANDS: Final = {
    "demo": "demo:demo",
    "new": "new:new",
    "run": "run:command",
    "fetch": "fetch:fetch",
    "links": "fetch:links",
    "robots": "robots:robots",
    "limits": "limits:limits",
    "shell": "shell:shell",
    "job": "job:job",
    "plugins": "plugins:plugins",
    "bench": "bench:bench",
}
"""Each command, in the order of the help page: module and function."""


def app_of(*names: str) -> App:
    """The command line with these commands, by default all. Importing what nobody asked for would take a while.

    Parameters:
        names: of commands.
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
        module, _, function = COMMANDS[name].partition(":")
        command = getattr(import_module(f"crawler.cli.{module}"), function)
        app.command(command, name=name, sort_key=place, help_epilogue="")
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Parameters:
        arguments: of the command line; default those of this process.

    Returns:
        The exit code: 0 finished · 1 could not go on · 2 usage or configuration · 3 stopped by a limit · 4 more
        failures than tolerated · 130 interrupted.
    """
    ready()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app = app_of(*words[:1]) if words and words[0] in COMMANDS else app_of()
        code: int = app(words) or 0
        sys.stdout.flush()
    except CycloptsError as error:
        code = _say(f"{_usage(error)} (see {' '.join(('crawler', *(error.command_chain or ())))} --help)", 2)
    except (ConfigError, PluginError, JobError) as error:
        log_traceback(error)
        code = _say(str(error), 2)
    except CrawlerError as error:
        log_traceback(error)
        code = _say(f"the crawl failed: {error}" if isinstance(error, CrawlFailed) else str(error), 1)
    except BrokenPipeError:
        abandon()  # whoever read our output has gone
        code = 1
    except OSError as error:
        if error.filename is not None:
            raise
        abandon()
        code = _say(f"cannot write to standard output: {error.strerror}", 1)
    except KeyboardInterrupt:
        code = _say("interrupted", 130)
    except BaseExceptionGroup as group:  # what an event loop makes of Ctrl-C
        if group.subgroup(KeyboardInterrupt) is None:
            raise
        code = _say("interrupted", 130)
    drop_unwritten_errors()
    return code


def _say(line: str, code: int) -> int:
    say(f"crawler: {' '.join(line.split())}\n", level=logging.ERROR)
    return code


def _usage(error: CycloptsError) -> str:
    """The parser's own words, as one line of ours."""
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"unexpected argument {error.unused_tokens[0]!r}"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        return f"{error.keyword} needs a value" if error.keyword else f"{error.argument.name} is missing"
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - few ask, and it takes a while

    return version("trio-crawler")
