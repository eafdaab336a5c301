"""The benchmark's job for this framework: title and number of links of every page of a site, in several idioms.

======================== ===========================================================================
``follow``               ``for link in response.links(): yield response.follow(link)``
``url``                  ``for link in response.links(): yield response.follow(link.url)``
``follow_all``           ``yield from response.follow_all()``
``href``                 ``response.follow(href)`` for each ``a::attr(href)``
``selector``             ``response.follow(anchor)`` for each ``a``
``request``              ``Request(response.urljoin(href))`` for each ``a::attr(href)``
``meta``                 ``response.follow(link, self.parse, meta={…})``
``rules``                a `CrawlSpider` with one rule
======================== ===========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from crawler import CrawlSpider, Request, Response, Rule, Spider

__all__ = ["IDIOMS", "ByRules", "Manual", "Small"]


def _follow(page: Response) -> Iterable[Request]:
    for link in page.links():
        if link.tag == "a":
            yield page.follow(link)


def _url(page: Response) -> Iterable[Request]:
    for link in page.links():
        if link.tag == "a":
            yield page.follow(link.url)


def _href(page: Response) -> Iterable[Request]:
    return [page.follow(href) for href in page.css("a::attr(href)").getall() if _is_web(href)]


def _selector(page: Response) -> Iterable[Request]:
    return [page.follow(anchor) for anchor in page.css("a[href]") if _is_web(anchor.attrib["href"])]


def _request(page: Response) -> Iterable[Request]:
    return [Request(page.urljoin(href)) for href in page.css("a::attr(href)").getall() if _is_web(href)]


def _meta(page: Response) -> Iterable[Request]:
    for link in page.links():
        if link.tag == "a":
            yield page.follow(link, "parse", meta={"from": page.url})


def _is_web(href: str) -> bool:
    scheme, colon, _ = href.partition(":")
    return not colon or not scheme.isalpha() or scheme in ("http", "https")


IDIOMS: dict[str, Callable[[Response], Iterable[Request]]] = {
    "follow": _follow,
    "url": _url,
    "follow_all": lambda page: page.follow_all(),
    "href": _href,
    "selector": _selector,
    "request": _request,
    "meta": _meta,
}
"""What each idiom does with the links of a page; `ByRules` is another one."""


def item_of(page: Response) -> dict[str, Any]:
    """Return the item of a page."""
    title = page.css("title::text").get() if page.is_html else None
    return {"url": page.url, "title": title, "links": len(page.hrefs())}


class Manual(Spider):
    """Visits every page of the site at `front`."""

    allowed_domains = ("127.0.0.1",)

    def __init__(self, front: str, idiom: str = "follow_all") -> None:
        super().__init__()
        self.start_urls = [front]
        self.requests = IDIOMS[idiom]

    def parse(self, response: Response) -> Iterator[Any]:
        """Yield one item per page and follow its links."""
        yield item_of(response)
        if response.is_html:
            yield from self.requests(response)


class ByRules(CrawlSpider):
    """Visits every page of the site at `front` by a rule."""

    allowed_domains = ("127.0.0.1",)
    rules = (Rule(callback="item", follow=True),)

    def __init__(self, front: str) -> None:
        super().__init__()
        self.start_urls = [front]

    def parse_start(self, response: Response) -> dict[str, Any]:
        """Return the item of the front page."""
        return item_of(response)

    def item(self, response: Response) -> dict[str, Any]:
        """Return the item of a page."""
        return item_of(response)


class Small(Spider):
    """Fetches pages by number and does nothing with them: the cost of a request."""

    def __init__(self, front: str, pages: int) -> None:
        super().__init__()
        self.start_urls = [f"{front}{number}.html" for number in range(pages)]

    def parse(self, response: Response) -> None:
        """Do nothing."""
