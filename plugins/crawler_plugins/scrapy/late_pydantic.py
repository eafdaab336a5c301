"""`LOADERS`: pydantic is imported when a project imports it.

Scrapy's `itemadapter` imports it in all its versions to know items that are models, which takes longer than to import
Scrapy. An item can be a model only if somebody has imported pydantic: `itemadapter` gets its names at that time.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Final

from crawler_plugins.scrapy.delegating_loader import DelegatingLoader

__all__ = ["LOADERS"]

PYDANTIC: Final = "pydantic"
IMPORTER: Final = "itemadapter._imports"
"""The module that imports pydantic."""
USER: Final = "itemadapter.utils"
"""The module that has these names from it."""
NAMES: Final = ("PydanticUndefined", "PydanticV1Undefined", "pydantic", "pydantic_v1")


class _WithoutPydantic(DelegatingLoader):
    """Loads the module that imports pydantic, and lets it find none unless it has been imported."""

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module."""
        if PYDANTIC in sys.modules:
            super().exec_module(module)
            return
        sys.modules[PYDANTIC] = None  # type: ignore[assignment]  # an import of it raises ImportError
        try:
            super().exec_module(module)
        finally:
            del sys.modules[PYDANTIC]


class _Pydantic(DelegatingLoader):
    """Loads pydantic, then sets its names in the modules of `itemadapter`."""

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module."""
        super().exec_module(module)
        importer, user = sys.modules.get(IMPORTER), sys.modules.get(USER)
        if importer is None:
            return
        loader: Any = importer.__loader__
        loader.exec_module(importer)
        for name in NAMES if user is not None else ():
            setattr(user, name, getattr(importer, name))


LOADERS: Final[dict[str, type[DelegatingLoader]]] = {IMPORTER: _WithoutPydantic, PYDANTIC: _Pydantic}
"""Modules that are loaded in another way than usual."""
