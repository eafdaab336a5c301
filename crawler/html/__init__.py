"""HTML: whether a body is that, which encoding a body is in, the tree it is parsed into, and what is found there.

Pure functions and values over turbohtml: no I/O, and no input of any kind raises; only a query that is none does.
A body is parsed once (`parse`), and selectors and links share its tree.
"""

from __future__ import annotations

from crawler.html.encoding import canonical_label, decode, decode_label, encode_query
from crawler.html.links import Link, base_url, href_of, hrefs, links, nofollowed
from crawler.html.mime import is_binary, is_html, is_xhtml
from crawler.html.selector import Selector, SelectorList, parse

__all__ = [
    "Link",
    "Selector",
    "SelectorList",
    "base_url",
    "canonical_label",
    "decode",
    "decode_label",
    "encode_query",
    "href_of",
    "hrefs",
    "is_binary",
    "is_html",
    "is_xhtml",
    "links",
    "nofollowed",
    "parse",
]
