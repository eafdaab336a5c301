"""Restrict a crawl by host, URL pattern and file type, and cap endless calendars.

::

    python -m crawler run examples/scope.py -o pages.jsonl
    python -m crawler run examples/scope.py -a start=http://127.0.0.1:8000/docs/ -s max_depth=2 -o -
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from crawler import Response, Settings, Spider


class Manual(Spider):
    """Pages of a manual, and nothing else of its site.

    Parameters:
        start: URL of the first page.
    """

    settings = Settings(
        include=["/docs/*"],  # links must match one of these; the start page need not
        exclude=["/docs/*/print", "re:[?&](sort|view)="],  # URLs that are never fetched
        skip_extensions=["media", "archives", "pdf"],
        max_per_template=1000,  # limit for URLs that differ only in numbers
        dedup_content=True,  # skip pages whose body equals that of another page
    )

    def __init__(self, start: str = "https://www.product.example.co.uk/docs/") -> None:
        super().__init__()
        self.start_urls = [start]
        self.allowed_domains = [f"~{urlsplit(start).hostname}"]  # product.example.co.uk and help.example.co.uk too

    def parse(self, response: Response) -> Iterator[object]:
        """Yield the title of a page, then follow its links."""
        yield {"url": response.url, "title": response.css("title::text").get()}
        yield from response.follow_all()
