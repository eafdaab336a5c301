"""Settings of a crawl, and the values that their fields take."""

from __future__ import annotations

from crawler.settings.settings import Settings

__all__ = ["Settings"]
