"""`get_logger`: a logger whose records contain no secrets, whichever handler writes them."""

from __future__ import annotations

import logging
from typing import Final

from crawler.redaction import redact

__all__ = ["get_logger"]

FORMATTER: Final = logging.Formatter()


def get_logger(name: str) -> logging.Logger:
    """Return a logger of the framework: see `logging.getLogger`.

    Its records pass through `redact`. A filter of the logger does that, since a handler may belong to the user.
    """
    log = logging.getLogger(name)
    if _redact_record not in log.filters:
        log.addFilter(_redact_record)
    return log


def _redact_record(record: logging.LogRecord) -> bool:
    """Remove secrets from the message and the traceback of a record."""
    record.msg, record.args = redact(record.getMessage()), None
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = redact(FORMATTER.formatException(record.exc_info))
    return True
