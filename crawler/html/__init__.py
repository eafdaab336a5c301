"""Parsing of HTML pages: the tree, selectors, links, forms and metadata.

Everything here is pure: no I/O. No document raises an error; only an invalid selector does. A body is parsed once, by
`parse`; selectors and links share its tree.
"""

from __future__ import annotations

import typing as _typing

from crawler.html.links import Link, base_url, href_of, hrefs, links, nofollow_urls
from crawler.html.selector import Selector, SelectorList, parse
from crawler.lazy import lazy_names as _lazy_names

__all__ = [
    "Link",
    "LinkValue",
    "Selector",
    "SelectorList",
    "base_url",
    "href_of",
    "hrefs",
    "links",
    "nofollow_urls",
    "parse",
]

if _typing.TYPE_CHECKING:
    from crawler.content.link_header import LinkValue as LinkValue
else:  # few programs need it
    __getattr__, _ = _lazy_names(__name__, {"LinkValue": "crawler.content.link_header"})
