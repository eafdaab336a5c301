"""Crawl an application of your own without a server: find its dead links.

::

    python examples/own_app.py

Requests go over any transport of httpx. `httpx.ASGITransport` calls an ASGI application in this process: no port, no
network, nothing to start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import trio

from crawler import Plugin, Response, Row, Spider, crawl

PAGES = {"/": "<a href='/about'>About</a> <a href='/news'>News</a>", "/about": "<a href='/'>Home</a> <a href='/team'>"}


async def app(scope: Any, _receive: Any, send: Any) -> None:
    """The application under test."""
    body = PAGES.get(scope["path"])
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 404 if body is None else 200, "headers": headers})
    await send({"type": "http.response.body", "body": (body or "not found").encode()})


class DeadLinks(Spider):
    """Follows every link; an item for each one that leads to an error."""

    start_urls = ["http://app.test/"]
    allowed_domains = ["app.test"]
    accept_status = range(400, 500)

    def parse(self, response: Response) -> Iterator[object]:
        """Every page gets to know which page linked to it first."""
        if response.status >= 400:
            yield {"url": response.url, "status": response.status, "on": response.meta.get("on")}
        yield from response.follow_all(meta={"on": response.url})


class Print(Plugin):
    """A sink that prints."""

    async def persist(self, batch: Sequence[Row]) -> None:
        """A line for each item."""
        for row in batch:
            print("{status} {url} on {on}".format_map(row.item))


async def main() -> None:
    """Inside of a trio program, a crawl is a function to be awaited."""
    report = await crawl(DeadLinks(), outputs=[Print()], transport=httpx.ASGITransport(app))
    print(f"{report.pages} pages looked at")


if __name__ == "__main__":
    trio.run(main)
