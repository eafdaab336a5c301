"""`open_output`: choose the sink for an output by its name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from crawler import sinks
from crawler.environment import resolve
from crawler.errors import ConfigError, PluginError
from crawler.hooks.load import construct, entry_points_of, load_entry_point, options_of
from crawler.hooks.plugin import Plugin
from crawler.hooks.requirements import require
from crawler.lazy_pattern import lazy_pattern
from crawler.redaction import add_secrets, hide_userinfo
from crawler.sinks.compression import COMPRESSIONS
from crawler.sinks.file_sink import FileSink
from crawler.sinks.if_exists import IfExists
from crawler.sinks.names import is_template
from crawler.suggest import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["ALIASES", "BUILT_IN", "GROUP", "find_output", "installed_outputs", "open_output", "output_names"]

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


URL: Final = lazy_pattern(r"([A-Za-z][A-Za-z0-9+.-]*)://")
QUERY: Final = lazy_pattern(r"(.*)\?([\w.-]+=.*)", re.DOTALL)
"""A file name with options: ``items.jsonl?max_rows=1000``."""


def open_output(spec: str | Path, *, if_exists: IfExists = "error", job: Path | None = None) -> Plugin:
    """Return the sink for an output, chosen by file extension or scheme. The output is checked at once.

    Parameters:
        spec: A file, a URL, or ``-`` for JSON Lines on standard output. A query holds options:
            ``items-%(n)d.jsonl.gz?max_rows=1000``. ``env:NAME`` is the value of an environment variable. A `Path` is
            one file, whatever characters are in it.
        if_exists: What to do with a file that exists: ``error``, ``overwrite`` or ``append``.
        job: The folder of the durable job that the output belongs to, which continues its own outputs.

    Raises:
        ConfigError: The extension, the scheme or an option is unknown, a package is not installed, the folder is
            missing, the file exists under ``error``, permission is missing, or the file cannot be continued in its
            format.
        PluginError: An installed output cannot be imported.
    """
    text = resolve(spec, "output") if isinstance(spec, str) else os.fspath(spec)
    if text == "-":
        return sinks.Stdout()
    if "\0" in text:
        raise ConfigError(f"output {text!r} contains a NUL character")
    given = {"if_exists": if_exists, "job": job}
    if isinstance(spec, str) and (scheme := URL.match(text)):
        return _open_url(text, scheme[1].lower(), given)
    kind, options = _kind_of(text), {}
    if kind is None and isinstance(spec, str) and (found := QUERY.fullmatch(text)):
        kind = _kind_of(found[1])
        if kind is not None:
            text, options = found[1], _query(found[2], text)
    if kind is None:
        raise _unknown(text)
    return _open_file(kind, text if isinstance(spec, str) else Path(text), options, given)


def _kind_of(name: str) -> type[Plugin] | None:
    """Return the class for a file by its extension, which precedes that of a compression."""
    path = Path(name)
    ending = path.suffix.lower()
    kind = find_output(ending) if ending else None
    if kind is None and ending in COMPRESSIONS:
        inner = find_output(Path(path.stem).suffix.lower())
        return inner if inner is not None and issubclass(inner, FileSink) else None
    return kind


def _open_file(kind: type[Plugin], place: str | Path, options: Mapping[str, str], given: Mapping[str, Any]) -> Plugin:
    what = f"output {place}"
    require(what, kind.requires)
    own = {name: value for name, value in options.items() if name in options_of(kind)}
    several = isinstance(place, str) and is_template(place)
    if issubclass(kind, FileSink) and (several or len(own) < len(options)):
        rest = {name: value for name, value in options.items() if name not in own}
        return construct(
            sinks.Series, rest, what=what, given={"template": place, "kind": partial(_make, kind, own), **given}
        )
    return _make(kind, options, Path(place), **given)


def _open_url(text: str, scheme: str, given: Mapping[str, Any]) -> Plugin:
    what = f"output {hide_userinfo(text)}"
    add_secrets(text)
    kind = find_output(scheme)
    if kind is None:
        schemes = [name for name in output_names() if not name.startswith(".")]
        known = f"use {', '.join(f'{name}://' for name in schemes)}" if schemes else "no installed output has one"
        raise ConfigError(f"{what} has the unknown scheme {scheme!r}{did_you_mean(scheme, schemes)}: {known}")
    require(what, kind.requires)
    base, _, options = text.partition("?")
    query = _query(options, what)
    kept = {name: value for name, value in query.items() if name in getattr(kind, "url_options", ())}
    url = f"{base}?{urlencode(kept)}" if kept else base
    return _make(kind, {name: value for name, value in query.items() if name not in kept}, url, what=what, **given)


def _make(
    kind: type[Plugin], texts: Mapping[str, str], place: str | Path, if_exists: IfExists = "error", *,
    job: Path | None = None, what: str = "",
) -> Plugin:  # fmt: skip
    """Create a sink: its first parameter is the place, and the texts are its options."""
    options = options_of(kind)
    first = next(iter(options), "")
    given = {first: place} | {n: v for n, v in (("if_exists", if_exists), ("job", job)) if n in options}
    return construct(kind, texts, what=what or f"output {place}", given=given)


def _query(query: str, what: str) -> dict[str, str]:
    """Return the options in a query."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ConfigError(f"{what}: options are NAME=VALUE, separated by &") from None
    for name, _ in pairs:
        if [other for other, _ in pairs].count(name) > 1:
            raise ConfigError(f"{what}: option {name} is given twice")
    return dict(pairs)


def _unknown(text: str) -> ConfigError:
    endings = [name for name in output_names() if name.startswith(".")]
    path = Path(text)
    ending = path.suffix
    inner = Path(path.stem).suffix
    if ending.lower() in COMPRESSIONS:
        if inner and find_output(inner.lower()) is not None:
            return ConfigError(f"output {text!r}: a {inner} file cannot be compressed as a whole: leave out {ending}")
        ending = inner
    known = ", ".join(endings)
    hint = " (did you mean .sqlite?)" if ending.lower() == ".db" else did_you_mean(ending, endings)
    what = f"the unknown extension {ending!r}{hint}" if ending else "no extension"
    return ConfigError(f"output {text!r} has {what}: use {known}, or - for standard output")
