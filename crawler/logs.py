"""`get_logger`: a logger whose records contain no secrets and command no terminal, whichever handler writes them."""

from __future__ import annotations

import logging
from typing import Final

from crawler.printable import printable_message, printable_traceback
from crawler.redaction import redact

__all__ = ["get_logger"]

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
