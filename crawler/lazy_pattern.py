"""`lazy_pattern`: a regular expression that is compiled when it is first used.

A plain crawl imports 107 patterns and uses 15. To compile the others would take 10 ms of CPU time, 3 % of its start.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

__all__ = ["lazy_pattern"]


class _LazyPattern:
    """A proxy for an `re.Pattern`. It keeps each method after its first use, so none is looked up twice."""

    def __init__(self, text: Any, flags: int) -> None:
        self._text = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__[name] = getattr(re.compile(self._text, self._flags), name)
        return found


def lazy_pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what `re.compile` returns, but compile it at the first use of one of its methods.

    A mistake in it is raised then, too. Patterns that every crawl uses are better compiled at once.
    """
    return cast("re.Pattern[AnyStr]", _LazyPattern(text, flags))
