"""Crawl a site by rules: which links to follow, and which callback handles their pages.

::

    python -m crawler run examples/rules.py -o books.jsonl
    python -m crawler run examples/rules.py -a start=http://127.0.0.1:8000/ -o -
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from crawler import CrawlSpider, Response, Rule


class Shop(CrawlSpider):
    """Books and authors of a shop.

    Parameters:
        start: URL of the front page.
    """

    # The first rule that matches a link applies. Links that match no rule are not followed.
    rules = [
        Rule(r"/book/\d+$", "parse_book"),  # with a callback: the links of the page are not followed
        Rule(r"/author/", "parse_author", follow=True),  # unless the rule says so
        Rule(deny=[r"\?sort=", r"/basket"], restrict_css="nav, a.next"),  # without a callback: they are
    ]

    def __init__(self, start: str = "https://shop.example/") -> None:
        super().__init__()
        self.start_urls = [start]
        self.allowed_domains = [urlsplit(start).netloc]

    def parse_book(self, response: Response) -> Iterator[object]:
        """Yield an item for a book."""
        yield {"book": response.css("h1::text").get(), "price": response.css(".price::text").get()}

    def parse_author(self, response: Response) -> Iterator[object]:
        """Yield an item for an author. The rules follow the links to books."""
        yield {"author": response.css("h1::text").get()}
