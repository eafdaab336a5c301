"""The configuration of a command: the file of the project, overridden by the environment, then the command line.

`project_file` describes the file, and `environment_variables` the variables.
"""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from crawler.cli.environment_variables import from_environment
from crawler.cli.layer import Layer
from crawler.cli.project_file import from_project
from crawler.errors import ConfigError
from crawler.hooks.load import construct, load_plugin
from crawler.hooks.plugin import Plugin
from crawler.settings.settings import Settings
from crawler.suggest import did_you_mean

__all__ = ["Configuration", "parse_pairs"]

SPIDER_ATTRIBUTES: Final = frozenset(
    {
        "accept_status", "allowed_domains", "auth", "environment_arguments", "given_secrets", "plugins",
        "secret_arguments", "start_urls", "waypoints",
    }
)  # fmt: skip
"""Attributes of a spider class that are easily taken for settings."""


def parse_pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """Parse ``NAME=VALUE`` texts into a dict. The last value of a name wins."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{option} takes NAME=VALUE, not {text!r}")
        values[name.strip()] = value
    return values


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Configuration:
    """Settings, plugins, arguments, outputs and job from the project's file, the environment and the command line."""

    settings: Settings
    """The settings of all three, merged."""
    layers: tuple[Layer, ...] = ()
    """Each of the three, the weakest first."""
    plugins: tuple[Plugin, ...]
    """The plugins of the file, then those of the environment, then those of the command line."""
    disabled: frozenset[str]
    """The names in the parameter `disable` that matched a plugin."""
    arguments: Mapping[str, str] = {}
    """Arguments of the spider, as text."""
    outputs: tuple[str, ...] = ()
    """Where items are written: as the command line says; without its word, the environment; else the file."""
    job: str = ""
    """Folder or URL of the durable job; empty if there is none."""

    @classmethod
    def load(
        cls,
        *,
        settings: Sequence[str] = (),
        plugins: Sequence[str] = (),
        options: Sequence[str] = (),
        disable: Sequence[str] = (),
        arguments: Mapping[str, str] = {},
        outputs: Sequence[str] = (),
        job: str = "",
        folder: Path | None = None,
        environment: Mapping[str, str] = os.environ,
        has_flag: bool = True,
    ) -> Configuration:
        """Load the configuration."""
        line = Layer(
            source="-s",
            settings=_from_command_line(parse_pairs(settings, "-s")),
            plugins={spec: {} for spec in plugins},
            arguments=dict(arguments),
            outputs=tuple(outputs),
            job=job,
        )
        layers = (from_project(folder or Path.cwd()), from_environment(environment), line)
        enabled: dict[str, dict[str, str]] = {}
        for layer in layers:
            for spec, texts in layer.plugins.items():
                enabled.setdefault(spec, {}).update(texts)
        kinds = {spec: load_plugin(spec) for spec in enabled if spec not in disable}
        disabled = {spec for spec in enabled if spec in disable} | {kind.name for kind in kinds.values()} & set(disable)
        kinds = {spec: kind for spec, kind in kinds.items() if kind.name not in disable}
        return cls(
            settings=functools.reduce(operator.or_, (layer.settings for layer in layers)),
            layers=layers,
            plugins=tuple(_make_plugins(kinds, enabled, parse_pairs(options, "-P"), has_flag=has_flag)),
            disabled=frozenset(disabled),
            arguments={name: text for layer in layers for name, text in layer.arguments.items()},
            outputs=next((layer.outputs for layer in reversed(layers) if layer.outputs), ()),
            job=next((layer.job for layer in reversed(layers) if layer.job), ""),
        )


def _from_command_line(texts: dict[str, str]) -> Settings:
    """Return the settings of the command line."""
    for name in texts:
        if name in SPIDER_ATTRIBUTES:
            raise ConfigError(f"no such setting: {name}; it is an attribute of the spider class")
    return Settings.from_strings(texts)


def _make_plugins(
    kinds: Mapping[str, type[Plugin]],
    enabled: Mapping[str, Mapping[str, str]],
    options: Mapping[str, str],
    *,
    has_flag: bool,
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
            hint = did_you_mean(name, known) or (f": add -p {name}" if has_flag else "")
            raise ConfigError(f"-P {place}: no plugin named {name!r} is enabled{hint}")
        texts[known[name]][option] = text
    return [
        construct(kind, texts[spec], what=f"plugin {kind.name}", form=f"-P {kind.name}.{{}}")
        for spec, kind in kinds.items()
    ]
