"""Spiders: where a crawl starts, and what each page yields.

`crawler.Spider` is the base class; the others are ready-made spiders for sites, sitemaps, feeds, files of records and
APIs. They use public names of lower rooms, as your own spiders do, and nothing of the engine.
"""

from __future__ import annotations

import typing as _typing

from crawler.lazy import lazy_names as _lazy_names
from crawler.lazy import places as _places

_PLACES = _places(
    {
        "crawler.spiders.spider": "Spider",
        "crawler.spiders.site": "SiteSpider",
        "crawler.spiders.crawl": "CrawlSpider",
        "crawler.spiders.rules": "Rule",
        "crawler.spiders.sitemap": "SitemapSpider",
        "crawler.spiders.feed": "FeedSpider",
        "crawler.spiders.api": "ApiSpider",
    }
)

__all__ = sorted(_PLACES)  # noqa: PLE0605 - type checkers read the imports below

if _typing.TYPE_CHECKING:
    from crawler.spiders.api import ApiSpider as ApiSpider
    from crawler.spiders.crawl import CrawlSpider as CrawlSpider
    from crawler.spiders.feed import FeedSpider as FeedSpider
    from crawler.spiders.rules import Rule as Rule
    from crawler.spiders.site import SiteSpider as SiteSpider
    from crawler.spiders.sitemap import SitemapSpider as SitemapSpider
    from crawler.spiders.spider import Spider as Spider
else:  # or every name would exist for type checkers
    __getattr__, __dir__ = _lazy_names(__name__, _PLACES)
