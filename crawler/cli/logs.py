"""Where log lines go: standard error, as plain lines or as JSON."""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import msgspec

from crawler.engine.tracebacks import user_frames
from crawler.errors import CrawlerError

__all__ = ["Level", "log_to_stderr", "log_traceback", "many", "say"]

Level: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]
NOISY: Final = ("asyncio", "httpcore", "httpx")
"""Loggers of libraries that have nothing to say to who debugs a spider."""
log = logging.getLogger("crawler.cli")


class StderrHandler(logging.Handler):
    """Writes to `sys.stderr` as it is at that moment: a live progress line takes its place for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # as in all handlers: a log line never ends a crawl
            self.handleError(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (ISO 8601, UTC), `level`, `logger`, `message`, and `traceback` if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            fields["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return msgspec.json.encode(fields).decode()


def log_to_stderr(level: Level = "warning", *, as_json: bool = False) -> None:
    """Sends the log lines of the framework, of the spider and of its plugins to standard error.

    Parameters:
        level: the least that is written.
        as_json: one JSON object a line.
    """
    timed = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    plain = timed if level == "debug" else "%(levelname)s %(name)s: %(message)s"
    handler = StderrHandler()
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(plain))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))


def say(text: str, *, level: int = logging.INFO) -> None:
    """Writes words that are no log line, whatever the log level; where logs are JSON they are a record too.

    Parameters:
        text: one or more lines.
        level: what the record says of itself.
    """
    if any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers):
        record = logging.LogRecord(log.name, level, __file__, 0, "%s", (text.removesuffix("\n"),), None)
        text = JsonFormatter().format(record) + "\n"
    with suppress(OSError):  # nobody hears it, or the disk is full: it ends nothing, and takes no results away
        sys.stderr.write(text)


def log_traceback(error: BaseException) -> None:
    """The story behind an error that is told in one line: all of it at ``--log-level debug``, else where it was raised.

    One that names the hook which raised needs none.
    """
    if log.isEnabledFor(logging.DEBUG):
        log.debug("%s", type(error).__name__, exc_info=error)
        return
    cause = error.__cause__
    while isinstance(cause, BaseExceptionGroup):  # of tasks, as `start()` is one
        cause = cause.exceptions[0]
    trace = None if cause is error.__cause__ or isinstance(cause, CrawlerError) else user_frames(cause)
    if trace is not None:
        log.error("%s", error, exc_info=trace)


def many(n: int, noun: str) -> str:
    """``1 page``, ``2 pages``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
