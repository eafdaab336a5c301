"""Tracebacks of errors in the code of users: what of them is logged, and how often."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Final

from crawler.logs import get_logger

if TYPE_CHECKING:
    from crawler.errors import HookError

__all__ = ["ExcInfo", "HookErrorLog", "user_frames"]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
"""An exception as `logging` takes it."""
FRAMEWORK_PACKAGES: Final = frozenset({"contextlib", "crawler", "outcome", "trio"})
"""Packages whose frames lead to the code of users."""
MAX_PLACES: Final = 1000
"""Places in the code of users that are remembered."""
log = get_logger("crawler.engine")


def user_frames(error: BaseException | None) -> ExcInfo | None:
    """Return the traceback of an error from the first frame outside of the framework; `None` if there is none."""
    trace = None if error is None else error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] in FRAMEWORK_PACKAGES:
        trace = trace.tb_next
    return None if error is None or trace is None else (type(error), error, trace)


class HookErrorLog:
    """Logs what callbacks and hooks raise: one line for each page, and one traceback for each place that raises."""

    def __init__(self) -> None:
        self._places: set[object] = set()

    def log(self, error: HookError, url: str) -> None:
        """Log an error at level ERROR.

        Parameters:
            error: Its cause is the exception that was raised.
            url: Of the page.
        """
        cause = error.__cause__
        place = (error.plugin, error.hook, type(cause), _line_of(cause))
        exc_info = None if place in self._places else user_frames(cause)
        if len(self._places) < MAX_PLACES:
            self._places.add(place)
        log.error("%s.%s failed for %s: %s", error.plugin, error.hook, url, error, exc_info=exc_info)


def _line_of(error: BaseException | None) -> tuple[str, int] | None:
    """Return the file and the line where an exception was raised."""
    trace = error.__traceback__ if error is not None else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
