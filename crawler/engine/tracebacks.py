"""`user_frames`: of a traceback, what concerns whoever wrote the code that raised."""

from __future__ import annotations

from types import TracebackType
from typing import Final

__all__ = ["ExcInfo", "user_frames"]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
OURS: Final = frozenset({"contextlib", "crawler", "trio"})
"""Packages whose lines lead to the code of others."""


def user_frames(error: BaseException | None) -> ExcInfo | None:
    """The traceback of an error from the first line on that is not the framework's; `None`: all of it is.

    It is as `logging` takes it.
    """
    trace = None if error is None else error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] in OURS:
        trace = trace.tb_next
    return None if error is None or trace is None else (type(error), error, trace)
