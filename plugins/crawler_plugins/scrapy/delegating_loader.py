"""`DelegatingLoader`: loads a module as another loader does; subclasses do something before or after."""

from __future__ import annotations

from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["DelegatingLoader"]


class DelegatingLoader(Loader):
    """Loads a module as another loader does.

    Parameters:
        loader: The other loader. The module has it, not this one, when it is executed.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return what the loader creates."""
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module."""
        self._restore(module)
        self._loader.exec_module(module)

    def _restore(self, module: ModuleType) -> None:
        """Give the module its own loader back."""
        vars(module)["__loader__"] = vars(module.__spec__)["loader"] = self._loader
