"""Parsing of HTML pages: the tree, selectors, links, forms and metadata.

Everything here is pure: no I/O. No document raises an error; only an invalid selector does. A body is parsed once, by
`parse`; selectors and links share its tree.
"""

from __future__ import annotations

import typing as _typing

from crawler.html.links import Link, base_url, href_batches, href_of, hrefs, links, nofollow_steps, nofollow_urls
from crawler.html.selector import Selector, SelectorList, parse, parse_in_steps
from crawler.html.tree import cut_tags, parse_text
from crawler.lazy import lazy_names as _lazy_names

__all__ = [
    "Article",
    "Link",
    "LinkValue",
    "PageData",
    "Selector",
    "SelectorList",
    "XmlSelector",
    "base_url",
    "cut_tags",
    "href_batches",
    "href_of",
    "hrefs",
    "links",
    "nofollow_steps",
    "nofollow_urls",
    "parse",
    "parse_in_steps",
    "parse_text",
]

if _typing.TYPE_CHECKING:
    from crawler.content.link_header import LinkValue as LinkValue
    from crawler.html.article import Article as Article
    from crawler.html.page_data import PageData as PageData
    from crawler.html.xml_selector import XmlSelector as XmlSelector
else:  # few programs need them
    __getattr__, _ = _lazy_names(
        __name__,
        {
            "Article": "crawler.html.article",
            "LinkValue": "crawler.content.link_header",
            "PageData": "crawler.html.page_data",
            "XmlSelector": "crawler.html.xml_selector",
        },
    )
