"""Which requests belong to a crawl: domains, depth, patterns, file types, and what looks like a trap. Pure."""

from __future__ import annotations

from crawler.scope.scope import Scope

__all__ = ["Scope"]
