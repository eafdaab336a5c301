"""`reader_view`: a copy of a page with what readers see. `with_safe_links`: a part of it that is safe to pass on.

Scripts, styles, form controls, drawings and hidden elements are left out. A ``<noscript>`` with most of the text of
the page counts, as in forums of Discourse, unless it is a short note that asks for JavaScript. Each link and image has
an absolute http or https URL; the text of other links stays, without the link. The copy may be changed; the page stays
as it is.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Final
from urllib.parse import quote

from turbohtml import Document, Element, Text

from crawler.content.encoding import replace_surrogates
from crawler.html.links import base_url, join_links
from crawler.html.streamed import put_in_place
from crawler.html.tidy_tables import tidy_tables
from crawler.urls import origin

__all__ = ["reader_view", "with_safe_links"]

UNSEEN: Final = (
    "script,style,template,svg,canvas,object,embed,iframe,frameset,audio,video,map,button,input,select,"
    "textarea,datalist,dialog:not([open]),[hidden]:not([hidden=until-found i])"
)
"""Elements that have no text for readers, or that hide it."""
MAX_NOTE: Final = 500
"""Characters of a ``<noscript>`` that asks for JavaScript, at most: such a note in several languages has 400, …"""
FEW_LINKS: Final = 4
"""… and links to instructions for a few browsers. The menu of a forum has five."""
SELF_LINKS: Final = frozenset({"", "#", "¶", "§", "🔗", "∞", "link"})
"""Texts of links that a heading has to itself."""
MARKUP: Final = {ord(sign): f"%{ord(sign):02X}" for sign in "()[]<>`|"}
"""Signs of a URL that are markup in Markdown, percent-encoded."""
HAS_MARKUP: Final = re.compile(r"[()\[\]<>`|]")
PLAIN: Final = re.compile(r"[\w.-]*", re.ASCII)
FRAGMENT: Final = "!$&'*+,;=:@/?-._~%"
"""Characters of a fragment that stay as they are in Markdown (RFC 3986 section 3.5, without parentheses)."""


def reader_view(document: Document) -> Document:
    """Return a copy of a page without what readers do not see, and with tables that Markdown can have."""
    view = deepcopy(document)
    put_in_place(view)
    view.remove(UNSEEN)
    _show_noscript(view)
    tidy_tables(view)
    return view


def _show_noscript(view: Document) -> None:
    """Show what is there for readers without scripts, if it is most of the page."""
    found = [(element, len(_collapsed(element))) for element in view.select("noscript:not(noscript noscript)")]
    body = view.select_one("body") if any(length for _, length in found) else None
    if body is not None and sum(length for _, length in found) > len(_collapsed(body)) / 2:
        for element, length in found:
            if length > MAX_NOTE or len(element.select("a[href]")) > FEW_LINKS:
                element.unwrap()
    view.remove("noscript")


def _collapsed(element: Element) -> str:
    return " ".join(element.text.split())


def with_safe_links(part: Element, document: Document, url: str, encoding: str = "utf-8") -> Element:
    """Return a part of a reader view, changed so that all of its links are absolute web URLs."""
    base = base_url(document, url)
    _absolute_links(part, base, encoding)
    _absolute_images(part, base, encoding)
    _disarm(part)
    return part


def _absolute_links(part: Element, base: str, encoding: str) -> None:
    links, hrefs = [], []
    for link in part.select("a[href]"):
        href = _attribute(link, "href")
        if "#" in href and link.text.strip().lower() in SELF_LINKS and link.select_one("img") is None:
            link.decompose()
        else:
            links.append(link)
            hrefs.append(href)
    for link, href, target in zip(links, hrefs, _joined(base, hrefs, encoding), strict=True):
        if target is None:
            link.unwrap()
        else:
            _, mark, fragment = href.partition("#")
            safe = fragment if PLAIN.fullmatch(fragment) else quote(fragment.strip(), safe=FRAGMENT)
            _set_only(link, "href", target + mark + safe)


def _absolute_images(part: Element, base: str, encoding: str) -> None:
    images = part.select("img")
    sources = [_attribute(image, "src") for image in images]
    for image, source, target in zip(images, sources, _joined(base, sources, encoding), strict=True):
        alt = " ".join(_attribute(image, "alt").split())
        if not alt or not source.strip():
            image.decompose()  # an image without a text is decoration
        elif target is None:
            image.replace_with(Text(alt))
        else:
            _set_only(image, "src", target)
            image.attrs["alt"] = alt


def _disarm(part: Element) -> None:
    """Change what would end a code span or a code block of Markdown too early."""
    for element in part.select('[class*="`"],[lang*="`"]'):
        element.attrs.clear()
    if part.select_one("q pre") is not None:
        part.strip_tags("q")
    if "\r" in part.text:  # it comes from a character reference
        for node in list(part.descendants):
            if isinstance(node, Text) and "\r" in node.data:
                node.data = node.data.replace("\r", " ")


def _joined(base: str, references: list[str], encoding: str) -> list[str | None]:
    """Return the absolute URLs of references, without signs that are markup."""
    return [None if url is None else _without_markup(url) for url in join_links(base, references, encoding)]


def _without_markup(url: str) -> str:
    if not HAS_MARKUP.search(url):
        return url
    start = len(origin(url))  # the brackets of an IPv6 address stay
    return url[:start] + url[start:].translate(MARKUP)


def _attribute(element: Element, name: str) -> str:
    return replace_surrogates(element.attr(name) or "")


def _set_only(element: Element, name: str, value: str) -> None:
    """Set an attribute and remove all others: a title may contain anything."""
    element.attrs.clear()
    element.attrs[name] = value
