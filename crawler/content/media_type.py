"""What kind of content a body is: its MIME type, and where that is missing or none, how it begins.

The rules are those of browsers: the Fetch Standard ("extract a MIME type") for the header field, the MIME Sniffing
Standard for the body. A type that was given is believed: what is sent as ``text/plain`` is not HTML.
"""

from __future__ import annotations

import re
from functools import lru_cache

import attrs

__all__ = ["MimeType", "is_binary", "is_html", "is_xhtml", "mime_type"]

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARTS = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+"?)++', re.DOTALL)
_TYPE = re.compile(rf"\s*({_NAME}/{_NAME})(?=[;\s]|\Z)")
_CHARSET = re.compile(r"""(?:^|[;\s])charset\s*+=\s*+["']?+\s*+([^\s"';,]++)""", re.IGNORECASE)
_UNKNOWN_TYPES = ("unknown/unknown", "application/unknown", "*/*")
_MAX_CONTENT_TYPE = 256

# MIME Sniffing Standard, section 7.1. Beyond it: behind a byte order mark browsers show text, and XHTML is read as XML.
_HTML = re.compile(
    rb"""(?:\xef\xbb\xbf)? [\t\n\f\r ]*+
    (?: <\?xml\ [^>]*+> [\t\n\f\r ]*+ (?= <!doctype\ html | <html ) )?+
    < (?: !doctype\ html | html | head | script | iframe | h1 | div | font | table | a | style | title | b | body | br
        | p | !-- ) [ >]""",
    re.VERBOSE | re.IGNORECASE,
)
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")  # section 3, "binary data byte"
_RESOURCE_HEADER = 1445
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")


@attrs.frozen
class MimeType:
    """What a ``Content-Type`` says."""

    essence: str
    """Type and subtype in lower case, ``text/html``; empty: it says nothing."""
    charset: str
    """The parameter of that name as it is written; empty: there is none."""

    @property
    def is_html(self) -> bool:
        """Whether it is a type of HTML, XHTML among them."""
        return self.essence in ("text/html", "application/xhtml+xml")

    @property
    def is_xml(self) -> bool:
        """Whether it is a type of XML (MIME Sniffing Standard, section 4.6)."""
        return self.essence in ("text/xml", "application/xml") or self.essence.endswith("+xml")


@lru_cache(maxsize=1024)
def mime_type(content_type: str) -> MimeType:
    """What the fields of that name say, joined by commas. The last one that is a MIME type counts.

    Its charset is that of an earlier one if that is of the same type. A charset is found in quotes and without a
    semicolon too, and beside what is no MIME type.
    """
    essence = charset = ""
    for part in _PARTS.findall(content_type[:_MAX_CONTENT_TYPE]):
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
    """Whether a body is HTML: by its type, without one by how it begins (MIME Sniffing Standard, section 7.1)."""
    kind = mime_type(content_type)
    return kind.is_html if kind.essence else _HTML.match(body[:_RESOURCE_HEADER]) is not None


def is_xhtml(content_type: str) -> bool:
    """Whether it is XHTML that is sent as XML."""
    return "xhtml" in content_type.lower() and mime_type(content_type).essence == "application/xhtml+xml"


def is_binary(body: bytes) -> bool:
    """Whether a body is no text: bytes are among its first that no text has (MIME Sniffing Standard, section 7.2)."""
    head = body[:_RESOURCE_HEADER]
    return not head.startswith(_BYTE_ORDER_MARKS) and _BINARY.search(head) is not None
