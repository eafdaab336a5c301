"""Check the items of a crawl: what is valid, what is a repetition, and what is expected of the result.

::

    python -m crawler run examples/checked_quotes.py -o quotes.jsonl
"""

from collections.abc import Iterator

import attrs
from attrs.validators import min_len
from crawler_plugins.coverage import Coverage
from crawler_plugins.dedup import Dedup
from crawler_plugins.expect import Expect
from crawler_plugins.validate import Validate

from crawler import Response, Spider


@attrs.frozen
class Quote:
    """The fields that a valid item has."""

    text: str = attrs.field(validator=min_len(1))
    by: str


class CheckedQuotes(Spider):
    """Quotes of a site, each once and with an author."""

    start_urls = ["https://quotes.example/"]
    plugins = [Validate(model=Quote), Dedup(("text",)), Coverage(), Expect(min_items=3, coverage={"by": "95%"})]

    def parse(self, response: Response) -> Iterator[object]:
        """Yield an item for each quote, then follow the next page."""
        for quote in response.css("div.quote"):
            yield {"text": quote.css(".text::text").get(), "by": quote.css(".author::text").get()}
        yield from response.follow_all("li.next a")
