"""A spider in fifteen lines: it reads quotes, page after page.

::

    python -m crawler run examples/quotes.py -o quotes.jsonl
    python -m crawler run examples/quotes.py -a start_urls=http://127.0.0.1:8000/ -o -
"""

from collections.abc import Iterator

from crawler import Response, Spider


class Quotes(Spider):
    """Every quote of the site, and who said it."""

    start_urls = ["https://quotes.example/"]

    def parse(self, response: Response) -> Iterator[object]:
        """An item for each quote; then the next page."""
        for quote in response.css("div.quote"):
            yield {"text": quote.css(".text::text").get(), "by": quote.css(".author::text").get()}
        yield from response.follow_all("li.next a")
