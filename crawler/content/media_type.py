"""The media type of a body: by its ``Content-Type`` header field, or without a valid one by its first bytes.

The rules are those of browsers: the Fetch Standard ("extract a MIME type") for the header field, the MIME Sniffing
Standard for the body. A given type is trusted: what is sent as ``text/plain`` is not HTML.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from crawler.lazy_pattern import lazy_pattern

__all__ = ["MimeType", "is_binary", "is_html", "is_xhtml", "is_xml", "mime_type"]

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARTS = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+"?)++', re.DOTALL)
_TYPE = re.compile(rf"\s*({_NAME}/{_NAME})(?=[;\s]|\Z)")
_CHARSET = re.compile(r"""(?:^|[;\s])charset\s*+=\s*+["']?+\s*+([^\s"';,]++)""", re.IGNORECASE)
_UNKNOWN_TYPES = ("unknown/unknown", "application/unknown", "*/*")

# MIME Sniffing Standard section 7.1. In addition, a byte order mark and an XML declaration may come first.
_HTML = lazy_pattern(
    rb"""(?:\xef\xbb\xbf)? [\t\n\f\r ]*+
    (?: <\?xml\ [^>]*+> [\t\n\f\r ]*+ (?= <!doctype\ html | <html ) )?+
    < (?: !doctype\ html | html | head | script | iframe | h1 | div | font | table | a | style | title | b | body | br
        | p | !-- ) [ >]""",
    re.VERBOSE | re.IGNORECASE,
)
_XML = lazy_pattern(
    rb"(?:\xef\xbb\xbf)?+[\t\n\r ]*+<\?xml[\t\n\r ]|\xff\xfe<\0\?\0x\0m\0l\0|\xfe\xff\0<\0\?\0x\0m\0l\0"
)
_BINARY = lazy_pattern(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")  # section 3, "binary data byte"
_RESOURCE_HEADER = 1445
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")


class MimeType(Struct, frozen=True):
    """The type and charset of a ``Content-Type`` header field."""

    essence: str
    """Type and subtype in lower case, such as ``text/html``; empty if there is none."""
    charset: str
    """The ``charset`` parameter as written; empty if there is none."""

    @property
    def is_html(self) -> bool:
        """Whether the type is HTML or XHTML."""
        return self.essence in ("text/html", "application/xhtml+xml")

    @property
    def is_xml(self) -> bool:
        """Whether the type is an XML MIME type (MIME Sniffing Standard section 4.6)."""
        return self.essence in ("text/xml", "application/xml") or self.essence.endswith("+xml")


def mime_type(content_type: str) -> MimeType:
    """Parse ``Content-Type`` header fields, joined by commas, up to 256 characters. The last valid MIME type counts.

    The charset may come from an earlier field of the same type. It is also found in quotes, without a semicolon before
    it, and next to an invalid MIME type.
    """
    return _mime_type(content_type[:256])


@lru_cache(maxsize=1024)
def _mime_type(content_type: str) -> MimeType:
    essence = charset = ""
    for part in _PARTS.findall(content_type):
        kind = _TYPE.match(part)
        named = kind[1].lower() if kind else ""
        found = _CHARSET.search(part)
        if named and named not in _UNKNOWN_TYPES:
            if named != essence:
                charset = ""
            essence = named
        if found:
            charset = found[1]
    return MimeType(essence, charset)


def is_html(content_type: str, body: bytes) -> bool:
    """Return whether a body is HTML: by its type, else by its first bytes (MIME Sniffing Standard section 7.1)."""
    kind = mime_type(content_type)
    return kind.is_html if kind.essence else _HTML.match(body[:_RESOURCE_HEADER]) is not None


def is_xhtml(content_type: str) -> bool:
    """Return whether the type is XHTML as XML."""
    return "xhtml" in content_type.lower() and mime_type(content_type).essence == "application/xhtml+xml"


def is_xml(content_type: str, body: bytes) -> bool:
    """Return whether a body that is not HTML is XML: by its type, or by an XML declaration whatever the type."""
    return mime_type(content_type).is_xml or _XML.match(body) is not None


def is_binary(body: bytes) -> bool:
    """Return whether the first bytes of a body show that it is not text (MIME Sniffing Standard section 7.2)."""
    head = body[:_RESOURCE_HEADER]
    return not head.startswith(_BYTE_ORDER_MARKS) and _BINARY.search(head) is not None
