"""Scrapy, with its defaults or with AutoThrottle."""
# Scrapy is installed in another environment, which type checkers do not see.
# mypy: disable-error-code="import-not-found,misc,no-any-unimported"

from __future__ import annotations

import scrapy
from job import arguments, got, urls
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response


class Numbered(scrapy.Spider):
    """Fetches the pages by number."""

    name = "numbered"
    start_urls = urls(arguments().front)

    def parse(self, response: Response) -> None:
        """Report the page; refusals do not reach this callback."""
        got(response.url)


if __name__ == "__main__":
    process = CrawlerProcess({"LOG_LEVEL": "CRITICAL", "AUTOTHROTTLE_ENABLED": arguments().throttle})
    process.crawl(Numbered)
    process.start()
