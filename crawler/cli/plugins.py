"""``crawler plugins``: list the installed plugins."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from crawler.cli.logs import say
from crawler.errors import CrawlerError
from crawler.hooks.load import installed, load_plugin, options_of
from crawler.hooks.plugin import Plugin
from crawler.redaction import HIDDEN, is_secret

__all__ = ["plugins"]


def plugins() -> int:
    """List the installed plugins and their options.

    An installed plugin is not enabled by itself: enable it by name, as in crawler run TARGET -p PLUGIN.
    """
    names = list(installed())
    if not names:
        say("crawler: no plugins are installed; to enable your own, use crawler run -p module:Class\n")
    width = max(map(len, names), default=0)
    for name in names:
        try:
            description = _describe(load_plugin(name))
        except CrawlerError as error:
            description = str(error)
        sys.stdout.write(f"{name:{width}}  {description}\n")
    return 0


def _describe(kind: type[Plugin]) -> str:
    """Return one line: what a plugin does, and its options with their types and defaults."""
    first = (inspect.getdoc(kind) or kind.__name__).partition("\n")[0].rstrip(".")
    options = ", ".join(_option(parameter) for parameter in options_of(kind).values())
    return f"{first} ({options})" if options else first


def _option(parameter: inspect.Parameter) -> str:
    kind = "" if parameter.annotation is parameter.empty else f": {_type(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return f"{parameter.name}{kind}"
    shown = HIDDEN if parameter.default and is_secret(parameter.name) else repr(parameter.default)
    return f"{parameter.name}{kind} = {shown}"


def _type(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
