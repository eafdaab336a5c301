"""A substitute for a crawl, for tests of a single plugin."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from crawler import Settings

__all__ = ["CRAWL"]

CRAWL: Any = SimpleNamespace(settings=Settings())
"""The attributes of a crawl that a `lifespan` needs."""
