"""A spider in fifteen lines that collects quotes page by page.

::

    python -m crawler run examples/quotes.py -o quotes.jsonl
    python -m crawler run examples/quotes.py -a start_urls=http://127.0.0.1:8000/ -o -
"""

from collections.abc import Iterator

from crawler import Response, Spider


class Quotes(Spider):
    """Quotes of a site, with their authors."""

    start_urls = ["https://quotes.example/"]

    def parse(self, response: Response) -> Iterator[object]:
        """Yield an item for each quote, then follow the next page."""
        for quote in response.css("div.quote"):
            yield {"text": quote.css(".text::text").get(), "by": quote.css(".author::text").get()}
        yield from response.follow_all("li.next a")
