"""`get_logger`: a logger whose records contain no secrets and command no terminal, whichever handler writes them.

`user_frames`: the traceback of an error as it is logged, without the frames of the framework.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Final

from crawler.printable import printable_message, printable_traceback
from crawler.redaction import redact

__all__ = ["FRAMEWORK_PACKAGES", "ExcInfo", "get_logger", "user_frames"]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
"""An exception as `logging` takes it."""
FRAMEWORK_PACKAGES: Final = frozenset({"contextlib", "crawler", "outcome", "trio"})
"""Packages whose frames lead to the code of users."""
FORMATTER: Final = logging.Formatter()
MAX_MESSAGE: Final = 10_000
"""Characters of a message that are logged at most: a server may send a URL of megabytes."""
KEPT_END: Final = 500
"""Characters of these from the end of a longer message."""


def get_logger(name: str) -> logging.Logger:
    """Return a logger of the framework: see `logging.getLogger`.

    Its records pass through `redact` and `printable`; messages of more than 10,000 characters are shortened. A filter
    of the logger does that, since a handler may belong to the user.
    """
    log = logging.getLogger(name)
    if _redact_record not in log.filters:
        log.addFilter(_redact_record)
    return log


def _redact_record(record: logging.LogRecord) -> bool:
    """Remove secrets from a record, shorten its message to one line, and indent the messages of its traceback."""
    record.msg, record.args = printable_message(_shorten(redact(record.getMessage()))), None
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = printable_traceback(redact(FORMATTER.formatException(record.exc_info)))
    return True


def _shorten(message: str) -> str:
    """Return a message without the middle of one that is too long."""
    left_out = len(message) - MAX_MESSAGE
    if left_out <= 0:
        return message
    return f"{message[: MAX_MESSAGE - KEPT_END]}… ({left_out:,} characters left out) …{message[-KEPT_END:]}"


def user_frames(error: BaseException | None) -> ExcInfo | None:
    """Return the traceback of an error from the first frame outside of the framework; `None` if there is none."""
    trace = None if error is None else error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] in FRAMEWORK_PACKAGES:
        trace = trace.tb_next
    return None if error is None or trace is None else (type(error), error, trace)
