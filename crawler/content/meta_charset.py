"""The encoding that a document declares in its markup: by a ``<meta>`` of HTML, or by an XML declaration."""

from __future__ import annotations

import re
from functools import lru_cache

from crawler.content.labels import canonical_label
from crawler.content.media_type import MimeType, is_html
from crawler.lazy_pattern import lazy_pattern

__all__ = ["encoding_by_markup"]

_PRESCAN = 1024
_MAX_SCAN = 262_144
"""Bytes that are searched for a ``<meta>``. Browsers search the whole document."""
_MAX_LOOKED_AT = 65_536
"""Bytes of possible ``<meta>`` elements that are read one by one: without an end, each would be as long as the rest."""
_RAW_TEXT = {
    name: lazy_pattern(rb"</%b(?=[\t\n\f\r />])" % name, re.IGNORECASE)
    for name in (b"iframe", b"noembed", b"noframes", b"noscript", b"script", b"style", b"textarea", b"title", b"xmp")
}
"""Elements without markup in their content, with their ends (HTML Standard section 13.2.6.2)."""

# Every repetition is possessive, or followed by an alternative that takes the rest, so matching takes linear time.
# (A capturing group inside a possessive one makes re of Python 3.11 fail on some inputs.)
_SPACE = rb"[\t\n\f\r ]*+"
_NAME = rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_VALUE = rb"""(?:"[^"]*+"|'[^']*+'|[^\t\n\f\r >"'][^\t\n\f\r >]*+|)"""
_ATTRIBUTE = re.compile(rb"(%b)(?:%b=%b(%b))?" % (_NAME, _SPACE, _SPACE, _VALUE))
_MARKUP = re.compile(
    rb"""
      <!-- (?: -?> | .*?--> | .*+ )
    | <meta (?=[\t\n\f\r /]) (?P<meta> %(attributes)b ) [\t\n\f\r /]*+ >
    | </?(?P<name>[a-z] [^\t\n\f\r >]*+) %(attributes)b
    | <[!/?] [^>]*+
    """
    % {b"attributes": rb"(?:[\t\n\f\r /]*+%b(?:%b=%b%b)?+)*+" % (_NAME, _SPACE, _SPACE, _VALUE)},
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_META = re.compile(rb"<meta(?=[\t\n\f\r /])", re.IGNORECASE)
_META_CONTENT = lazy_pattern(
    rb"""charset [\t\n\f\r ]*+ = [\t\n\f\r ]*+ (?: "([^"]*+)" | '([^']*+)' | ([^\t\n\f\r ;"'] [^\t\n\f\r ;]*+) )""",
    re.VERBOSE | re.IGNORECASE,
)
_WIDE_DECLARATIONS = {"<?x".encode(label): label for label in ("utf-16le", "utf-16be")}
_XML_DECLARATION = lazy_pattern(rb"""<\?xml[^>]*?encoding[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"([^">]*+)"|'([^'>]*+)')""")


def encoding_by_markup(body: bytes, kind: MimeType) -> str | None:
    """Return the encoding that HTML or XML declares.

    A ``<meta>`` in the first 1024 bytes comes before an XML declaration. So does a later one, for which browsers parse
    the page again (HTML Standard section 13.2.3.4). In XML the declaration comes first.
    """
    head = body[:_PRESCAN]
    if kind.is_xml:  # XHTML may lack a declaration, and is parsed as HTML anyway
        return _encoding_by_declaration(head) or _encoding_by_prescan(head)
    if not kind.is_html and kind.essence:
        return None
    return (
        _encoding_by_prescan(head)
        or (_encoding_by_late_meta(body) if kind.is_html or is_html("", body) else None)
        or _encoding_by_declaration(head)
    )


def _encoding_by_prescan(head: bytes) -> str | None:
    """Return the encoding of a ``<meta>`` (HTML Standard, "prescan a byte stream to determine its encoding")."""
    if b"charset" not in head.lower():
        return None
    for markup in _MARKUP.finditer(head):
        meta = markup["meta"]
        if meta is not None and (label := _encoding_of_meta(meta)):
            return label
    return None


def _encoding_by_late_meta(body: bytes) -> str | None:
    """Return the encoding of the first ``<meta>`` in the first 256 KiB that is an element, not text of a script."""
    document = body[:_MAX_SCAN]
    if len(document) <= _PRESCAN or not _may_declare(document):  # spares nearly all pages the search
        return None
    at: int | None = 0
    while at is not None and (markup := _MARKUP.search(document, at)) is not None:
        meta = markup["meta"]
        if meta is not None and (label := _encoding_of_meta(meta)):
            return label
        at = _end_of_text(document, markup)
    return None


def _may_declare(document: bytes) -> bool:
    """Return whether anything that looks like a ``<meta>`` declares an encoding, be it an element or text."""
    looked_at = 0
    for beginning in _META.finditer(document):
        markup = _MARKUP.match(document, beginning.start())
        if markup is not None:
            looked_at += markup.end() - markup.start()
            if looked_at > _MAX_LOOKED_AT or (markup["meta"] is not None and _encoding_of_meta(markup["meta"])):
                return True
    return False


def _end_of_text(document: bytes, markup: re.Match[bytes]) -> int | None:
    """Return where the next markup may start: after a tag, and after the text of a script. `None`: nowhere."""
    name = markup["name"]
    is_start_tag = name is not None and markup.start("name") == markup.start() + 1
    end_tag = _RAW_TEXT.get(name.partition(b"/")[0].lower()) if is_start_tag else None
    if end_tag is None:
        return markup.end()
    found = end_tag.search(document, markup.end())
    return None if found is None else found.start()


def _encoding_by_declaration(head: bytes) -> str | None:
    """Return the encoding of an XML declaration, whose first bytes show UTF-16 (XML 1.0 appendix F.1)."""
    if head.startswith(tuple(_WIDE_DECLARATIONS)):
        return _WIDE_DECLARATIONS[head[:6]]
    xml = _XML_DECLARATION.match(head)
    return _ascii_compatible(xml[1] or xml[2] or b"") if xml else None


def _encoding_of_meta(attributes: bytes) -> str | None:
    return _read_meta(attributes) if len(attributes) <= _PRESCAN else _read_meta.__wrapped__(attributes)


@lru_cache(maxsize=1024)
def _read_meta(attributes: bytes) -> str | None:
    values: dict[bytes, bytes] = {}
    for name, value in _ATTRIBUTE.findall(attributes):
        bare = value[1:-1] if value[:1] in (b"'", b'"') else value
        values.setdefault(name.lower(), bare)  # the first attribute of a name counts
    if b"charset" in values:
        return _ascii_compatible(values[b"charset"])
    if values.get(b"http-equiv", b"").lower() != b"content-type":
        return None
    found = _META_CONTENT.search(values.get(b"content", b""))
    return _ascii_compatible(b"".join(filter(None, found.groups()))) if found else None


def _ascii_compatible(label: bytes) -> str | None:
    """Return the encoding of a label that was read as ASCII: the document is neither UTF-16 nor x-user-defined."""
    name = canonical_label(label.decode("latin-1"))
    if name in ("utf-16le", "utf-16be"):
        return "utf-8"
    return "windows-1252" if name == "x-user-defined" else name
