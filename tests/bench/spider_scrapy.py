"""The benchmark's job for Scrapy: title and number of links of every page of a site.

The idioms, chosen with ``-a idiom=NAME``; ``spider_scrapy_rules.py`` is another one:

* ``extractor``: `LinkExtractor` with its documented defaults;
* ``follow``: ``response.css("a::attr(href)")`` and `response.follow`;
* ``distinct``: as ``follow``, but the spider first drops fragments and the duplicates of a page;
* ``elements``: `response.follow` with each element of ``response.css("a")``;
* ``urljoin``: ``response.xpath("//a/@href")``, `response.urljoin` and ``scrapy.Request``;
* ``loader``: as ``urljoin``, with an item made by an `ItemLoader`.
"""
# Scrapy is installed in another environment, which type checkers do not see.
# mypy: disable-error-code="import-not-found,misc,no-any-unimported"

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import scrapy
from itemloaders.processors import TakeFirst
from scrapy.http import HtmlResponse, Response
from scrapy.linkextractors import LinkExtractor
from scrapy.loader import ItemLoader

NOT_WEB = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
"""A reference that `Response.follow` refuses."""


class Manual(scrapy.Spider):
    """Visits every page of the site at `front`."""

    name = "manual"
    allowed_domains = ("127.0.0.1",)

    def __init__(self, front: str, idiom: str) -> None:
        super().__init__()
        self.front = front
        self.idiom = idiom
        self.extractor = every_link()

    async def start(self) -> AsyncIterator[scrapy.Request]:  # noqa: ASYNC900  # it is Scrapy, on asyncio, that iterates
        """Yield the front page with duplicate filtering, so that it is fetched once."""
        yield scrapy.Request(self.front)

    def parse(self, response: Response) -> Iterator[Any]:
        """Yield one item per page and follow its links."""
        if not isinstance(response, HtmlResponse):
            yield {"url": response.url, "title": None, "links": 0}
        elif self.idiom == "extractor":
            links = self.extractor.extract_links(response)
            yield item(response, len({link.url.partition("#")[0] for link in links}))
            for link in links:
                yield scrapy.Request(link.url)
        elif self.idiom == "elements":
            elements = [a for a in response.css("a") if not NOT_WEB.match(a.attrib.get("href", "mailto:"))]
            requests = [response.follow(element) for element in elements]
            yield item(response, count(requests))
            yield from requests
        elif self.idiom in ("urljoin", "loader"):
            urls = [response.urljoin(href) for href in response.xpath("//a/@href").getall() if not NOT_WEB.match(href)]
            requests = [scrapy.Request(url) for url in urls]
            make = item if self.idiom == "urljoin" else loaded
            yield make(response, count(requests))
            yield from requests
        else:
            hrefs = [href for href in response.css("a::attr(href)").getall() if not NOT_WEB.match(href)]
            if self.idiom == "distinct":
                hrefs = list({href.partition("#")[0] for href in hrefs})
            requests = [response.follow(href) for href in hrefs]
            yield item(response, count(requests))
            yield from requests


def every_link() -> LinkExtractor:
    """Return an extractor of every ``<a href>``, whatever the file type, as in the other programs."""
    return LinkExtractor(tags=("a",), deny_extensions=[])


def count(requests: list[scrapy.Request]) -> int:
    """Return the number of different pages that requests are for."""
    return len({request.url.partition("#")[0] for request in requests})


class Page(scrapy.Item):
    """The item of a page."""

    url = scrapy.Field()
    title = scrapy.Field()
    links = scrapy.Field()


def loaded(response: HtmlResponse, links: int) -> scrapy.Item:
    """Return the item of an HTML page, by a loader."""
    loader = ItemLoader(Page(), response)
    loader.default_output_processor = TakeFirst()
    loader.add_value("url", response.url)
    loader.add_css("title", "title::text")
    loader.add_value("links", links)
    return loader.load_item()


def item(response: HtmlResponse, links: int) -> dict[str, Any]:
    """Return the item of an HTML page."""
    return {"url": response.url, "title": response.css("title::text").get(), "links": links}
