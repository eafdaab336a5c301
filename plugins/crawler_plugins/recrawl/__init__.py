"""Plugin `recrawl`: crawl a site again, and fetch only what may have changed."""

from __future__ import annotations

from crawler_plugins.recrawl.recrawl_plugin import Recrawl

__all__ = ["Recrawl"]
