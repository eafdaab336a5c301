"""Exceptions between processes, with the places in the code that raised them."""

from __future__ import annotations

import pickle
import sys
import traceback
from types import FrameType, TracebackType
from typing import Any, TypeAlias

from crawler.engine.processes.wire import pack, unpack
from crawler.hints import message_of

__all__ = ["pack_error", "unpack_error"]

Place: TypeAlias = tuple[str, int, str, str]
"""File, line, function and module."""
Packed: TypeAlias = tuple[Any, list[Place], "Packed | None", "Packed | None"]
"""An exception that may be pickled, its places, its cause and its context."""


def pack_error(error: BaseException) -> bytes:
    """Return an exception for another process."""
    return pack(_packed(error, set()))


def unpack_error(data: bytes) -> BaseException:
    """Return the exception that `pack_error` was given. One that cannot be pickled has its class's name and text."""
    return _unpacked(unpack(data))


def _packed(error: BaseException, seen: set[int]) -> Packed:
    seen.add(id(error))
    others = [
        _packed(other, seen) if other is not None and id(other) not in seen else None
        for other in (error.__cause__, None if error.__suppress_context__ else error.__context__)
    ]
    return _portable(error), _places(error.__traceback__), others[0], others[1]


def _portable(error: BaseException) -> Any:
    """Return the pickled exception, or what describes it."""
    try:
        data = pack(error)
        if type(unpack(data)) is type(error):
            return data
    except Exception:  # noqa: S110 - any class of users may refuse in its own way
        pass
    return type(error).__name__, type(error).__module__, message_of(error)


def _places(trace: TracebackType | None) -> list[Place]:
    return [
        (frame.f_code.co_filename, line, frame.f_code.co_name, frame.f_globals.get("__name__", ""))
        for frame, line in traceback.walk_tb(trace)
    ]


def _unpacked(packed: Packed) -> BaseException:
    portable, places, cause, context = packed
    if isinstance(portable, bytes):
        error: BaseException = pickle.loads(portable)  # noqa: S301 - of a process of the same program
    else:
        name, module, text = portable
        error = type(name, (Exception,), {"__module__": module})(text)
    if cause is not None:
        error.__cause__ = _unpacked(cause)
    if context is not None:
        error.__context__ = _unpacked(context)
    return error.with_traceback(_traceback(places))


def _traceback(places: list[Place]) -> TracebackType | None:
    """Return a traceback that shows places in the code, which ran elsewhere."""
    trace = None
    for file, line, function, module in reversed(places):
        code = compile("frame()", file, "eval").replace(co_name=function)
        frame: FrameType = eval(code, {"frame": lambda: sys._getframe(1), "__name__": module})  # noqa: S307, SLF001
        trace = TracebackType(trace, frame, -1, line)
    return trace
