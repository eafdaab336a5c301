"""The articles of a site, by its sitemaps.

::

    python -m crawler run examples/sitemap.py -a since=2026-01-01 --job news -o articles.jsonl
    python -m crawler run examples/sitemap.py -a sitemap_urls=https://news.example/news.xml -o -

An index of sitemaps is followed, packed ones are unpacked, and a page is fetched once in however many it stands.
"""

from __future__ import annotations

from crawler import Response, SitemapSpider
from crawler.feeds import SitemapEntry


class Articles(SitemapSpider):
    """Title and URL of every article."""

    sitemap_urls = ["https://news.example/sitemap.xml"]
    sitemap_rules = [("/article/", "parse_article")]  # other pages are left out

    def entry(self, entry: SitemapEntry) -> SitemapEntry | None:
        """Not what the site itself finds of no importance."""
        return None if entry.priority == 0.0 else entry

    def parse_article(self, response: Response) -> dict[str, str | None]:
        """One article."""
        return {"title": response.css("h1::text").get(), "url": response.canonical or response.url}
