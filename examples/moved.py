"""Find the targets of old URLs.

::

    python -m crawler run examples/moved.py -a start_urls=https://example.com/old -o moved.jsonl

Redirects are followed by default; this spider reports where they lead.
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler import BadRedirect, Failure, Request, Response, Settings, Spider


class Moved(Spider):
    """Targets of a list of URLs, or the reasons why they have none."""

    start_urls = ["https://shop.example/old-catalogue"]
    settings = Settings(follow_refresh=5.0)

    def start(self) -> Iterator[Request]:
        """Request all URLs, including those that redirect to the same page."""
        for url in self.start_urls:
            yield Request(url, errback=self.parse_lost, dont_filter=True)

    def parse(self, response: Response) -> Iterator[object]:
        """Yield the URL at the end of a redirect chain."""
        first = (*response.redirects, response.url)[0]
        yield {"address": first, "leads_to": response.url, "redirects": len(response.redirects)}

    def parse_lost(self, failure: Failure) -> Iterator[object]:
        """Yield the reason why a URL leads to no page: an error, or an invalid redirect."""
        request = failure.request
        item = {"address": (*request.redirects, request.url)[0], "leads_to": None, "reason": failure.reason}
        if isinstance(failure.error, BadRedirect):
            item["redirects"] = len(request.redirects)
        yield item
