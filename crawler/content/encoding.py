"""The character encoding of a body, and its text. Labels and decoders are those of the WHATWG Encoding Standard.

The order is that of browsers (HTML Standard, "determining the character encoding"): a byte order mark; the charset of
the ``Content-Type`` header field; a ``<meta>`` in the first 1024 bytes of HTML, or else an XML declaration; UTF-8 if
the bytes are valid UTF-8; a guess. In XML the declaration comes before ``<meta>``.

The decoders are turbohtml's, since Python's ``big5``, ``shift_jis`` and ``cp1252`` differ from those of browsers.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from turbohtml.detect import detect  # importing it also registers the whatwg-* codecs

from crawler.content.media_type import MimeType, mime_type

__all__ = ["canonical_label", "decode", "detect_encoding", "encode_query", "replace_surrogates"]

_PRESCAN = 1024
_DETECT = 8192

_LABELS = {
    label: name
    for name, labels in {
        "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
        "ibm866": "866 cp866 csibm866 ibm866",
        "iso-8859-2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
        "iso-8859-3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
        "iso-8859-4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
        "iso-8859-5": "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988",
        "iso-8859-6": (
            "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i"
            " iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987"
        ),
        "iso-8859-7": (
            "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7"
            " iso_8859-7:1987 sun_eu_greek"
        ),
        "iso-8859-8": (
            "csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8"
            " iso_8859-8:1988 visual"
        ),
        "iso-8859-8-i": "csiso88598i iso-8859-8-i logical",
        "iso-8859-10": "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
        "iso-8859-13": "iso-8859-13 iso8859-13 iso885913",
        "iso-8859-14": "iso-8859-14 iso8859-14 iso885914",
        "iso-8859-15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
        "iso-8859-16": "iso-8859-16",
        "koi8-r": "cskoi8r koi koi8 koi8-r koi8_r",
        "koi8-u": "koi8-ru koi8-u",
        "macintosh": "csmacintosh mac macintosh x-mac-roman",
        "windows-874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
        "windows-1250": "cp1250 windows-1250 x-cp1250",
        "windows-1251": "cp1251 windows-1251 x-cp1251",
        "windows-1252": (
            "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1"
            " iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252"
        ),
        "windows-1253": "cp1253 windows-1253 x-cp1253",
        "windows-1254": (
            "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5"
            " windows-1254 x-cp1254"
        ),
        "windows-1255": "cp1255 windows-1255 x-cp1255",
        "windows-1256": "cp1256 windows-1256 x-cp1256",
        "windows-1257": "cp1257 windows-1257 x-cp1257",
        "windows-1258": "cp1258 windows-1258 x-cp1258",
        "x-mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
        # GBK has an encoder of its own in the standard; its decoder is that of gb18030.
        "gb18030": "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk gb18030",
        "big5": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
        "euc-jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
        "iso-2022-jp": "csiso2022jp iso-2022-jp",
        "shift_jis": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
        "euc-kr": (
            "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949"
        ),
        "replacement": "csiso2022kr hz-gb-2312 iso-2022-cn iso-2022-cn-ext iso-2022-kr replacement",
        "utf-16be": "unicodefffe utf-16be",
        "utf-16le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
        "x-user-defined": "x-user-defined",
    }.items()
    for label in labels.split()
}

# Every repetition is possessive, or lazy within the 1024 bytes of the prescan, so matching takes linear time.
# (A capturing group inside a possessive one makes re of Python 3.11 fail on some inputs.)
_SPACE = rb"[\t\n\f\r ]*+"
_NAME = rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_VALUE = rb"""(?:"[^"]*+"|'[^']*+'|[^\t\n\f\r >"'][^\t\n\f\r >]*+|)"""
_ATTRIBUTE = re.compile(rb"[\t\n\f\r /]*+(%b)(?:%b=%b(%b))?" % (_NAME, _SPACE, _SPACE, _VALUE))
_MARKUP = re.compile(
    rb"""
      <!-- (?: -?> | .*?--> | .*+ )
    | <meta (?=[\t\n\f\r /]) (?P<meta> %(attributes)b ) [\t\n\f\r /]*+ >
    | </?[a-z] [^\t\n\f\r >]*+ %(attributes)b
    | <[!/?] [^>]*+
    """
    % {b"attributes": rb"(?:[\t\n\f\r /]*+%b(?:%b=%b%b)?+)*+" % (_NAME, _SPACE, _SPACE, _VALUE)},
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_META_CONTENT = re.compile(
    rb"""charset [\t\n\f\r ]*+ = [\t\n\f\r ]*+ (?: "([^"]*+)" | '([^']*+)' | ([^\t\n\f\r ;"'] [^\t\n\f\r ;]*+) )""",
    re.VERBOSE | re.IGNORECASE,
)
_XML_DECLARATION = re.compile(rb"""<\?xml[^>]*?encoding[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"([^">]*+)"|'([^'>]*+)')""")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_NOT_ASCII_TEXT = re.compile(r"[^\x00-\x7f]+")
_QUERY = re.compile(r"[^#?]*\?([^#]*)")
_ENCODERS = {
    "big5": "big5hkscs", "euc-jp": "euc_jp", "euc-kr": "cp949", "ibm866": "cp866", "iso-8859-8-i": "iso-8859-8",
    "macintosh": "mac_roman", "shift_jis": "cp932", "windows-874": "cp874", "x-mac-cyrillic": "mac_cyrillic",
}  # fmt: skip
_IN_UTF_8 = frozenset({"utf-8", "utf-16le", "utf-16be", "replacement", "x-user-defined"})


def canonical_label(label: str) -> str | None:
    """Return the canonical name of an encoding: ``windows-1252`` for ``latin1``, ``gb18030`` for ``gb2312``.

    `None` if the WHATWG Encoding Standard (section 4.2) does not define the label.
    """
    return _LABELS.get(label.strip("\t\n\f\r ").lower())


def detect_encoding(body: bytes, content_type: str | None) -> str:
    """Return the encoding to decode `body` with.

    Parameters:
        body: The content; a prefix will do.
        content_type: The ``Content-Type`` header field; `None` if there was none.

    Returns:
        The name in the WHATWG Encoding Standard, in lower case; ``gb18030`` stands for GBK, too. Unknown labels are
        ignored.
    """
    kind = mime_type(content_type or "")
    return (
        _encoding_by_bom(body)
        or canonical_label(kind.charset)
        or _encoding_by_markup(body, kind)
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
    if body.startswith(b"\xef\xbb\xbf"):
        return "utf-8"
    if body.startswith(b"\xff\xfe"):
        return "utf-16le"
    return "utf-16be" if body.startswith(b"\xfe\xff") else None


def _encoding_by_markup(body: bytes, kind: MimeType) -> str | None:
    """Return the encoding that HTML or XML declares in its first 1024 bytes."""
    head = body[:_PRESCAN]
    if kind.is_xml:  # XHTML may lack a declaration, and is parsed as HTML anyway
        return _encoding_by_declaration(head) or _encoding_by_meta(head)
    return _encoding_by_meta(head) or _encoding_by_declaration(head) if kind.is_html or not kind.essence else None


def _encoding_by_meta(head: bytes) -> str | None:
    """Return the encoding of a ``<meta>`` (HTML Standard, "prescan a byte stream to determine its encoding")."""
    for markup in _MARKUP.finditer(head):
        meta = markup["meta"]
        if meta is not None and (label := _encoding_of_meta(meta)):
            return label
    return None


def _encoding_by_declaration(head: bytes) -> str | None:
    """Return the encoding of an XML declaration, whose first bytes show UTF-16 (XML 1.0 appendix F.1)."""
    for label in ("utf-16le", "utf-16be"):
        if head.startswith("<?x".encode(label)):
            return label
    xml = _XML_DECLARATION.match(head)
    return _ascii_compatible(xml[1] or xml[2] or b"") if xml else None


@lru_cache(maxsize=1024)
def _encoding_of_meta(attributes: bytes) -> str | None:
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


def _encoding_by_content(body: bytes) -> str:
    """Return UTF-8 if the bytes are valid UTF-8, except for a cut last character; else a guess.

    The guess looks at 8 kB from the first byte outside ASCII. UTF-16 without a mark shows by its zeros, since markup is
    ASCII.
    """
    if b"\0" in body[:_PRESCAN] and (wide := _utf16_by_zeros(body[:_PRESCAN])):
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
