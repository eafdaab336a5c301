"""A crawl for plugins that are tested alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from crawler import Settings

__all__ = ["CRAWL"]

CRAWL: Any = SimpleNamespace(settings=Settings())
"""Enough of a crawl for a `lifespan`."""
