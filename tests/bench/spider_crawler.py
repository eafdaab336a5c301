"""The benchmark's job for this framework: title and number of links of every page of a site."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crawler import Response, Spider


class Manual(Spider):
    """Visits every page of the site at `front`."""

    allowed_domains = ("127.0.0.1",)

    def __init__(self, front: str) -> None:
        super().__init__()
        self.start_urls = [front]

    def parse(self, response: Response) -> Iterator[Any]:
        """Yield one item per page and follow its links."""
        title = response.css("title::text").get() if response.is_html else None
        yield {"url": response.url, "title": title, "links": len(response.hrefs())}
        yield from response.follow_all("a")
