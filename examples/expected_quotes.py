"""A spider whose docstring says what is expected of it: ``crawler check expected_quotes.py``."""

from collections.abc import Iterator

from crawler import Response, Spider


class ExpectedQuotes(Spider):
    """Quotes of a site."""

    start_urls = ["https://quotes.example/"]

    def parse(self, response: Response) -> Iterator[object]:
        """Yield an item for each quote.

        @url https://quotes.example/
        @page pages/quotes.html
        @returns items 2
        @returns requests 1
        @scrapes text by
        """
        for quote in response.css("div.quote"):
            yield {"text": quote.css(".text::text").get(), "by": quote.css(".author::text").get()}
        yield from response.follow_all("li.next a")
