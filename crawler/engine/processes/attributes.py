"""`Attributes`: which attributes of a spider were changed, so that processes have different values of them."""

from __future__ import annotations

import logging
from typing import Any, Final

from crawler.spiders import Spider

__all__ = ["Attributes"]

SET_BY_FRAMEWORK: Final = frozenset({"_form_urls", "crawl", "state"})
"""Attributes that the framework sets in each process."""


class Attributes:
    """The attributes that a spider has now. Make it before the spider is copied to another process."""

    def __init__(self, spider: Spider) -> None:
        self._spider = spider
        self._values = {
            name: (value, _size(value)) for name, value in vars(spider).items() if name not in SET_BY_FRAMEWORK
        }
        self._named: set[str] = set()

    def warn(self, where: str, log: logging.Logger) -> None:
        """Log each attribute that has another value or another size than before, once."""
        present = vars(self._spider)
        for name, (value, size) in self._values.items():
            now = present.get(name)
            if now is value and _size(now) == size:
                continue
            self._values[name] = now, _size(now)
            if name not in self._named:
                self._named.add(name)
                log.warning(
                    "%s has changed the attribute %s of %s: each process has its own; keep it in self.state, in the "
                    "cb_kwargs of a request, or count it with crawl.count(), or set processes=1",
                    where, name, type(self._spider).__name__,
                )  # fmt: skip

    def added(self) -> list[str]:
        """Return the names of attributes that were added."""
        return [name for name in vars(self._spider) if name not in self._values and name not in SET_BY_FRAMEWORK]


def _size(value: Any) -> int:
    return len(value) if type(value) in (list, dict, set) else 0
