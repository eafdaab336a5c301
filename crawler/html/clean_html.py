"""`clean_html`: a part of a page as HTML that another page may embed: no script, style, form, class or handler."""

from __future__ import annotations

from typing import Final

from turbohtml import Element
from turbohtml.clean import OnDisallowed, Policy, sanitize

from crawler.content.encoding import replace_surrogates

__all__ = ["clean_html"]

TAGS: Final = frozenset({
    "a", "abbr", "article", "b", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "del",
    "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "i", "img", "ins", "kbd", "li", "main", "mark", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp",
    "section", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
    "time", "tr", "tt", "u", "ul", "var", "wbr",
})  # fmt: skip
POLICY: Final = Policy(
    tags=TAGS,
    attributes={
        "*": frozenset({"dir", "id", "lang"}),
        "a": frozenset({"href"}),
        "img": frozenset({"alt", "src"}),
        "ol": frozenset({"start"}),
        "td": frozenset({"colspan", "rowspan"}),
        "th": frozenset({"colspan", "rowspan", "scope"}),
        "time": frozenset({"datetime"}),
    },
    url_schemes=frozenset({"http", "https"}),
    on_disallowed_tag=OnDisallowed.STRIP,
)


def clean_html(content: Element) -> str:
    """Return an element as HTML with an allowlist of elements and attributes."""
    return sanitize(replace_surrogates(content.html), POLICY).strip()
