"""Which links belong to a crawl: hosts, patterns, file types, and a bound for calendars.

::

    python -m crawler run examples/scope.py -o pages.jsonl
    python -m crawler run examples/scope.py -a start=http://127.0.0.1:8000/docs/ -s max_depth=2 -o -
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from crawler import Response, Settings, Spider


class Manual(Spider):
    """Every page of a manual, and nothing else of its site.

    Parameters:
        start: where it begins.
    """

    settings = Settings(
        include=["/docs/*"],  # what links have to match; the start page need not
        exclude=["/docs/*/print", "re:[?&](sort|view)="],  # what is never fetched
        skip_extensions=["media", "archives", "pdf"],
        max_per_template=1000,  # of the pages that differ in numbers only
        dedup_content=True,  # a page that stands at two addresses is handled once
    )

    def __init__(self, start: str = "https://www.product.example.co.uk/docs/") -> None:
        super().__init__()
        self.start_urls = [start]
        self.allowed_domains = [f"~{urlsplit(start).hostname}"]  # product.example.co.uk and help.example.co.uk too

    def parse(self, response: Response) -> Iterator[object]:
        """One item a page."""
        yield {"url": response.url, "title": response.css("title::text").get()}
        yield from response.follow_all()
