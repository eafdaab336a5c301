"""`LOADERS`: pydantic is imported when a project imports it.

Scrapy's `itemadapter` imports it in all its versions to know items that are models, which takes longer than to import
Scrapy. An item can be a model only if somebody has imported pydantic: `itemadapter` hears of it at that time.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

__all__ = ["LOADERS"]

PYDANTIC: Final = "pydantic"
ASKING: Final = "itemadapter._imports"
"""The module that imports pydantic."""
USING: Final = "itemadapter.utils"
"""The module that has these names from it."""
NAMES: Final = ("PydanticUndefined", "PydanticV1Undefined", "pydantic", "pydantic_v1")


class _Passing(Loader):
    """Loads a module as another loader does.

    Parameters:
        loader: The other loader.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return what the loader creates."""
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module."""
        module.__loader__ = vars(module.__spec__)["loader"] = self._loader
        self._loader.exec_module(module)


class _Asking(_Passing):
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


class _Telling(_Passing):
    """Loads pydantic, and lets the other modules find it then."""

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module."""
        super().exec_module(module)
        asking, using = sys.modules.get(ASKING), sys.modules.get(USING)
        if asking is None:
            return
        loader: Any = asking.__loader__
        loader.exec_module(asking)
        for name in NAMES if using is not None else ():
            setattr(using, name, getattr(asking, name))


LOADERS: Final[dict[str, type[_Passing]]] = {ASKING: _Asking, PYDANTIC: _Telling}
"""Modules that are loaded in another way than usual."""
