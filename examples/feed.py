"""Read the entries of a feed, including its older pages.

::

    python -m crawler run examples/feed.py -a start_urls=https://blog.example/feed -o entries.jsonl

The feed may be RSS, Atom or JSON Feed, gzipped or not.
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import Response, Spider


class Entries(Spider):
    """Entries of a feed, one item each."""

    start_urls = ["https://blog.example/feed"]

    def parse(self, response: Response) -> Iterator[object]:
        """Yield the entries of one page of the feed, then follow the next page."""
        feed = response.feed()
        for entry in feed.entries:
            yield {"title": entry.title, "url": entry.url, "updated": entry.updated or entry.published}
        if feed.next:
            yield response.follow(feed.next)
