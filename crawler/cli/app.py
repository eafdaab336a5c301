"""`app` has the commands, `main` runs one and makes one clear line and an exit code of whatever goes wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from cyclopts import App, CycloptsError, Parameter
from cyclopts.exceptions import UnusedCliTokensError

from crawler.cli import demo, fetch, new, plugins, run
from crawler.cli.logs import log_traceback
from crawler.errors import ConfigError, CrawlerError, CrawlFailed, JobError, PluginError

__all__ = ["app", "main"]

EPILOGUE: Final = """\
Start here: crawler demo, then crawler new NAME, then crawler run NAME.py. More of a command: crawler COMMAND --help.

Exit codes: 0 finished, 1 the crawl could not go on, 2 wrong usage or configuration, 3 stopped by a quota or
max_errors, 4 finished with more failures than --tolerate, 130 interrupted.
"""

app = App(
    name="crawler",
    help="Crawl sites and APIs: polite, lossless, fast.",
    help_epilogue=EPILOGUE,
    help_format="plaintext",
    version=lambda: f"crawler {version('trio-crawler')}",
    default_parameter=Parameter(negative=(), show_default=False),
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    verbose=False,
    suppress_keyboard_interrupt=False,
)
app.command(run.command, name="run")
app.command(fetch.fetch)
app.command(fetch.links)
app.command(new.new)
app.command(plugins.plugins)
app.command(demo.demo)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Parameters:
        arguments: of the command line; default those of this process.

    Returns:
        The exit code: 0 finished · 1 could not go on · 2 usage or configuration · 3 stopped by a limit · 4 more
        failures than tolerated · 130 interrupted.
    """
    try:
        code = app(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except CycloptsError as error:
        return _say(f"{_usage(error)} (see {' '.join(('crawler', *(error.command_chain or ())))} --help)", 2)
    except (ConfigError, PluginError, JobError) as error:
        log_traceback(error)
        return _say(str(error), 2)
    except CrawlerError as error:
        log_traceback(error)
        return _say(f"the crawl failed: {error}" if isinstance(error, CrawlFailed) else str(error), 1)
    except BrokenPipeError:
        # Whoever read our output has gone. Python would try to empty its buffer once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except BaseException as error:
        if not _interrupted(error):
            raise
        return _say("interrupted", 130)
    return code if isinstance(code, int) else 0


def _say(line: str, code: int) -> int:
    sys.stderr.write(f"crawler: {' '.join(line.split())}\n")
    return code


def _usage(error: CycloptsError) -> str:
    """The parser's own words, as one line of ours."""
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"unexpected argument {error.unused_tokens[0]!r}"
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]


def _interrupted(error: BaseException) -> bool:
    """Whether it is Ctrl-C, perhaps in the group that an event loop makes of it."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(KeyboardInterrupt) is not None
    return isinstance(error, KeyboardInterrupt)
