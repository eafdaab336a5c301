"""Images, audio and video of a page: ``src``, ``poster``, and the candidates of ``srcset``."""

from __future__ import annotations

import math
import re
from typing import Final

from turbohtml import Document

from crawler.content.encoding import replace_surrogates
from crawler.html.links import base_url, join_links
from crawler.html.live import select_live

__all__ = ["media", "parse_srcset"]

MAX_CANDIDATES: Final = 200_000
"""Candidates in all ``srcset`` of a page that are read."""
MAX_MEDIA: Final = 1_000_000
"""References of a page that are read, with repeats."""
_SEPARATORS: Final = re.compile(r"[\t\n\f\r ,]*+")
_URL: Final = re.compile(r"[^\t\n\f\r ]++")
_DESCRIPTORS: Final = re.compile(r"(?:[^(,]++|\([^)]*+\)?)*+")
"""The descriptors of a candidate: up to a comma outside parentheses."""
_DESCRIPTOR: Final = re.compile(r"(?:[^\t\n\f\r (]++|\([^)]*+\)?)++")
_WIDTH: Final = re.compile(r"0*+[1-9][0-9]*+w")
_HEIGHT: Final = re.compile(r"0*+[1-9][0-9]*+h")
_DENSITY: Final = re.compile(r"(?:(?:[0-9]++(?:\.[0-9]++)?|\.[0-9]++)|-(?:0++(?:\.0++)?|\.0++))(?:[eE][+-]?[0-9]++)?x")
_PLACES: Final = (
    ("img", ("src", "srcset")),
    ("source", ("src", "srcset")),
    ("video", ("src", "poster")),
    ("audio", ("src",)),
    ("link", ("imagesrcset",)),
    ('input[type="image" i]', ("src",)),
)


def parse_srcset(value: str, limit: float = math.inf) -> list[str]:
    """Return the URLs of the candidates of a ``srcset``, as written (HTML Standard, "parsing a srcset attribute").

    Candidates with invalid descriptors are skipped, as in browsers. It never raises.
    """
    found: list[str] = []
    at = 0
    while limit > 0:
        limit -= 1
        start = _SEPARATORS.match(value, at)
        url = _URL.match(value, start.end() if start else at)
        if url is None:
            break
        at, address = url.end(), url[0]
        if address.endswith(","):
            found.append(address.rstrip(","))
            continue
        descriptors = _DESCRIPTORS.match(value, at)
        if descriptors is not None:
            at = descriptors.end() + 1
            if _is_valid(_DESCRIPTOR.findall(descriptors[0])):
                found.append(address)
    return found


def _is_valid(descriptors: list[str]) -> bool:
    """Return whether a browser would accept a candidate with these descriptors."""
    width = density = height = 0
    for descriptor in descriptors:
        if _WIDTH.fullmatch(descriptor):
            width += 1
        elif _HEIGHT.fullmatch(descriptor):
            height += 1
        elif _DENSITY.fullmatch(descriptor):
            density += 1
        else:
            return False
    if width > 1 or density > 1 or height > 1 or (density and (width or height)):
        return False
    return not height or bool(width)


def media(document: Document, url: str, encoding: str = "utf-8") -> list[str]:
    """Return the absolute URL of every image, audio and video file of a page, without repeats, in document order."""
    places = [(query, names) for query, names in _PLACES if document.select_one(query) is not None]
    if not places:
        return []
    names_of = {query.partition("[")[0]: names for query, names in places}
    written: list[str] = []
    left = MAX_CANDIDATES
    for element in select_live(document, ",".join(query for query, _ in places)):
        for name in names_of.get(element.tag, ()):
            value = element.attr(name)
            if value and name.endswith("srcset"):
                candidates = parse_srcset(value, left)
                left -= max(1, len(candidates)) if left else 0
                written += candidates
            elif value:
                written.append(value)
        if len(written) >= MAX_MEDIA:
            break
    targets = join_links(base_url(document, url), list(map(replace_surrogates, written)), encoding)
    return list(dict.fromkeys(target for target in targets if target is not None))
