"""`compile_late`: regular expressions of modules that Scrapy imports are compiled at their first use.

To compile them takes as long as to import lxml, and a crawl uses few of them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

__all__ = ["MODULES", "compile_late"]

MODULES: Final = frozenset(
    {
        "configparser", "cssselect.parser", "cssselect.xpath", "lxml.html", "parsel.selector", "parsel.xpathfuncs",
        "scrapy.utils.log", "scrapy.utils.response", "w3lib._url", "w3lib._util", "w3lib.encoding", "w3lib.html",
        "w3lib.url",
    }
)  # fmt: skip
"""The modules."""
COMPILE: Final = re.compile
METHODS: Final = frozenset({"findall", "finditer", "fullmatch", "match", "search", "split", "sub", "subn"})


@contextmanager
def compile_late() -> Iterator[None]:
    """Let the patterns wait of those modules that are imported meanwhile."""
    compile_now = re.compile  # whichever it is at this time

    def compiled(pattern: Any, flags: Any = 0) -> Any:
        importer = sys._getframe(1).f_globals.get("__name__")  # noqa: SLF001 - the module that compiles it
        return _LatePattern(pattern, flags) if importer in MODULES else compile_now(pattern, flags)

    re.compile = compiled
    try:
        yield
    finally:
        re.compile = compile_now


class _LatePattern:
    """A stand-in for an `re.Pattern`, of which modules may keep a method, too.

    Parameters:
        pattern: The regular expression.
        flags: As in `re.compile`.
    """

    def __init__(self, pattern: Any, flags: Any) -> None:
        self._arguments = pattern, flags

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class of patterns, for `isinstance`."""
        return re.Pattern

    def __getattr__(self, name: str) -> Any:
        return partial(self._call, name) if name in METHODS else getattr(self._compiled(), name)

    def __reduce__(self) -> Any:
        return COMPILE, self._arguments

    def _call(self, name: str, *args: Any, **kw: Any) -> Any:
        """Call a method, and keep it: it is not looked up again."""
        found = self.__dict__.get(name)
        if found is None:
            found = self.__dict__[name] = getattr(self._compiled(), name)
        return found(*args, **kw)

    def _compiled(self) -> re.Pattern[Any]:
        return COMPILE(*self._arguments)
