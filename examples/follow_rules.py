"""Follow selected links only, each kind with its own callback.

::

    python -m crawler run examples/follow_rules.py -o books.csv
    python -m crawler run examples/follow_rules.py -a start=http://127.0.0.1:8000/ -s max_depth=2 -o -

The section of a book is passed to the callback as a keyword argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from crawler import Response, Settings, Spider


class Shop(Spider):
    """Books of a shop: the front page links to sections, a section to books.

    Parameters:
        start: URL of the front page.
    """

    settings = Settings(max_depth=10)  # links from the front page; ends endless calendars

    def __init__(self, start: str = "https://shop.example/") -> None:
        super().__init__()
        self.start_urls = [start]
        self.allowed_domains = [urlsplit(start).netloc]  # and its subdomains; links to other hosts are dropped

    def parse(self, response: Response) -> Iterator[object]:
        """Follow the links of the menu, which lead to sections. Other links are ignored."""
        for link in response.css("nav a"):
            section = link.css("::text").get()
            yield response.follow(link, self.parse_section, cb_kwargs={"section": section})

    def parse_section(self, response: Response, section: str) -> Iterator[object]:
        """Follow the books of a section, and the link to its next page."""
        yield from response.follow_all("a.book", self.parse_book, cb_kwargs={"section": section})
        yield from response.follow_all("a.next", self.parse_section, cb_kwargs={"section": section})

    def parse_book(self, response: Response, section: str) -> Iterator[object]:
        """Yield an item for a book."""
        yield {
            "section": section,
            "title": response.css("h1::text").get(),
            "price": float(response.css(".price::text").re_first(r"[\d.]+", "0")),
            "url": response.url,
        }
