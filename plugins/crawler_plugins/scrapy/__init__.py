"""Scrapy projects on the engine of the crawl: the user's own Scrapy objects; trio runs their event loop."""

from __future__ import annotations

from crawler_plugins.scrapy import lazy_modules
from crawler_plugins.scrapy.late_patterns import compile_late

lazy_modules.install()  # before Scrapy is imported

with compile_late():
    from crawler_plugins.scrapy.project import Project
    from crawler_plugins.scrapy.spider import ScrapySpider

__all__ = ["Project", "ScrapySpider"]
