"""Parsing of HTML pages: the tree, selectors, links, forms and metadata.

Everything here is pure: no I/O. No document raises an error; only an invalid selector does. A body is parsed once, by
`parse`; selectors and links share its tree.
"""

from __future__ import annotations

from crawler.html.links import Link, base_url, href_of, hrefs, links, nofollow_urls
from crawler.html.selector import Selector, SelectorList, parse

__all__ = ["Link", "Selector", "SelectorList", "base_url", "href_of", "hrefs", "links", "nofollow_urls", "parse"]
