"""`lazy_names`: a package whose public names are imported at their first use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["lazy_names", "places"]


def places(homes: Mapping[str, str]) -> dict[str, str]:
    """Return the module of each name, from the names of each module, which are separated by spaces."""
    return {name: module for module, names in homes.items() for name in names.split()}


def lazy_names(package: str, names: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose names have these modules (PEP 562)."""

    def get(name: str) -> Any:
        """Import a name."""
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(names[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    def list_names() -> list[str]:
        """Return the public names."""
        return sorted(names)

    return get, list_names
