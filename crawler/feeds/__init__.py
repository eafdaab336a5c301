"""Documents that list other documents: sitemaps, and RSS, Atom and JSON feeds.

Everything here is pure: bytes in, entries out, one at a time. Damaged documents yield what can be read of them.
"""

from __future__ import annotations

import typing as _typing

from crawler.lazy import lazy_names as _lazy_names
from crawler.lazy import places as _places

_PLACES = _places(
    {
        "crawler.feeds.feed": "Enclosure Feed FeedEntry",
        "crawler.feeds.sitemap": "Sitemaps sitemaps",
        "crawler.feeds.sitemap_entry": "SitemapEntry SitemapImage SitemapNews SitemapVideo",
        "crawler.feeds.read": "read_feed",
    }
)

__all__ = sorted(_PLACES)  # noqa: PLE0605 - type checkers read the imports below

if _typing.TYPE_CHECKING:
    from crawler.feeds.feed import Enclosure as Enclosure
    from crawler.feeds.feed import Feed as Feed
    from crawler.feeds.feed import FeedEntry as FeedEntry
    from crawler.feeds.read import read_feed as read_feed
    from crawler.feeds.sitemap import Sitemaps as Sitemaps
    from crawler.feeds.sitemap import sitemaps as sitemaps
    from crawler.feeds.sitemap_entry import SitemapEntry as SitemapEntry
    from crawler.feeds.sitemap_entry import SitemapImage as SitemapImage
    from crawler.feeds.sitemap_entry import SitemapNews as SitemapNews
    from crawler.feeds.sitemap_entry import SitemapVideo as SitemapVideo
else:  # or every name would exist for type checkers
    __getattr__, __dir__ = _lazy_names(__name__, _PLACES)
