"""Crawlee, with its defaults or with its throttling request manager."""
# Crawlee is installed in another environment, which type checkers do not see.
# mypy: disable-error-code="import-not-found,misc,no-any-unimported"

from __future__ import annotations

import asyncio
from urllib.parse import urljoin

from crawlee.crawlers import HttpCrawler, HttpCrawlingContext
from crawlee.request_loaders import ThrottlingRequestManager
from crawlee.storages import RequestQueue
from job import arguments, got, urls


async def main() -> None:
    """Crawl once."""
    options = arguments()
    if options.throttle:
        queue = await RequestQueue.open()
        site = urljoin(options.front, "/")
        manager = ThrottlingRequestManager(queue, domains=[site], request_manager_opener=RequestQueue.open)
        crawler = HttpCrawler(request_manager=manager)
    else:
        crawler = HttpCrawler()

    @crawler.router.default_handler
    async def handler(context: HttpCrawlingContext) -> None:
        got(context.request.url)

    await crawler.run(urls(options.front))


if __name__ == "__main__":
    asyncio.run(main())
