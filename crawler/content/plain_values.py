"""`plain_value`: the JSON form of values that msgspec does not know, mostly of subclasses of built-in types.

Beautiful Soup and lxml return text as a subclass of `str`, pandas dates as a subclass of `datetime`, numpy numbers as a
subclass of `float`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

__all__ = ["plain_value"]

BASES: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (str, str.__str__),
    (int, int.__index__),
    (float, float.__float__),
    (bytes, lambda value: bytes(memoryview(value))),
    (bytearray, lambda value: bytes(memoryview(value))),
    (Decimal, Decimal),
    (datetime, lambda value: datetime.combine(date(value.year, value.month, value.day), _time(value))),
    (date, lambda value: date(value.year, value.month, value.day)),
    (time, lambda value: _time(value)),  # noqa: PLW0108 - it is defined below
    (timedelta, lambda value: timedelta(value.days, value.seconds, value.microseconds)),
)
"""Types, and what turns an instance of a subclass into one of the type itself. A datetime is a date as well."""

ONLY_AS_KEYS: Final = frozenset({bool, type(None), tuple, frozenset})
"""Types that msgspec encodes as values. It passes an instance to its `enc_hook` only if it is a key of a dict."""


def plain_value(value: Any) -> Any:
    """Return a value that msgspec encodes, for one that it does not. It is an `enc_hook` of msgspec."""
    if type(value) in ONLY_AS_KEYS:
        raise TypeError("Only dicts with str-like or number-like keys are supported")
    dump = getattr(value, "model_dump", None)
    if dump is not None and not isinstance(value, type):
        return dump(mode="json")
    for base, convert in BASES:
        if isinstance(value, base):
            return convert(value)
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


def _time(value: datetime | time) -> time:
    return time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo, fold=value.fold)
