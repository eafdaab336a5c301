"""`install`: what Scrapy does for each page and each link is done in a quicker way where the result is the same."""

from __future__ import annotations

from crawler_plugins.scrapy import fast_responses, links, quick_requests, quick_selectors, quick_stats

__all__ = ["install"]


def install() -> None:
    """Let it be done so. Further calls have no effect."""
    for module in (fast_responses, links, quick_requests, quick_selectors, quick_stats):
        module.install()
