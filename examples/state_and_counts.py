"""Count events and keep state during a crawl. A page that fails changes neither.

::

    python -m crawler run examples/state_and_counts.py --report report.json

The counts are in the report under ``counters``, and in the summary at the end.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from crawler import Crawl, Response, Spider


class Census(Spider):
    """Number of pages per language, and the longest title."""

    start_urls = ["https://library.example/"]

    def parse(self, response: Response) -> Iterator[object]:
        """Count the page by language. A page without a title raises: it counts as failed, and under no language."""
        self.crawl.count(f"pages in {response.css('html').attrib.get('lang', 'no language')}")
        [title] = response.css("title::text").getall()
        if len(title) > len(self.state.get("longest title", "")):
            self.state["longest title"] = title
        yield from response.follow_all()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Print the result after the crawl. A spider is a plugin, so it has all hooks."""
        yield
        print(f"longest title: {self.state.get('longest title')}", file=sys.stderr)
