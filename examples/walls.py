"""Keep the pages of a shop, and a list of the pages in whose place the site showed a wall.

::

    python -m crawler run examples/walls.py -o pages.jsonl
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import Failure, Request, Response, Spider, Walled


class Shop(Spider):
    """Pages and walls of a shop."""

    start_urls = ["https://shop.example/"]

    def start(self) -> Iterator[Request]:
        """Ask for the first pages."""
        for url in self.start_urls:
            yield Request(url, errback=self.met_wall)

    def parse(self, response: Response) -> Iterator[object]:
        """Keep a page, and follow its links."""
        yield {"url": response.url, "title": response.css("title::text").get("")}
        yield from response.follow_all("a", errback=self.met_wall)

    def met_wall(self, failure: Failure) -> Iterator[object]:
        """Keep the address of a page that a wall has hidden."""
        if isinstance(failure.error, Walled):
            yield {"url": failure.request.url, "wall": failure.error.kind}
