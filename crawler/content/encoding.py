"""The character encoding of a body, and its text. Labels and decoders are those of the WHATWG Encoding Standard.

The order is that of browsers (HTML Standard, "determining the character encoding"): a byte order mark; the charset of
the ``Content-Type`` header field; a ``<meta>`` of HTML, or else an XML declaration; UTF-8 if the bytes are valid UTF-8;
a guess. In XML the declaration comes before ``<meta>``.

The decoders are turbohtml's, since Python's ``big5``, ``shift_jis`` and ``cp1252`` differ from those of browsers.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from turbohtml.detect import detect  # importing it also registers the whatwg-* codecs

from crawler.content.labels import canonical_label, python_codec
from crawler.content.media_type import MimeType, is_html, mime_type
from crawler.lazy_pattern import lazy_pattern

__all__ = ["decode", "detect_encoding", "encode_query", "encoding_by_markup", "replace_surrogates"]

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_ZEROS = 1024

_NOT_ASCII = lazy_pattern(rb"[\x80-\xff]")
_NOT_ASCII_TEXT = lazy_pattern(r"[^\x00-\x7f]+")
_QUERY = lazy_pattern(r"[^#?]*\?([^#]*)")
_IN_UTF_8 = frozenset({"utf-8", "utf-16le", "utf-16be", "replacement", "x-user-defined"})


def detect_encoding(body: bytes, content_type: str | None) -> str:
    """Return the encoding to decode `body` with.

    Returns the name in the WHATWG Encoding Standard, in lower case; ``gb18030`` stands for GBK, too. Unknown labels are
    ignored.
    """
    kind = mime_type(content_type or "")
    return (
        _encoding_by_bom(body)
        or canonical_label(kind.charset)
        or encoding_by_markup(body, kind)
        or _encoding_by_content(body)
    )


def decode(body: bytes, label: str) -> str:
    """Return the text of `body`, without a byte order mark. Undecodable bytes become U+FFFD; it never raises.

    A label that the WHATWG Encoding Standard does not define means UTF-8.
    """
    return body.decode(f"whatwg-{canonical_label(label) or 'utf-8'}", "replace").removeprefix("\ufeff")


def encode_query(href: str, label: str) -> str:
    """Percent-encode the non-ASCII characters in the query of a link, in the encoding of its page.

    This is what the URL Standard specifies ("percent-encode after encoding"); paths and fragments are in UTF-8 whatever
    the page is in. A character that the encoding lacks is written as ``&#233;``.
    """
    if label in _IN_UTF_8 or href.isascii() or not (found := _QUERY.match(href)):
        return href
    start, end = found.span(1)
    codec = python_codec(label)
    return href[:start] + _NOT_ASCII_TEXT.sub(lambda run: _percent_encode(run[0], codec), found[1]) + href[end:]


def replace_surrogates(text: str) -> str:
    """Return the text with each lone surrogate replaced by U+FFFD, since no encoding can represent it."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _percent_encode(text: str, codec: str) -> str:
    try:
        coded = text.encode(codec)
    except UnicodeEncodeError:
        if len(text) == 1:
            return f"%26%23{ord(text)}%3B"
        return "".join(_percent_encode(character, codec) for character in text)
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E and byte not in b"\"#'<>" else f"%{byte:02X}" for byte in coded)


def _encoding_by_bom(body: bytes) -> str | None:
    if not body.startswith(_BYTE_ORDER_MARKS):
        return None
    return "utf-8" if body[0] == 0xEF else "utf-16le" if body[0] == 0xFF else "utf-16be"


def _encoding_by_content(body: bytes) -> str:
    """Return UTF-8 if the bytes are valid UTF-8, except for a cut last character; else a guess.

    The guess uses 8 kB from the first byte outside ASCII. UTF-16 without a mark shows by its zeros, since markup is
    ASCII.
    """
    if b"\0" in body[:_ZEROS] and (wide := _utf16_by_zeros(body[:_ZEROS])):
        return wide
    if body.isascii() or not (first := _NOT_ASCII.search(body)):
        return "utf-8"
    try:
        _, valid = codecs.utf_8_decode(body, "strict", False)
    except UnicodeDecodeError:
        valid = 0
    if valid > first.start():
        return "utf-8"
    start = max(0, first.start() - 1)
    return canonical_label(detect(body[start : start + 8192]).encoding or "") or "windows-1252"


def _utf16_by_zeros(head: bytes) -> str | None:
    """Return UTF-16 if one byte of most pairs is zero, always the same one, and the other hardly ever."""
    pairs = len(head) // 2
    first, second = head[0::2].count(0), head[1::2].count(0)
    if min(first, second) * 20 > pairs or max(first, second) * 2 < pairs:
        return None
    return "utf-16be" if first > second else "utf-16le"


_PRESCAN = 1024
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
    document = body[:262_144]  # browsers search the whole document for a `<meta>`
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
            # No more of possible `<meta>` elements is read one by one: without an end, each is as long as the rest.
            if looked_at > 65_536 or (markup["meta"] is not None and _encoding_of_meta(markup["meta"])):
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
