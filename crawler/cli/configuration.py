"""The configuration of a command: the settings file, overridden by the environment, overridden by the command line.

The settings file is ``crawler.toml`` in the working directory::

    [settings]
    workers = 8

    [plugins.cache]        # enables the plugin `cache`; the table holds its options, and may be empty
    folder = "pages"

``plugins = ["cache", "module:Class"]`` is the short form for plugins that need no options.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from crawler.environment import is_reference
from crawler.errors import ConfigError
from crawler.hooks.load import construct, load_plugin
from crawler.hooks.plugin import Plugin
from crawler.logs import get_logger
from crawler.settings.settings import ALIASES, NAMES, Settings
from crawler.suggest import did_you_mean

__all__ = ["SETTINGS_FILE", "Configuration", "parse_pairs"]

SETTINGS_FILE: Final = "crawler.toml"
SPIDER_ATTRIBUTES: Final = frozenset(
    {
        "accept_status", "allowed_domains", "auth", "environment_arguments", "plugins", "secret_arguments",
        "start_urls", "waypoints",
    }
)  # fmt: skip
"""Attributes of a spider class that are easily taken for settings."""
PREFIX: Final = "CRAWLER_"
log = get_logger("crawler.cli")


def parse_pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """Parse ``NAME=VALUE`` texts into a dict. The last value of a name wins.

    Parameters:
        texts: The values of an option of the command line.
        option: The name of the option, for error messages.

    Raises:
        ConfigError: A text is not of the form ``NAME=VALUE``.
    """
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{option} takes NAME=VALUE, not {text!r}")
        values[name.strip()] = value
    return values


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Configuration:
    """Settings and plugins from the settings file, the environment and the command line."""

    settings: Settings
    """The settings of all three, merged."""
    plugins: tuple[Plugin, ...]
    """The plugins of the file, then those of the command line."""
    disabled: frozenset[str]
    """The names in the parameter `disable` that matched a plugin."""

    @classmethod
    def load(
        cls,
        *,
        settings: Sequence[str] = (),
        plugins: Sequence[str] = (),
        options: Sequence[str] = (),
        disable: Sequence[str] = (),
        folder: Path | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> Configuration:
        """Load the configuration.

        Parameters:
            settings: ``NAME=VALUE`` texts.
            plugins: Names of installed plugins, or ``module:Class``.
            options: ``PLUGIN.OPTION=VALUE`` texts.
            disable: Names of plugins to disable, although the file or the command line enables them.
            folder: The folder of the settings file. `None` means the working directory.
            environment: Environment variables.

        Raises:
            ConfigError, PluginError: A part is wrong; the message says which.
        """
        from_file, enabled = _load_file((folder or Path.cwd()) / SETTINGS_FILE)
        for spec in plugins:
            enabled.setdefault(spec, {})
        merged = from_file | _from_environment(environment) | _from_command_line(parse_pairs(settings, "-s"))
        kinds = {spec: load_plugin(spec) for spec in enabled if spec not in disable}
        disabled = {spec for spec in enabled if spec in disable} | {kind.name for kind in kinds.values()} & set(disable)
        kinds = {spec: kind for spec, kind in kinds.items() if kind.name not in disable}
        instances = _make_plugins(kinds, enabled, parse_pairs(options, "-P"))
        return cls(settings=merged, plugins=tuple(instances), disabled=frozenset(disabled))


def _load_file(path: Path) -> tuple[Settings, dict[str, dict[str, str]]]:
    """Return the settings of a file, and the options of each plugin that it enables."""
    if not path.is_file():
        return Settings(), {}
    import tomllib  # noqa: PLC0415 - needed only with such a file

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
            raise ConfigError("settings must be a table, plugins a list of names or tables: [settings], [plugins.NAME]")
        options = {spec: {name: _text(value) for name, value in table.items()} for spec, table in plugins.items()}
        references = {name: value for name, value in settings.items() if is_reference(value)}
        values = {name: value for name, value in settings.items() if name not in references}
        return Settings(**values) | Settings.from_strings(references), options
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError, ConfigError) as error:
        raise ConfigError(f"{path.name}: {error}") from error


def _text(value: Any) -> str:
    """Return a value of a settings file in the form of the command line."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _from_environment(environment: Mapping[str, str]) -> Settings:
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


def _from_command_line(texts: dict[str, str]) -> Settings:
    """Return the settings of the command line."""
    for name in texts:
        if name in SPIDER_ATTRIBUTES:
            raise ConfigError(f"no such setting: {name}; it is an attribute of the spider class")
    return Settings.from_strings(texts)


def _make_plugins(
    kinds: Mapping[str, type[Plugin]], enabled: Mapping[str, Mapping[str, str]], options: Mapping[str, str]
) -> list[Plugin]:
    """Instantiate the plugins in their order. Options of the command line override those of the settings file."""
    known = {name: spec for spec, kind in kinds.items() for name in (spec, kind.name)}
    texts = {spec: dict(enabled[spec]) for spec in kinds}
    for place, text in options.items():
        module, colon, rest = place.rpartition(":")
        kind, _, option = rest.partition(".")
        name = module + colon + kind
        if not name or not option:
            raise ConfigError(f"-P takes PLUGIN.OPTION=VALUE, not {f'{place}={text}'!r}")
        if name not in known:
            raise ConfigError(f"-P {place}: no plugin named {name!r} is enabled{did_you_mean(name, known)}")
        texts[known[name]][option] = text
    return [construct(kind, texts[spec], what=f"plugin {kind.name}") for spec, kind in kinds.items()]
