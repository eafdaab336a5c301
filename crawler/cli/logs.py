"""Logging and messages on standard error, as plain lines or as JSON."""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec

from crawler.errors import CrawlerError
from crawler.logs import get_logger, user_frames
from crawler.printable import printable, printable_message, printable_traceback
from crawler.redaction import redact

__all__ = ["Level", "log_to_stderr", "log_traceback", "plural", "say", "size"]

Level: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]
NOISY: Final = ("asyncio", "httpcore", "httpx")
"""Loggers of libraries whose debug messages do not help to debug a spider."""
SILENT: Final = ("coredis",)
"""Loggers of libraries whose errors are raised as well. A cancelled connection would be a page of tracebacks."""
log = get_logger("crawler.cli")


class StderrHandler(logging.Handler):
    """Writes to the current `sys.stderr`, which the live progress line replaces while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            sys.stderr.write(printable(self.format(record)) + "\n")
            sys.stderr.flush()
        except Exception:  # as in all handlers: a log message never ends a crawl
            self.handleError(record)


class TextFormatter(logging.Formatter):
    """Formats records as plain lines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record, without secrets: it may be one of the user's own loggers."""
        return redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is of `logging`
        """Return the one line of a message."""
        record.message = printable_message(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is of `logging`
        """Return a traceback, whose message begins no other record either."""
        return printable_traceback(super().formatException(ei))


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `time` (ISO 8601, UTC), `level`, `logger`, `message`, and `traceback` if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info and record.exc_info[1] is not None:
            fields["traceback"] = redact("".join(traceback.format_exception(*record.exc_info)))
        return msgspec.json.encode(fields).decode()


def log_to_stderr(level: Level = "warning", *, as_json: bool = False) -> None:
    """Log to standard error: the messages of the framework, of the spider and of its plugins."""
    timed = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    plain = timed if level == "debug" else "%(levelname)s %(name)s: %(message)s"
    handler = StderrHandler()
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter(plain))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def say(text: str, *, level: int = logging.INFO) -> None:
    """Write a message to standard error, whatever the log level. With JSON logging it becomes a record."""
    text = printable(redact(text))
    if any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers):
        record = logging.LogRecord(log.name, level, __file__, 0, "%s", (text.removesuffix("\n"),), None)
        text = JsonFormatter().format(record) + "\n"
    with suppress(OSError):  # standard error is closed or full, which must not change the result of the command
        sys.stderr.write(text)


def log_traceback(error: BaseException) -> None:
    """Log the traceback of an error that is reported in one line: complete at level debug, else the user's frames.

    An error whose message names the hook that raised it gets no traceback.
    """
    if log.isEnabledFor(logging.DEBUG):
        log.debug("%s", type(error).__name__, exc_info=error)
        return
    cause = error.__cause__
    while isinstance(cause, BaseExceptionGroup):  # from a nursery; `start()` runs in one
        cause = cause.exceptions[0]
    trace = None if cause is error.__cause__ or isinstance(cause, CrawlerError) else user_frames(cause)
    if trace is not None:
        log.error("%s", error, exc_info=trace)


def plural(n: int, noun: str) -> str:
    """Return a count with its noun: ``1 page``, ``2 pages``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def size(n: float) -> str:
    """Return a number of bytes with a unit: ``340 B``, ``12.3 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000 or unit == "GB":
            break
        n /= 1000
    return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
