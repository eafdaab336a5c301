"""`app` has the commands, `main` runs one and makes one clear line and an exit code of whatever goes wrong."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError

from crawler.cli import bench, demo, fetch, job, limits, new, plugins, robots, run, shell
from crawler.cli.logs import log_traceback, say
from crawler.cli.stdio import abandon, ready
from crawler.errors import ConfigError, CrawlerError, CrawlFailed, JobError, PluginError

__all__ = ["app", "main"]

EPILOGUE: Final = (
    "Start here: crawler demo, then crawler new NAME, then crawler run NAME.py. For more: crawler COMMAND --help.\n\n"
    "Exit codes: 0 finished, 1 the crawl could not go on, 2 wrong usage or configuration, 3 stopped by a quota or "
    "max_errors, 4 finished with more failures than --tolerate, 130 interrupted."
)

app = App(
    name="crawler",
    help="Crawl sites and APIs: polite, lossless, fast.",
    help_epilogue=EPILOGUE,
    help_format="markdown",
    version=lambda: f"crawler {version('trio-crawler')}",
    default_parameter=Parameter(negative=(), show_default=False),
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    verbose=False,
    suppress_keyboard_interrupt=False,
)
app.command(demo.demo, sort_key=1, help_epilogue="")
app.command(new.new, sort_key=2, help_epilogue="")
app.command(run.command, name="run", sort_key=3, help_epilogue="")
app.command(fetch.fetch, sort_key=4, help_epilogue="")
app.command(fetch.links, sort_key=5, help_epilogue="")
app.command(robots.robots, sort_key=6, help_epilogue="")
app.command(limits.limits, sort_key=7, help_epilogue="")
app.command(shell.shell, sort_key=8, help_epilogue="")
app.command(job.job, sort_key=9, help_epilogue="")
app.command(plugins.plugins, sort_key=10, help_epilogue="")
app.command(bench.bench, sort_key=11, help_epilogue="")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Parameters:
        arguments: of the command line; default those of this process.

    Returns:
        The exit code: 0 finished · 1 could not go on · 2 usage or configuration · 3 stopped by a limit · 4 more
        failures than tolerated · 130 interrupted.
    """
    ready()
    try:
        code: int = app(sys.argv[1:] if arguments is None else arguments) or 0
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
