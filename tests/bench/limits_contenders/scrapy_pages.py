"""Scrapy, with its defaults or with AutoThrottle."""
# Scrapy has an environment of its own, where type checkers do not look.
# mypy: disable-error-code="import-not-found,misc,no-any-unimported"

from __future__ import annotations

import scrapy
from job import arguments, got, urls
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response


class Numbered(scrapy.Spider):
    """The pages by their number."""

    name = "numbered"
    start_urls = urls(arguments().front)

    def parse(self, response: Response) -> None:
        """Only that it is there: a refusal never gets here."""
        got(response.url)


if __name__ == "__main__":
    process = CrawlerProcess({"LOG_LEVEL": "CRITICAL", "AUTOTHROTTLE_ENABLED": arguments().throttle})
    process.crawl(Numbered)
    process.start()
