"""`from_project`: the configuration of a project, in ``crawler.toml`` or in ``[tool.crawler]`` of ``pyproject.toml``.

::

    outputs = ["books.jsonl"]
    job = "books.job"

    [settings]
    workers = 8

    [arguments]            # of the spider
    shelf = "poetry"

    [plugins.cache]        # enables the plugin `cache`; the table holds its options, and may be empty
    folder = "pages"

``plugins = ["cache", "module:Class"]`` is the short form for plugins that need no options.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from crawler.cli.layer import Layer, as_text
from crawler.environment import is_reference
from crawler.errors import ConfigError
from crawler.files import error_reason
from crawler.lazy_pattern import lazy_pattern
from crawler.other_names import other_name
from crawler.settings.settings import NAMES, Settings
from crawler.suggest import did_you_mean

__all__ = ["PROJECT_FILES", "from_project"]

PROJECT_FILES: Final = ("crawler.toml", "pyproject.toml")
"""The names of the file; the first one that exists is loaded."""
TABLE: Final = "tool.crawler"
"""The table of ``pyproject.toml``."""
OWN_TABLE: Final = lazy_pattern(r"""tool["'\s]*+(?:[]=]|\.["'\s]*+crawler)""")
"""How the table may begin, in any of TOML's spellings. Most files have no such place, and need no parser."""
KEYS: Final = ("settings", "plugins", "arguments", "outputs", "job")


def from_project(folder: Path) -> Layer:
    """Return the configuration in the file of a folder; an empty one if there is none."""
    for name in PROJECT_FILES:
        path = folder / name
        if path.exists() and (content := _content(path)) is not None:
            try:
                return _layer(name, content)
            except (TypeError, ConfigError) as error:
                raise ConfigError(f"{name}: {error}") from error
    return Layer(source="")


def _content(path: Path) -> dict[str, Any] | None:
    """Return the configuration in a file; `None` if it is another program's."""
    is_shared = path.name == "pyproject.toml"  # the error is for the program that it belongs to
    try:
        text = path.read_text(encoding="utf-8")
        if is_shared and not OWN_TABLE.search(text):
            return None
        import tomllib  # noqa: PLC0415 - needed only with such a file

        content = tomllib.loads(text)
    except (OSError, ValueError) as error:  # tomllib.TOMLDecodeError and UnicodeDecodeError are ValueErrors
        if is_shared:
            return None
        message = error_reason(error) if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path.name}: {message}") from error
    if not is_shared:
        return content
    tool = content.get("tool")
    return tool.get("crawler") if isinstance(tool, dict) else None


def _layer(name: str, content: Any) -> Layer:
    """Return the configuration that the content of a file is."""
    if not isinstance(content, dict):
        raise ConfigError(f"{TABLE} must be a table")
    for key in content:
        if key not in KEYS:
            is_setting = key in NAMES or bool(other_name("setting", key))
            hint = ": it is a setting, which belongs in [settings]" if is_setting else did_you_mean(key, KEYS)
            raise ConfigError(f"no such key: {key}{hint}")
    outputs, job = content.get("outputs", []), content.get("job", "")
    outputs = [outputs] if isinstance(outputs, str) else outputs
    if not isinstance(outputs, list) or not all(isinstance(output, str) for output in outputs):
        raise ConfigError('outputs must be a list of strings: outputs = ["books.jsonl"]')
    if not isinstance(job, str):
        raise ConfigError('job must be the path of a folder: job = "books.job"')
    return Layer(
        source=name,
        settings=_settings(content.get("settings", {})),
        plugins=_plugins(content.get("plugins", {})),
        arguments=_arguments(content.get("arguments", {})),
        outputs=tuple(outputs),
        job=job,
    )


def _settings(table: Any) -> Settings:
    if not isinstance(table, dict):
        raise ConfigError("settings must be a table: [settings]")
    references = {name: value for name, value in table.items() if is_reference(value)}
    values = {name: value for name, value in table.items() if name not in references}
    return Settings(**values) | Settings.from_strings(references)


def _plugins(value: Any) -> dict[str, dict[str, str]]:
    """Return the options of each plugin, as text."""
    if isinstance(value, list):
        if not all(isinstance(spec, str) for spec in value):
            raise ConfigError('plugins must be a list of names, or tables: plugins = ["cache"], or [plugins.cache]')
        value = {spec: {} for spec in value}
    if not isinstance(value, dict) or not all(isinstance(table, dict) for table in value.values()):
        raise ConfigError('plugins must be a list of names, or tables: plugins = ["cache"], or [plugins.cache]')
    return {spec: {name: as_text(option) for name, option in table.items()} for spec, table in value.items()}


def _arguments(table: Any) -> dict[str, str]:
    if not isinstance(table, dict):
        raise ConfigError("arguments must be a table: [arguments]")
    return {name: as_text(value) for name, value in table.items()}
