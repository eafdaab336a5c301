"""Count and remember while crawling; a page that fails leaves no trace in either.

::

    python -m crawler run examples/state_and_counts.py --report report.json

What is counted stands in the report under ``counters``, and in the summary at the end.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from crawler import Crawl, Response, Spider


class Census(Spider):
    """Counts the languages of pages, and remembers the longest title."""

    start_urls = ["https://library.example/"]

    def parse(self, response: Response) -> Iterator[object]:
        """A page without a title raises: it is counted as failed, and under no language."""
        self.crawl.count(f"pages in {response.css('html').attrib.get('lang', 'no language')}")
        [title] = response.css("title::text").getall()
        if len(title) > len(self.state.get("longest title", "")):
            self.state["longest title"] = title
        yield from response.follow_all()

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """A spider is a plugin too: this goes around the whole crawl."""
        yield
        print(f"longest title: {self.state.get('longest title')}", file=sys.stderr)
