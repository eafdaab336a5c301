"""Which requests belong to a crawl: domains, depth, URL patterns, file types and traps.

`Scope` combines the rules and names the one that refused a URL. Everything here is pure.
"""

from __future__ import annotations

from crawler.scope.scope import Scope

__all__ = ["Scope"]
