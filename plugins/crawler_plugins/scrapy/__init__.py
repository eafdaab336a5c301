"""Scrapy projects on the engine of the crawl: the user's own Scrapy objects, without a Twisted reactor and asyncio."""

from __future__ import annotations

from crawler_plugins.scrapy import lazy_modules

lazy_modules.install()  # before Scrapy is imported

from crawler_plugins.scrapy.project import Project  # noqa: E402
from crawler_plugins.scrapy.spider import ScrapySpider  # noqa: E402

__all__ = ["Project", "ScrapySpider"]
