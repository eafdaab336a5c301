"""The entries of a feed, with those of its older pages.

::

    python -m crawler run examples/feed.py -a start_urls=https://blog.example/feed -o entries.jsonl

It may be RSS, Atom or JSON Feed, packed or not.
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import Response, Spider


class Entries(Spider):
    """An item an entry."""

    start_urls = ["https://blog.example/feed"]

    def parse(self, response: Response) -> Iterator[object]:
        """One page of the feed."""
        feed = response.feed()
        for entry in feed.entries:
            yield {"title": entry.title, "url": entry.url, "updated": entry.updated or entry.published}
        if feed.next:
            yield response.follow(feed.next)
