"""The layers of a configuration: settings file < environment < command line.

The settings file is ``crawler.toml`` in the working directory::

    [settings]
    workers = 8

    [plugins.cache]        # enables the plugin `cache`; the table holds its options and may be empty
    folder = "pages"

``plugins = ["cache", "module:Class"]`` is the short form for plugins that need no options.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import msgspec

from crawler.errors import ConfigError, CrawlerError
from crawler.hooks.load import construct, load_plugin
from crawler.hooks.plugin import Plugin
from crawler.settings.settings import ALIASES, NAMES, Settings
from crawler.suggest import did_you_mean

__all__ = ["SETTINGS_FILE", "Layers", "made", "pairs"]

SETTINGS_FILE: Final = "crawler.toml"
OF_SPIDERS: Final = frozenset({"accept_status", "allowed_domains", "auth", "plugins", "start_urls", "waypoints"})
"""What looks like a setting, and stands in the class of a spider."""
PREFIX: Final = "CRAWLER_"
T = TypeVar("T")
log = logging.getLogger("crawler.cli")


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """``NAME=VALUE`` texts as a dict; what comes later counts.

    Raises:
        ConfigError: one is no such text.
    """
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{option} wants NAME=VALUE, got {text!r}")
        values[name.strip()] = value
    return values


@attrs.frozen(kw_only=True)
class Layers:
    """Settings and plugins, as the file, the environment and the command line give them."""

    settings: Settings
    """All three, merged."""
    plugins: tuple[Plugin, ...]
    """Those of the file, then those of the command line."""
    left_out: frozenset[str]
    """The names in `without` that met a plugin."""

    @classmethod
    def read(
        cls,
        *,
        settings: Sequence[str] = (),
        plugins: Sequence[str] = (),
        options: Sequence[str] = (),
        without: Sequence[str] = (),
        folder: Path | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> Layers:
        """Reads the layers.

        Parameters:
            settings: ``NAME=VALUE`` each.
            plugins: names of installed plugins, or ``module:Class``.
            options: ``PLUGIN.OPTION=VALUE`` each.
            without: names of plugins that are left out, though the file or the command line names them.
            folder: where the settings file may lie; default the working directory.
            environment: names and values.

        Raises:
            ConfigError, PluginError: something in them is wrong; the message says where.
        """
        in_file, enabled = _file((folder or Path.cwd()) / SETTINGS_FILE)
        for spec in plugins:
            enabled.setdefault(spec, {})
        merged = in_file | _environment(environment) | _given(pairs(settings, "-s"))
        kinds = {spec: load_plugin(spec) for spec in enabled if spec not in without}
        left_out = {spec for spec in enabled if spec in without} | {kind.name for kind in kinds.values()} & set(without)
        kinds = {spec: kind for spec, kind in kinds.items() if kind.name not in without}
        made = _make(kinds, enabled, pairs(options, "-P"))
        return cls(settings=merged, plugins=tuple(made), left_out=frozenset(left_out))


def _file(path: Path) -> tuple[Settings, dict[str, dict[str, str]]]:
    """The settings of a file, and the options of each plugin that it names."""
    if not path.is_file():
        return Settings(), {}
    import tomllib  # noqa: PLC0415 - there may be no such file

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        for name in content:
            if name not in ("settings", "plugins"):
                raise ConfigError(f"no such key: {name}{did_you_mean(name, ('settings', 'plugins'))}")
        settings, plugins = content.get("settings", {}), content.get("plugins", {})
        if isinstance(plugins, list):
            plugins = {spec: {} for spec in plugins}
        tables = [settings, plugins, *(plugins.values() if isinstance(plugins, dict) else ())]
        if not all(isinstance(table, dict) for table in tables) or not all(isinstance(spec, str) for spec in plugins):
            raise ConfigError("settings are a table, plugins a list of names or tables: [settings], [plugins.NAME]")
        options = {spec: {name: _text(value) for name, value in table.items()} for spec, table in plugins.items()}
        return Settings(**settings), options
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError, ConfigError) as error:
        raise ConfigError(f"{path.name}: {error}") from error


def _text(value: Any) -> str:
    """A value of a settings file as a command line would have it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _environment(environment: Mapping[str, str]) -> Settings:
    """Read settings such as ``CRAWLER_WORKERS=8``. An unknown name is only a warning: it may be another program's."""
    values: dict[str, str] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in NAMES or name in ALIASES:
            values[name] = text
        else:
            hint = did_you_mean(name.upper(), [known.upper() for known in NAMES], form=PREFIX + "{}")
            log.warning("%s in the environment is not a setting%s", variable, hint)
    try:
        return Settings.from_strings(values)
    except ConfigError as error:
        raise ConfigError(f"environment: {error}") from None


def _given(texts: dict[str, str]) -> Settings:
    """The settings of the command line."""
    for name in texts:
        if name in OF_SPIDERS:
            raise ConfigError(f"no such setting: {name}, which is an attribute of the spider")
    return Settings.from_strings(texts)


def _make(
    kinds: Mapping[str, type[Plugin]], enabled: Mapping[str, Mapping[str, str]], options: Mapping[str, str]
) -> list[Plugin]:
    """The plugins in their order, made with their options; those of the command line go over the file's."""
    known = {name: spec for spec, kind in kinds.items() for name in (spec, kind.name)}
    texts = {spec: dict(enabled[spec]) for spec in kinds}
    for place, text in options.items():
        name, _, option = place.rpartition(".") if ":" in place else place.partition(".")
        if not name or not option:
            raise ConfigError(f"-P wants PLUGIN.OPTION=VALUE, got {f'{place}={text}'!r}")
        if name not in known:
            raise ConfigError(f"-P {place}: no plugin named {name!r} is enabled{did_you_mean(name, known)}")
        texts[known[name]][option] = text
    return [made(kind, texts[spec], what=f"plugin {kind.name}") for spec, kind in kinds.items()]


def made(kind: type[T], texts: Mapping[str, str], *, what: str) -> T:
    """An instance of a user's class, its arguments read from text; whatever its constructor raises is one clear line.

    Raises:
        ConfigError: it cannot be created.
    """
    try:
        return construct(kind, texts, what=what)
    except CrawlerError:
        raise
    except Exception as error:
        raise ConfigError(f"{what} cannot be created: {type(error).__name__}: {error}") from error
