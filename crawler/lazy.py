"""`lazy_names`: a package whose public names are imported at their first use."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["lazy_names", "places"]


def places(homes: Mapping[str, str]) -> dict[str, str]:
    """Return the module of each name.

    Parameters:
        homes: Module to its names, separated by spaces.
    """
    return {name: module for module, names in homes.items() for name in names.split()}


def lazy_names(
    package: str, names: Mapping[str, str], moved: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package that imports its names lazily (PEP 562).

    Parameters:
        package: ``__name__`` of the package.
        names: Public name to the module that defines it.
        moved: Former name to its new place as ``module:name``. Its use is a `DeprecationWarning`.
    """

    def get(name: str) -> Any:
        """Import a name."""
        if name in names:
            value = getattr(importlib.import_module(names[name]), name)
            setattr(sys.modules[package], name, value)
            return value
        if moved is not None and name in moved:
            module, _, new = moved[name].partition(":")
            warnings.warn(
                f"{package}.{name} is deprecated: use `from {module} import {new}`", DeprecationWarning, stacklevel=2
            )
            return getattr(importlib.import_module(module), new)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def list_names() -> list[str]:
        """Return the public names."""
        return sorted(names)

    return get, list_names
