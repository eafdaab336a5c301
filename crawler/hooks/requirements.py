"""`require`: raise an error with the install command if a package that a plugin needs is missing."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from crawler.errors import ConfigError, PluginError

__all__ = ["is_missing", "require"]


def require(what: str, modules: Mapping[str, str]) -> None:
    """Import modules that are not always installed."""
    for module, requirement in modules.items():
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if not is_missing(module, error):
                raise PluginError(f"{what} needs {module}, which cannot be imported: {error}") from error
            raise ConfigError(f"{what} needs {module}, which is not installed: pip install '{requirement}'") from None
        except Exception as error:
            raise PluginError(
                f"{what} needs {module}, which cannot be imported: {type(error).__name__}: {error}"
            ) from error


def is_missing(module: str, error: ModuleNotFoundError) -> bool:
    """Return whether an import failed because the module itself, or a package around it, does not exist."""
    return error.name is not None and (module == error.name or module.startswith(f"{error.name}."))
