"""`LOADERS`: the tables of media types by file ending are read when Scrapy looks for one.

Scrapy reads those of the system and its own when it is imported, which takes longer than any other of its modules. It
needs them for responses without a ``Content-Type``.
"""

from __future__ import annotations

import io
import mimetypes
from mimetypes import MimeTypes
from types import ModuleType
from typing import Any, Final

from crawler_plugins.scrapy.delegating_loader import DelegatingLoader

__all__ = ["LOADERS"]


class _LateMimeTypes:
    """Tables that have not been read. At the first use of them they are a `MimeTypes`."""

    def __init__(self) -> None:
        self._added: list[tuple[str, bool]] = []

    def readfp(self, file: Any, strict: bool = True) -> None:
        """Add a table."""
        self._added.append((file.read(), strict))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = MimeTypes()
        for text, strict in self._added:
            found.readfp(io.StringIO(text), strict)
        self.__class__ = MimeTypes  # type: ignore[assignment]
        self.__dict__ = vars(found)
        return getattr(self, name)


class _WithLateTypes(DelegatingLoader):
    """Loads the module that reads the tables, and lets them wait."""

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module."""
        replaced: Any = mimetypes
        replaced.MimeTypes = _LateMimeTypes
        try:
            super().exec_module(module)
        finally:
            replaced.MimeTypes = vars(module)["MimeTypes"] = MimeTypes


LOADERS: Final[dict[str, type[DelegatingLoader]]] = {"scrapy.responsetypes": _WithLateTypes}
"""Modules that are loaded in another way than usual."""
