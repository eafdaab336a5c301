"""The character encoding of a body, and its text. Labels and decoders are those of the WHATWG Encoding Standard.

The order is that of browsers (HTML Standard, "determining the character encoding"): a byte order mark; the charset of
the ``Content-Type`` header field; a ``<meta>`` of HTML, or else an XML declaration; UTF-8 if the bytes are valid UTF-8;
a guess. In XML the declaration comes before ``<meta>``.

The decoders are turbohtml's, since Python's ``big5``, ``shift_jis`` and ``cp1252`` differ from those of browsers.
"""

from __future__ import annotations

import codecs

from turbohtml.detect import detect  # importing it also registers the whatwg-* codecs

from crawler.content.labels import canonical_label
from crawler.content.media_type import mime_type
from crawler.content.meta_charset import encoding_by_markup
from crawler.lazy_pattern import lazy_pattern

__all__ = ["decode", "detect_encoding", "encode_query", "replace_surrogates"]

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_ZEROS = 1024
_DETECT = 8192

_NOT_ASCII = lazy_pattern(rb"[\x80-\xff]")
_NOT_ASCII_TEXT = lazy_pattern(r"[^\x00-\x7f]+")
_QUERY = lazy_pattern(r"[^#?]*\?([^#]*)")
_ENCODERS = {
    "big5": "big5hkscs", "euc-jp": "euc_jp", "euc-kr": "cp949", "ibm866": "cp866", "iso-8859-8-i": "iso-8859-8",
    "macintosh": "mac_roman", "shift_jis": "cp932", "windows-874": "cp874", "x-mac-cyrillic": "mac_cyrillic",
}  # fmt: skip
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
    codec = _ENCODERS.get(label, label)
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
    return canonical_label(detect(body[start : start + _DETECT]).encoding or "") or "windows-1252"


def _utf16_by_zeros(head: bytes) -> str | None:
    """Return UTF-16 if one byte of most pairs is zero, always the same one, and the other hardly ever."""
    pairs = len(head) // 2
    first, second = head[0::2].count(0), head[1::2].count(0)
    if min(first, second) * 20 > pairs or max(first, second) * 2 < pairs:
        return None
    return "utf-16be" if first > second else "utf-16le"
