"""A `Downloader` over a transport that responds with what it was given."""

from __future__ import annotations

import httpx

from crawler import Settings
from crawler.fetch.downloader import Downloader

URL = "https://site.test/a?b"


class Site:
    """Records requests, and returns `response` or raises it."""

    def __init__(self, response=None):
        self.response = httpx.Response(200, content=b"page") if response is None else response
        self.requests = []

    async def __call__(self, request):
        self.requests.append(request)
        if isinstance(self.response, Exception):
            raise self.response
        return self.response() if callable(self.response) else self.response


def downloader(site, settings=None, **options):
    """Return a downloader whose transport is a site in memory."""
    return Downloader(httpx.MockTransport(site), settings or Settings(user_agent="Bot/1"), lambda: 1000.0, **options)


def sent_fields(site):
    """Return the header fields of the last request that a site received."""
    return [(name.decode(), value.decode()) for name, value in site.requests[-1].headers.raw]
