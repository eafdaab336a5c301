"""`main` runs one command and turns every error into one line and an exit code."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from crawler.cli.commands import command_of
from crawler.cli.logs import log_traceback, say
from crawler.cli.standard_streams import discard_output, discard_unwritten_errors, open_closed_streams
from crawler.errors import ConfigError, CrawlerError, CrawlFailed, JobError, LeaseLost, PluginError
from crawler.files import error_reason

__all__ = ["main"]

UNUSABLE: Final = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.EROFS, errno.EIO, errno.ESTALE)
"""Numbers of the errors for a path that no file of this process can have, whichever command it was given to."""


def main(arguments: Sequence[str] | None = None, *, on_imported: Callable[[], object] | None = None) -> int:
    """Run one command."""
    open_closed_streams()
    argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _check(argv)
        try:
            command = command_of(argv)
        finally:
            if on_imported is not None:
                on_imported()
        code = command() or 0
        sys.stdout.flush()
    except (ConfigError, PluginError, JobError) as error:
        log_traceback(error)
        code = _report_error(str(error), 2, getattr(error, "__notes__", ()))
    except CrawlerError as error:
        log_traceback(error)
        advice = "; start it again" if isinstance(error, LeaseLost) else ""
        code = _report_error(f"the crawl failed: {error}{advice}" if isinstance(error, CrawlFailed) else str(error), 1)
    except BrokenPipeError:
        discard_output()  # the reader of our output has closed it
        code = 1
    except OSError as error:
        if error.filename is not None:
            if error.errno not in UNUSABLE:
                raise
            log_traceback(error)
            return _report_error(f"cannot use {error.filename}: {error_reason(error)}", 2)
        if isinstance(error, FileNotFoundError):  # `os.getcwd` raises it, a stream never does
            return _report_error("the working directory no longer exists: change to another one", 2)
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


def _check(argv: Sequence[str]) -> None:
    """Refuse a NUL character, which neither a file name nor a URL may contain."""
    for argument in argv:
        if "\0" in argument:
            raise ConfigError(f"the argument {argument!r} contains a NUL character")


def _report_error(message: str, code: int, notes: Iterable[str] = ()) -> int:
    """Write an error to standard error, one line for its message and for each of its notes; return the exit code."""
    for line in (message, *notes):
        say(f"crawler: {' '.join(line.split())}\n", level=logging.ERROR)
    return code
