"""A site by rules: which links are followed, and which method gets what they lead to.

::

    python -m crawler run examples/rules.py -o books.jsonl
    python -m crawler run examples/rules.py -a start=http://127.0.0.1:8000/ -o -
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from crawler import CrawlSpider, Response, Rule


class Shop(CrawlSpider):
    """Every book of a shop.

    Parameters:
        start: the front page.
    """

    # The first rule that a link fits takes it; what none takes is left alone.
    rules = [
        Rule(r"/book/\d+$", "parse_book"),  # with a callback: the pages are not looked through for links
        Rule(r"/author/", "parse_author", follow=True),  # unless they are told to be
        Rule(deny=[r"\?sort=", r"/basket"], restrict_css="nav, a.next"),  # without one: they are
    ]

    def __init__(self, start: str = "https://shop.example/") -> None:
        super().__init__()
        self.start_urls = [start]
        self.allowed_domains = [urlsplit(start).netloc]

    def parse_book(self, response: Response) -> Iterator[object]:
        """The page of a book."""
        yield {"book": response.css("h1::text").get(), "price": response.css(".price::text").get()}

    def parse_author(self, response: Response) -> Iterator[object]:
        """The page of an author, which leads to books."""
        yield {"author": response.css("h1::text").get()}
