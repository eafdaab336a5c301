"""Scrapy projects on the engine of the crawl: the user's own Scrapy objects, without a Twisted reactor and asyncio."""

from __future__ import annotations

from crawler_plugins.scrapy.project import Project
from crawler_plugins.scrapy.spider import ScrapySpider

__all__ = ["Project", "ScrapySpider"]
