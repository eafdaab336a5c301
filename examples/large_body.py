"""Write a large file to the disk as it arrives, without holding it in memory.

::

    python -m crawler run examples/large_body.py -a url=https://data.example/all.csv
"""

from __future__ import annotations

from pathlib import Path

import trio

from crawler import BodyWriter, Drop, Request, Response, Spider


class Download(Spider):
    """Downloads one file that the start page belongs to."""

    start_urls = ["https://data.example/"]
    url: str = "https://data.example/all.csv"

    async def parse(self, response: Response) -> dict[str, object]:
        """Download the file."""
        async with await trio.open_file("all.csv", "wb") as file:

            async def receive(response: Response) -> BodyWriter | Drop | None:
                if response.status != 200:
                    return None  # an error page, kept in `Response.body`
                if response.headers.get("content-type", "").startswith("text/html"):
                    return Drop("a web page")
                await file.seek(0)
                await file.truncate()  # an earlier attempt may have broken off
                return file

            found = await self.crawl.fetch(Request(self.url, max_body=10**10, timeout=3600), receive=receive)
        return {"status": found.status, "size": Path("all.csv").stat().st_size}
