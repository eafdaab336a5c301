"""`Project`: a Scrapy project, found by its ``scrapy.cfg``, or a single file with a spider."""

from __future__ import annotations

import configparser
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Final

from scrapy.settings import Settings

from crawler import ConfigError
from crawler_plugins.scrapy import aliases, processes
from crawler_plugins.scrapy.private import ModuleLoader
from crawler_plugins.scrapy.reactor import TrioReactor
from crawler_plugins.scrapy.refusals import error_of

__all__ = ["Project", "settings_near"]

CONFIG: Final = "scrapy.cfg"
SETTINGS_MODULE: Final = "SCRAPY_SETTINGS_MODULE"
"""The environment variable from which `get_project_settings` of the project reads its module."""


log = logging.getLogger("crawler.plugins.scrapy")


class Project:
    """The settings and the spiders of a Scrapy project.

    Parameters:
        folder: The folder with its ``scrapy.cfg``, a folder inside of that, or the file itself.

    Raises:
        ConfigError: There is no project, or its settings cannot be imported.
    """

    def __init__(self, folder: Path) -> None:
        TrioReactor.install()  # first: modules of the project may import the reactor
        aliases.install()
        processes.install()
        self.folder = _root_of(folder)
        self.settings = _settings_of(self.folder)
        self._loader: Any = None

    @property
    def spiders(self) -> list[str]:
        """The names of its spiders, sorted."""
        return sorted(self._spiders().list())

    @property
    def failed_modules(self) -> dict[str, str]:
        """Why modules of spiders cannot be imported, by their names."""
        failed: dict[str, str] = self._spiders().failed
        return failed

    def spider_class(self, name: str) -> Any:
        """Return the class of a spider.

        Raises:
            ConfigError: There is no spider of that name.
        """
        try:
            return self._spiders().load(name)
        except KeyError:
            names = ", ".join(self.spiders[:20]) or "none"
            failed = [f"{module} cannot be imported: {why}" for module, why in self.failed_modules.items()]
            raise error_of([f"{self.folder} has no spider {name!r}; it has: {names}", *failed]) from None

    def _spiders(self) -> Any:
        """Return the loader of the spiders. A module that cannot be imported does not keep the others out."""
        if self._loader is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # those of the project's modules, and of names that two spiders have
                try:
                    self._loader = _Loader(self.settings)
                except (TypeError, ValueError) as error:
                    raise ConfigError(f"setting SPIDER_MODULES of {self.folder}: {error}") from error
            for name, places in self._loader.twins():
                log.warning("%s are called %r: the last one is meant", " and ".join(places), name)
        return self._loader


class _Loader(ModuleLoader):
    """A loader that skips each module that cannot be imported, and keeps the reason in `failed`."""

    def load_modules(self) -> None:
        """Take the spiders of all modules that can be imported."""
        self.failed: dict[str, str] = {}
        for name in self.spider_modules:
            for module in self._modules(name):
                self.load_spiders(module)

    def twins(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each name that several spiders have, with their classes."""
        for name, places in self.places().items():
            classes = [f"{module}.{kind}" for module, kind in places]
            if len(set(classes)) > 1:
                yield name, classes

    def _modules(self, name: str) -> Iterator[ModuleType]:
        """Yield a module, and those in it."""
        try:
            module = import_module(name)
        except (Exception, SystemExit) as error:
            self.failed[name] = _place_of(error)
            return
        yield module
        for _, part, _ in iter_modules(getattr(module, "__path__", ())):
            yield from self._modules(f"{name}.{part}")


def settings_near(file: Path) -> Any:
    """Return the settings of the project that a file belongs to; Scrapy's own without one."""
    TrioReactor.install()
    aliases.install()
    processes.install()
    folder = root_near(file)
    return Settings() if folder is None else _settings_of(folder)


def root_near(file: Path) -> Path | None:
    """Return the folder of the project that a file belongs to, from which its modules can be imported from now on."""
    folder = next((parent for parent in file.resolve().parents if (parent / CONFIG).is_file()), None)
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return folder


def _root_of(folder: Path) -> Path:
    place = folder.parent if folder.name == CONFIG else folder
    if not place.is_dir():
        raise ConfigError(f"no such folder: {folder} (a Scrapy project is a folder with a {CONFIG})")
    found = next((one for one in (place.resolve(), *place.resolve().parents) if (one / CONFIG).is_file()), None)
    if found is None:
        raise ConfigError(f"{folder} is not a Scrapy project: it has no {CONFIG}")
    return found


def _settings_of(folder: Path) -> Any:
    """Return the settings that ``scrapy.cfg`` names."""
    config = configparser.ConfigParser()
    try:
        config.read(folder / CONFIG)
    except configparser.Error as error:
        raise ConfigError(f"{folder / CONFIG}: {str(error).splitlines()[0]}") from None
    project = os.environ.get("SCRAPY_PROJECT", "default")
    module = os.environ.get(SETTINGS_MODULE) or config.get("settings", project, fallback="")
    if not module:
        raise ConfigError(f"{folder / CONFIG} names no settings: add a section [settings] with {project} = MODULE")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    os.environ[SETTINGS_MODULE] = module
    try:
        found = import_module(module)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{module} of {folder} cannot be imported: {_place_of(error)}") from error
    settings = Settings()
    for name in filter(str.isupper, dir(found)):
        value = getattr(found, name)
        try:
            settings.set(name, value, priority="project")
        except (ValueError, TypeError) as error:
            why = f"it must be a dict, not {type(value).__name__}" if isinstance(value, (list, tuple)) else str(error)
            raise ConfigError(f"setting {name} in {module} of {folder}: {why}") from error
    return settings


def _place_of(error: BaseException) -> str:
    """Return an error of an import, with its place."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    message = f"{type(error).__name__}: {error}".partition("\n")[0]
    return message if last.filename.startswith("<") else f"{message} ({last.filename}:{last.lineno})"
