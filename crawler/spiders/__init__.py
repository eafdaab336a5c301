"""Spiders: what a crawl is about."""

from __future__ import annotations

from crawler.spiders.site import SiteSpider
from crawler.spiders.spider import Spider

__all__ = ["SiteSpider", "Spider"]
