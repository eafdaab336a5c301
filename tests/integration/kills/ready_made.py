"""Spiders of every ready-made kind, for the tests of durable jobs."""

from __future__ import annotations

from typing import Any

from crawler import CrawlSpider, Produced, Response, Rule, SitemapSpider
from crawler.spiders import ApiSpider, FeedSpider


class ByRules(CrawlSpider):
    """Follows every link on some hosts, by a rule."""

    rules = [Rule(callback="parse_page", follow=True)]
    front: str
    """The start URL."""
    hosts: list[str]
    """The hosts in scope."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.start_urls = [self.front]
        self.allowed_domains = self.hosts

    def parse_start(self, response: Response) -> Produced:
        """Yield the item of the first page."""
        return self.parse_page(response)

    def parse_page(self, response: Response) -> Produced:
        """Yield an item."""
        yield {"url": response.url, "n": int(response.css("h1::text").get())}


class Listed(SitemapSpider):
    """Fetches the pages that a sitemap index lists, on all hosts."""

    sitemap_any_host = True
    index: str
    """The URL of the index."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.sitemap_urls = [self.index]

    def parse(self, response: Response) -> Produced:
        """Yield an item."""
        yield {"url": response.url, "n": int(response.css("h1::text").get())}


class Paged(ApiSpider):
    """Reads the pages of an API."""

    items = "data"
    next = "url:next"


class Records(FeedSpider):
    """Reads files of records."""

    format = "jsonl"
    files: list[str]
    """Their URLs."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.start_urls = self.files
