"""Find the dead links of an ASGI application without starting a server.

::

    python examples/own_app.py

The crawl accepts any httpx transport. `httpx.ASGITransport` calls an ASGI application in this process, without a port
or a network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import trio

from crawler import Response, Row, Sink, Spider, crawl

PAGES = {"/": "<a href='/about'>About</a> <a href='/news'>News</a>", "/about": "<a href='/'>Home</a> <a href='/team'>"}


async def app(scope: Any, _receive: Any, send: Any) -> None:
    """The application under test."""
    body = PAGES.get(scope["path"])
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 404 if body is None else 200, "headers": headers})
    await send({"type": "http.response.body", "body": (body or "not found").encode()})


class DeadLinks(Spider):
    """Links that lead to an error, with the page that contains them."""

    start_urls = ["http://app.test/"]
    allowed_domains = ["app.test"]
    accept_status = range(400, 500)

    def parse(self, response: Response) -> Iterator[object]:
        """Yield an item for an error page, and pass the URL of this page to the pages it links to."""
        if response.status >= 400:
            yield {"url": response.url, "status": response.status, "on": response.meta.get("on")}
        yield from response.follow_all(meta={"on": response.url})


class Print(Sink):
    """Sink that prints items."""

    async def persist(self, batch: Sequence[Row]) -> None:
        """Print a line for each item."""
        for row in batch:
            print("{status} {url} on {on}".format_map(row.item))


async def main() -> None:
    """Run the crawl: in a trio program, await `crawl`."""
    report = await crawl(DeadLinks(), outputs=[Print()], transport=httpx.ASGITransport(app))
    print(f"{report.pages} pages checked")


if __name__ == "__main__":
    trio.run(main)
