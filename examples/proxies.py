"""Rotate requests over several proxies, and reach internal hosts directly.

::

    export PROXIES="http://ada:secret@one.example:3128 socks5h://two.example"
    python -m crawler run examples/proxies.py -a start_urls=https://shop.example/ -o pages.jsonl --report report.json

Passwords come from the environment. The report counts the requests and failures of each proxy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from crawler import Response, Settings, Spider


class Titles(Spider):
    """Titles of the pages of a site."""

    settings = Settings(
        proxies={"*.intern.example": "direct", "*": os.environ["PROXIES"].split()},
        headers={"Accept-Language": "de, en;q=0.5"},
    )

    def parse(self, response: Response) -> Iterator[object]:
        """Yield the title of a page, then follow its links."""
        yield {"url": response.url, "title": response.css("title::text").get()}
        yield from response.follow_all("a")
