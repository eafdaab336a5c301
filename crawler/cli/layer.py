"""`Layer`: what one source says of a crawl. A configuration is its layers, one above the other."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from crawler.settings.settings import Settings

__all__ = ["Layer", "as_text"]


class Layer(Struct, frozen=True, kw_only=True, eq=False):
    """The part of a configuration that comes from one source."""

    source: str
    """The name of the source: ``crawler.toml``, ``environment``, ``-s`` or that of the spider."""
    settings: Settings = Settings()
    """The settings."""
    plugins: dict[str, dict[str, str]] = {}
    """The options of each plugin that it enables, as text."""
    arguments: dict[str, str] = {}
    """Arguments of the spider, as text."""
    outputs: tuple[str, ...] = ()
    """Where items are written."""
    job: str = ""
    """Folder or URL of the durable job."""


def as_text(value: Any) -> str:
    """Return a value in the form of the command line: a text as it is, others as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
