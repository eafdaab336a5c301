"""The benchmark's job for Scrapy, by a rule: title and number of links of every page of a site."""
# Scrapy is installed in another environment, which type checkers do not see.
# mypy: disable-error-code="import-not-found,misc,no-any-unimported,no-any-return"

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import scrapy
from scrapy.http import HtmlResponse, Response
from scrapy.linkextractors import LinkExtractor
from scrapy.spiders import CrawlSpider, Rule


class ManualByRules(CrawlSpider):
    """Visits every page of the site at `front` by a rule."""

    name = "by_rules"
    allowed_domains = ("127.0.0.1",)

    def __init__(self, front: str) -> None:
        self.front = front
        self.extractor = LinkExtractor(tags=("a",), deny_extensions=[])
        self.rules = (Rule(self.extractor, callback="parse_page", follow=True),)
        super().__init__()

    async def start(self) -> AsyncIterator[scrapy.Request]:  # noqa: ASYNC900  # Scrapy iterates it
        """Yield the front page with duplicate filtering, so that it is fetched once."""
        yield scrapy.Request(self.front)

    def parse_start_url(self, response: Response) -> Any:
        """Return the item of the front page."""
        return self.parse_page(response)

    def parse_page(self, response: Response) -> Any:
        """Return the item of a page. A rule does not hand over the links that it found."""
        if not isinstance(response, HtmlResponse):
            return {"url": response.url, "title": None, "links": 0}
        links = self.extractor.extract_links(response)
        count = len({link.url.partition("#")[0] for link in links})
        return {"url": response.url, "title": response.css("title::text").get(), "links": count}
