"""`install`: all that is replaced of Scrapy to be faster. Nothing else of the process is.

Each brings at least 5 % of a crawl, measured alone: without the first, pages with many links take up to 1.5 times as
long, and without the second, three times as long in a spider with a `LinkExtractor`.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from scrapy.http import request
from scrapy.linkextractors.lxmlhtml import LxmlLinkExtractor

from crawler_plugins.scrapy.fast_responses import FastHtmlResponse
from crawler_plugins.scrapy.links import quick_links
from crawler_plugins.scrapy.urls import safe_url

__all__ = ["install"]


def install() -> None:
    """Replace it. Further calls have no effect."""
    request.safe_url_string = safe_url  # what `Request` calls: its results are remembered
    plain = LxmlLinkExtractor.extract_links
    if plain.__module__ == __name__:
        return

    @wraps(plain)
    def extract_links(self: Any, response: Any) -> Any:
        found = quick_links(self, response) if type(response) is FastHtmlResponse else None
        return plain(self, response) if found is None else found

    extract_links.__module__ = __name__
    LxmlLinkExtractor.extract_links = extract_links
