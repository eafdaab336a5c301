"""Scrapy projects on the engine of the crawl: the user's own Scrapy objects; trio runs their event loop."""

from crawler_plugins.scrapy.project import Project
from crawler_plugins.scrapy.spider import ScrapySpider

__all__ = ["Project", "ScrapySpider"]
