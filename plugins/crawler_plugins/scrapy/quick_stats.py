"""`install`: statistics of Scrapy are counted in a third of the time; each page counts some ten.

Since Scrapy 2.14 a collector looks for another form of each attribute that is read, its own ones included: one that
warns of the argument ``spider``, which no longer has an effect. Here a collector has these forms from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from scrapy.statscollectors import StatsCollector

__all__ = ["install"]

WARNING: Final = (
    "clear_stats", "close_spider", "get_stats", "get_value", "inc_value", "max_value", "min_value", "open_spider",
    "set_stats", "set_value",
)  # fmt: skip
"""Methods that warn."""
_UNSET: Final = object()


def install() -> None:
    """Let statistics be counted quickly. Further calls have no effect."""
    kind: Any = StatsCollector
    if "__getattribute__" in vars(kind):
        from scrapy.utils.decorators import _warn_spider_arg  # noqa: PLC0415 - earlier versions have none

        del kind.__getattribute__
        kind.__init__ = _preparing(kind.__init__, _warn_spider_arg, kind.inc_value)


def _preparing(
    make: Callable[..., None], warning: Callable[[Any], Any], increase: Callable[..., None]
) -> Callable[..., None]:
    """Return a constructor of collectors whose methods warn.

    Parameters:
        make: That of Scrapy.
        warning: Returns the form of a method that warns.
        increase: The method that nearly all statistics use, unless a project has its own.
    """

    @wraps(make)
    def __init__(self: Any, *args: Any, **kw: Any) -> None:  # noqa: N807 - it replaces one
        make(self, *args, **kw)
        own = vars(self)
        own.update((name, warning(getattr(self, name))) for name in WARNING)
        if type(self).inc_value is increase:
            own["inc_value"] = _quick(self, own["inc_value"])

    return __init__


def _quick(stats: Any, increase: Callable[..., None]) -> Callable[..., None]:
    """Return the method that adds to a value."""

    @wraps(increase)
    def inc_value(key: str, count: int = 1, start: int = 0, spider: Any = _UNSET) -> None:
        if spider is not _UNSET:
            increase(key, count, start, spider)
            return
        counted = stats._stats  # noqa: SLF001 - as that method does
        counted[key] = counted.setdefault(key, start) + count

    return inc_value
