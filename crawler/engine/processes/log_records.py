"""Log records between processes: all of them are written by the first one, which draws the live view."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from crawler.engine.processes.errors import pack_error, unpack_error
from crawler.engine.processes.wire import Log, pack, unpack

__all__ = ["SendingHandler", "emit", "send_records"]

PLAIN: Final = (str, int, float)
"""Types of the attributes of a record that are sent."""


class SendingHandler(logging.Handler):
    """Sends records to the first process."""

    def __init__(self, send: Callable[[Log], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        try:
            fields: dict[str, Any] = {name: value for name, value in vars(record).items() if isinstance(value, PLAIN)}
            error = record.exc_info[1] if record.exc_info else None
            fields |= {"msg": record.getMessage(), "args": None}
            self._send(Log(pack((fields, None if error is None else pack_error(error)))))
        except Exception:  # as in all handlers: a log message never ends a crawl
            self.handleError(record)


def send_records(send: Callable[[Log], None]) -> None:
    """Let the handlers of the root logger be those of the first process."""
    root = logging.getLogger()
    root.handlers = [SendingHandler(send)]


def emit(record: bytes) -> None:
    """Handle a record of another process as if it had been made here."""
    fields, error = unpack(record)
    made = logging.makeLogRecord(fields)
    if error is not None:
        raised = unpack_error(error)
        made.exc_info = (type(raised), raised, raised.__traceback__)
    with suppress(Exception):
        logging.getLogger(made.name).handle(made)
