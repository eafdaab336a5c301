"""Follow some links only, each kind by a callback of its own.

::

    python -m crawler run examples/follow_rules.py -o books.csv
    python -m crawler run examples/follow_rules.py -a start=http://127.0.0.1:8000/ -s max_depth=2 -o -

The section that a book was found in goes along as an argument of the callback.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from crawler import Response, Settings, Spider


class Shop(Spider):
    """Every book of a shop: the front page leads to sections, a section to books.

    Parameters:
        start: the front page.
    """

    settings = Settings(max_depth=10)  # links from the front page: a calendar without an end is no trap

    def __init__(self, start: str = "https://shop.example/") -> None:
        super().__init__()
        self.start_urls = [start]
        self.allowed_domains = [urlsplit(start).netloc]  # and its subdomains; links to other hosts are left out

    def parse(self, response: Response) -> Iterator[object]:
        """The front page: a link of the menu is a section, whatever else stands there is not followed."""
        for link in response.css("nav a"):
            section = link.css("::text").get()
            yield response.follow(link, self.parse_section, cb_kwargs={"section": section})

    def parse_section(self, response: Response, section: str) -> Iterator[object]:
        """A list of books, and perhaps a next one."""
        yield from response.follow_all("a.book", self.parse_book, cb_kwargs={"section": section})
        yield from response.follow_all("a.next", self.parse_section, cb_kwargs={"section": section})

    def parse_book(self, response: Response, section: str) -> Iterator[object]:
        """The page of a book."""
        yield {
            "section": section,
            "title": response.css("h1::text").get(),
            "price": float(response.css(".price::text").re_first(r"[\d.]+", "0")),
            "url": response.url,
        }
