"""The benchmark's job for Crawlee: title and number of links of every page of a site, by its Parsel crawler."""
# Crawlee is installed in another environment, which type checkers do not see.
# mypy: disable-error-code="import-not-found,misc,no-any-unimported,no-any-return"

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from urllib.parse import urldefrag, urljoin

from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.storage_clients import MemoryStorageClient


async def main(front: str, output: Path, concurrency: int) -> None:
    """Crawl once."""
    logging.disable(logging.CRITICAL)
    crawler = ParselCrawler(
        storage_client=MemoryStorageClient(),
        concurrency_settings=ConcurrencySettings(
            min_concurrency=concurrency, max_concurrency=concurrency, desired_concurrency=concurrency
        ),
        respect_robots_txt_file=True,
    )
    with output.open("w", encoding="utf-8") as lines:

        @crawler.router.default_handler
        async def handler(context: ParselCrawlingContext) -> None:
            hrefs = context.selector.css("a::attr(href)").getall()
            links = {urldefrag(urljoin(context.request.url, href))[0] for href in hrefs}
            row = {
                "url": context.request.loaded_url or context.request.url,
                "title": context.selector.css("title::text").get(),
                "links": len([link for link in links if link.startswith("http")]),
            }
            lines.write(json.dumps(row) + "\n")
            await context.enqueue_links(strategy="same-hostname")

        await crawler.run([front])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
