"""The ``Link`` header field (RFC 8288)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

import attrs

from crawler.content.labels import canonical_label, python_codec
from crawler.urls import join

__all__ = ["LinkValue", "parse_link_header"]

_SPACE: Final = " \t"
_BETWEEN: Final = " \t,"
_NAME: Final = re.compile(r"[^\s=;,]+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_EXTENDED: Final = re.compile(r"([A-Za-z0-9!#$%&+^_`{}~-]++)'[^']*'((?:[A-Za-z0-9!#$&+.^_`|~-]++|%[0-9A-Fa-f]{2})*+)")
ONCE: Final = frozenset({"rel", "rev", "anchor", "media", "title", "title*", "type"})
"""Parameters of which only the first counts (RFC 8288 section 3.4.1 and appendix B.3)."""


@attrs.frozen(kw_only=True)
class LinkValue:
    """One link of a ``Link`` header field (RFC 8288)."""

    target: str
    """The URI reference between ``<`` and ``>``, as written."""
    url: str | None
    """The absolute URL of `target`, canonical and without fragment; `None` if it is not a web URL."""
    rel: tuple[str, ...] = ()
    """The relation types, in lower case; extension types are URIs."""
    anchor: str | None = None
    """The absolute URL of the link's context, with its fragment; `None` if it is the response itself."""
    title: str | None = None
    """The title of the target: ``title*`` if there is one, else ``title`` (section 3.4.1); `None` without either."""
    params: tuple[tuple[str, str], ...] = ()
    """All parameters as written, with names in lower case. Some may repeat, such as ``hreflang``."""

    def get(self, name: str) -> str | None:
        """Return the first value of a parameter; `None` if there is none."""
        return next((value for key, value in self.params if key == name), None)


def parse_link_header(value: str, url: str) -> list[LinkValue]:
    """Return the links of a ``Link`` header field, in order (RFC 8288 appendix B.2).

    Malformed links are skipped; it never raises.
    """
    links: list[LinkValue] = []
    at = _skip(value, 0, _BETWEEN)
    while at < len(value):
        if value[at] != "<":  # not the beginning of a link: continue after the next comma
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
    """Return the parameters of a link, and where the next link may begin (RFC 8288 appendix B.3)."""
    params: list[tuple[str, str]] = []
    while at < len(value):
        at = _skip(value, at, _SPACE)
        if at >= len(value) or value[at] == ",":
            return params, at + 1
        if value[at] != ";":  # not a parameter: skip to the next one
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
    """Return the position of the next semicolon or comma."""
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
    """Return the text of an extended value, ``UTF-8'de'n%c3%a4chstes`` (RFC 8187 section 3.2); `None` if invalid."""
    found = _EXTENDED.fullmatch(text)
    label = canonical_label(found[1]) if found else None
    return unquote_to_bytes(found[2]).decode(python_codec(label), "replace") if found and label else None
