"""Find out where old addresses lead today.

::

    python -m crawler run examples/moved.py -a start_urls=https://example.com/old -o moved.jsonl

Redirects are followed without further ado; here they are what is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import BadRedirect, Failure, Request, Response, Settings, Spider


class Moved(Spider):
    """An item for each address: where it leads, or why it leads nowhere."""

    start_urls = ["https://shop.example/old-catalogue"]
    settings = Settings(follow_refresh=5.0)

    def start(self) -> Iterator[Request]:
        """All addresses, also those that lead to a page that is known already."""
        for url in self.start_urls:
            yield Request(url, errback=self.parse_lost, dont_filter=True)

    def parse(self, response: Response) -> Iterator[object]:
        """The page at the end of the chain."""
        first = (*response.redirects, response.url)[0]
        yield {"address": first, "leads_to": response.url, "redirects": len(response.redirects)}

    def parse_lost(self, failure: Failure) -> Iterator[object]:
        """No page: an error, or a redirect that leads nowhere."""
        request = failure.request
        item = {"address": (*request.redirects, request.url)[0], "leads_to": None, "reason": failure.reason}
        if isinstance(failure.error, BadRedirect):
            item["redirects"] = len(request.redirects)
        yield item
