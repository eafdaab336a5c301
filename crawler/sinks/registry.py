"""The outputs that `open_output` knows: file extensions and schemes of URLs, built in or from installed packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crawler import sinks
from crawler.errors import PluginError
from crawler.hooks.load import entry_points_of, load_entry_point
from crawler.hooks.plugin import Plugin

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["ALIASES", "BUILT_IN", "GROUP", "find_output", "installed_outputs", "output_names"]

GROUP: Final = "crawler.outputs"
"""Entry-point group of outputs. Their names are file extensions (``.parquet``) or schemes (``postgresql``)."""
BUILT_IN: Final = {".jsonl": "JsonLines", ".json": "Json", ".csv": "Csv"}
"""The class of each built-in output, which `crawler.sinks` imports when it is used."""
ALIASES: Final = {".jl": ".jsonl", ".ndjson": ".jsonl"}
"""Other file extensions of built-in outputs: Scrapy's, and that of the ndjson specification."""


def installed_outputs() -> dict[str, EntryPoint]:
    """Return the entry points of the outputs that are not built in, by extension or scheme."""
    return {name: point for name, point in entry_points_of(GROUP).items() if name not in {*BUILT_IN, *ALIASES}}


def output_names() -> list[str]:
    """Return all file extensions but `ALIASES`, then all schemes."""
    installed = installed_outputs()
    return [*BUILT_IN, *(name for name in installed if "." in name), *(name for name in installed if "." not in name)]


def find_output(name: str) -> type[Plugin] | None:
    """Return the class of an output by extension or scheme; `None` if there is none."""
    name = ALIASES.get(name, name)
    if name in BUILT_IN:
        built_in: type[Plugin] = getattr(sinks, BUILT_IN[name])
        return built_in
    point = installed_outputs().get(name)
    if point is None:
        return None
    found = load_entry_point(point, f"output {name}")
    if found.persist is Plugin.persist:
        raise PluginError(f"output {name}: {found.__name__} has no persist(), so it cannot store items")
    return found
