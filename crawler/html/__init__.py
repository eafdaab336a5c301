"""One HTML page: the tree that a body is parsed into, selectors, links, forms and what else is found there.

Pure functions and values over turbohtml: no I/O. No document raises an error; only a malformed selector does.
A body is parsed once (`parse`); selectors and links share its tree.
"""

from __future__ import annotations

from crawler.html.links import Link, base_url, href_of, hrefs, links, nofollow_urls
from crawler.html.selector import Selector, SelectorList, parse

__all__ = ["Link", "Selector", "SelectorList", "base_url", "href_of", "hrefs", "links", "nofollow_urls", "parse"]
