"""Crawl the articles of a site from its sitemaps.

::

    python -m crawler run examples/sitemap.py -a since=2026-01-01 --job news -o articles.jsonl
    python -m crawler run examples/sitemap.py -a sitemap_urls=https://news.example/news.xml -o -

Sitemap indexes are followed, and gzipped sitemaps are decompressed. A page that several sitemaps list is fetched once.
"""

from __future__ import annotations

from crawler import Response, SitemapSpider
from crawler.feeds import SitemapEntry


class Articles(SitemapSpider):
    """Titles and URLs of articles."""

    sitemap_urls = ["https://news.example/sitemap.xml"]
    sitemap_rules = [("/article/", "parse_article")]  # other pages are not fetched

    def entry(self, entry: SitemapEntry) -> SitemapEntry | None:
        """Skip entries with the lowest priority."""
        return None if entry.priority == 0.0 else entry

    def parse_article(self, response: Response) -> dict[str, str | None]:
        """Return an item for an article."""
        return {"title": response.css("h1::text").get(), "url": response.canonical or response.url}
