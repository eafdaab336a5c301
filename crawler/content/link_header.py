"""The ``Link`` header field (RFC 8288): what a server says of where else to look."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

import attrs

from crawler.content.encoding import canonical_label
from crawler.content.python_codecs import python_codec
from crawler.urls import join

__all__ = ["LinkValue", "parse_link_header"]

_SPACE: Final = " \t"
_BETWEEN: Final = " \t,"
_NAME: Final = re.compile(r"[^\s=;,]+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_EXTENDED: Final = re.compile(r"([A-Za-z0-9!#$%&+^_`{}~-]+)'[^']*'((?:%[0-9A-Fa-f]{2}|[A-Za-z0-9!#$&+.^_`|~-])*)")
ONCE: Final = frozenset({"rel", "rev", "anchor", "media", "title", "title*", "type"})
"""Parameters of which only the first counts (section 3.4.1 and appendix B.3)."""


@attrs.frozen(kw_only=True)
class LinkValue:
    """One link of a ``Link`` field."""

    target: str
    """The URI reference between ``<`` and ``>``, as it is written."""
    url: str | None
    """What it means on that page: absolute, canonical, without fragment; `None`: it is no web URL."""
    rel: tuple[str, ...] = ()
    """The types of the relation, in small letters; extension types are URIs."""
    anchor: str | None = None
    """Where the link goes out from, if that is told: absolute, with its fragment, so it may be a part of the page."""
    title: str | None = None
    """What the target is called: ``title*`` rather than ``title`` (section 3.4.1)."""
    params: tuple[tuple[str, str], ...] = ()
    """Every parameter as it came, its name in small letters: ``hreflang`` may be there several times."""

    def get(self, name: str) -> str | None:
        """The first value of a parameter; `None`: it is not there."""
        return next((value for key, value in self.params if key == name), None)


def parse_link_header(value: str, url: str) -> list[LinkValue]:
    """The links of a ``Link`` field, in their order, by the algorithm of RFC 8288 appendix B.2.

    Malformed ones are skipped, and nothing raises. Lines of the field are joined by commas before.

    Parameters:
        value: the value of the field.
        url: the canonical URL of the answer that it came with.
    """
    links: list[LinkValue] = []
    at = _skip(value, 0, _BETWEEN)
    while at < len(value):
        if value[at] != "<":  # no link begins like this: on to the next comma
            at = value.find(",", at)
            if at < 0:
                break
        else:
            end = value.find(">", at)
            if end < 0:
                break
            target = value[at + 1 : end].strip()
            params, at = _params(value, end + 1)
            links.append(_link(target, params, url))
        at = _skip(value, at, _BETWEEN)
    return links


def _params(value: str, at: int) -> tuple[list[tuple[str, str]], int]:
    """The parameters of a link, and where the next link may begin (appendix B.3)."""
    params: list[tuple[str, str]] = []
    while at < len(value):
        at = _skip(value, at, _SPACE)
        if at >= len(value) or value[at] == ",":
            return params, at + 1
        if value[at] != ";":  # nothing that could stand here: the rest of this link is noise
            at = _ends(value, at)
            continue
        at = _skip(value, at, _SPACE + ";")
        name = _NAME.match(value, at)
        if name is None:
            at = at if at < len(value) and value[at] == "," else at + 1
            continue
        at = _skip(value, name.end(), _SPACE)
        text = ""
        if at < len(value) and value[at] == "=":
            at = _skip(value, at + 1, _SPACE)
            quoted = _QUOTED.match(value, at)
            if quoted is not None:
                text, at = _ESCAPE.sub(r"\1", quoted[1]), quoted.end()
            else:
                end = _ends(value, at)
                text, at = value[at:end].strip(_SPACE).removeprefix('"'), end
        params.append((name[0].lower(), text))
    return params, at


def _skip(value: str, at: int, characters: str) -> int:
    while at < len(value) and value[at] in characters:
        at += 1
    return at


def _ends(value: str, at: int) -> int:
    """Where the next semicolon or comma is."""
    found = [place for place in (value.find(";", at), value.find(",", at)) if place >= 0]
    return min(found, default=len(value))


def _link(target: str, params: list[tuple[str, str]], url: str) -> LinkValue:
    first: dict[str, str] = {}
    kept: list[tuple[str, str]] = []
    for name, text in params:
        if name not in ONCE or name not in first:
            kept.append((name, text))
        first.setdefault(name, text)
    extended = _extended(first["title*"]) if "title*" in first else None
    return LinkValue(
        target=target,
        url=join(url, target),
        rel=tuple(dict.fromkeys(first.get("rel", "").lower().split())),
        anchor=_anchor(first.get("anchor"), url),
        title=extended if extended is not None else first.get("title"),
        params=tuple(kept),
    )


def _anchor(anchor: str | None, url: str) -> str | None:
    if anchor is None:
        return None
    _, mark, fragment = anchor.partition("#")
    absolute = join(url, anchor)
    return anchor if absolute is None else absolute + mark + fragment


def _extended(text: str) -> str | None:
    """The text of a value like ``UTF-8'de'n%c3%a4chstes`` (RFC 8187 section 3.2); `None`: it is none."""
    found = _EXTENDED.fullmatch(text)
    label = canonical_label(found[1]) if found else None
    return unquote_to_bytes(found[2]).decode(python_codec(label), "replace") if found and label else None
