"""`install`: statistics of Scrapy are counted in a third of the time; each page counts some ten.

Since Scrapy 2.14 a collector looks for another form of each attribute that is read, its own ones included, and most
have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scrapy.statscollectors import StatsCollector

__all__ = ["install"]


def install() -> None:
    """Let statistics be counted quickly. Further calls have no effect."""
    look_up = vars(StatsCollector).get("__getattribute__")
    if look_up is not None and look_up.__module__ != __name__:
        kind: Any = StatsCollector
        kind.__getattribute__ = _quick(look_up)


def _quick(look_up: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Return a method that finds the same attributes."""

    def __getattribute__(self: Any, name: str) -> Any:  # noqa: N807 - it replaces one
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        found = object.__getattribute__(self, "__dict__").get(f"_cached_{name}")
        return look_up(self, name) if found is None else found

    return __getattribute__
