"""Configuration in environment variables.

Settings have their names in capitals: ``CRAWLER_WORKERS=8``. ``CRAWLER_OUTPUTS`` and ``CRAWLER_PLUGINS`` are lists,
separated by commas or as JSON. ``CRAWLER_ARGUMENTS`` are the arguments of the spider, as a JSON object, and
``CRAWLER_JOB`` is the folder of the durable job. ``CRAWLER_BROWSER`` is the path of Chromium, for the plugin `browser`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from crawler.cli.layer import Layer, as_text
from crawler.errors import ConfigError
from crawler.logs import get_logger
from crawler.settings.settings import NAMES, Settings
from crawler.suggest import did_you_mean

__all__ = ["from_environment"]

PREFIX: Final = "CRAWLER_"
OTHERS: Final = ("outputs", "plugins", "arguments", "job")
OF_PLUGINS: Final = ("browser",)
"""Variables that plugins read themselves."""
log = get_logger("crawler.cli")


def from_environment(environment: Mapping[str, str]) -> Layer:
    """Return the configuration in environment variables.

    An unknown name is only a warning: it may be another program's.
    """
    texts: dict[str, str] = {}
    others: dict[str, str] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name in OF_PLUGINS:
            continue
        if name in OTHERS:
            others[name] = text
        elif name in NAMES:
            texts[name] = text
        else:
            known = [known.upper() for known in (*NAMES, *OTHERS)]
            log.warning(
                "%s in the environment is not a setting%s",
                variable, did_you_mean(name.upper(), known, form=PREFIX + "{}"),
            )  # fmt: skip
    try:
        settings = Settings.from_strings(texts)
    except ConfigError as error:
        raise ConfigError(f"environment: {error}") from None
    return Layer(
        source="environment",
        settings=settings,
        plugins={spec: {} for spec in _listed("plugins", others)},
        arguments=_arguments(others.get("arguments", "")),
        outputs=_listed("outputs", others),
        job=others.get("job", ""),
    )


def _listed(name: str, texts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of a list: separated by commas, or as JSON."""
    text = texts.get(name, "").strip()
    if not text.startswith("["):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return msgspec.json.decode(text, type=tuple[str, ...])
    except msgspec.DecodeError as error:
        raise ConfigError(f"environment: {PREFIX}{name.upper()} is not a list of strings: {error}") from None


def _arguments(text: str) -> dict[str, str]:
    if not text.strip():
        return {}
    try:
        values = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ConfigError(
            f'environment: {PREFIX}ARGUMENTS is not a JSON object such as {{"page": 2}}: {error}'
        ) from None
    return {name: as_text(value) for name, value in values.items()}
