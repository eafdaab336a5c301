"""Encodings as the WHATWG Encoding Standard defines them, the same for texts, selectors and links."""

from __future__ import annotations

import codecs
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import Response, html
from crawler.content import decode, detect_encoding, is_html

URL = "https://site.test/"


def page(body: bytes, content_type: str | None = "text/html") -> Response:
    return Response(URL, 200, {} if content_type is None else {"Content-Type": content_type}, body)


# ---- decoders --------------------------------------------------------------------------------------------------------

PYTHON = {
    "ibm866": "cp866", "macintosh": "mac_roman", "x-mac-cyrillic": "mac_cyrillic", "windows-874": "cp874",
    "iso-8859-8-i": "iso-8859-8",
    **{name: name for name in (
        *(f"iso-8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)), "koi8-r", "koi8-u",
        *(f"windows-{number}" for number in range(1250, 1259)),
    )},
}  # fmt: skip
# Encoding Standard, section 9: where its indexes differ from Python's codecs, beyond the bytes 0x80 to 0x9F that
# Python leaves undefined and the standard maps to the control characters of that number.
DIFFERENT = {"koi8-u": {0xAE: "ў", 0xBE: "Ў"}, "windows-1255": {0xCA: "\u05ba"}}


@each("name", PYTHON)
def test_each_byte_of_a_single_byte_encoding_is_the_character_of_the_standard(name: str) -> None:
    for number in range(256):
        byte = bytes([number])
        expected = byte.decode(PYTHON[name], "replace")
        if expected == "\ufffd" and number < 0xA0 and name.startswith("windows"):
            expected = chr(number)
        assert decode(byte, name) == DIFFERENT.get(name, {}).get(number, expected), hex(number)


@each(
    ("label", "body", "text"),
    [
        # 10.2 gb18030: ranges, the range that is one character, 0x80, and what is given back after an error
        ("gb18030", "8130 8130", "\x80"),
        ("gb18030", "9030 8130", "\U00010000"),
        ("gb18030", "e332 9a35", "\U0010ffff"),
        ("gb18030", "e332 9a36", "\ufffd"),
        ("gb18030", "8135 f437", "\ue7c7"),
        ("gb18030", "8431 a437", "\ufffd"),
        ("gb18030", "a3a0", "\u3000"),
        ("gb18030", "80 ff", "€\ufffd"),
        ("gb18030", "81 3c", "\ufffd<"),
        ("gb18030", "8130 3c", "\ufffd0<"),
        ("gb18030", "8130 81 3c", "\ufffd0\ufffd<"),
        ("gb2312", "a2e3", "€"),
        # 11.1 Big5: pairs of characters, and the Hong Kong supplement
        ("big5", "8862 8864 88a3 88a5", "Ê\u0304Ê\u030cê\u0304ê\u030c"),
        ("big5-hkscs", "a3e1", "€"),
        ("big5", "a145 a14e", "\u2027\ufe51"),
        ("big5", "81 3c", "\ufffd<"),
        ("big5", "80 ff", "\ufffd\ufffd"),
        # 12.1 EUC-JP: half-width katakana, JIS X 0212
        ("euc-jp", "8eb1 8fa2af ada1", "\uff71\u02d8①"),
        ("euc-jp", "8fa2 3c", "\ufffd<"),
        ("euc-jp", "a1c1", "\uff5e"),
        # 12.2 ISO-2022-JP: Roman, katakana, an empty escape
        ("iso-2022-jp", "1b2442 2522 1b2842 61", "アa"),
        ("iso-2022-jp", "1b284a 5c7e", "¥‾"),
        ("iso-2022-jp", "1b2849 31", "\uff71"),
        ("iso-2022-jp", "1b2442 1b2842 61", "\ufffda"),
        ("iso-2022-jp", "0e", "\ufffd"),
        # 12.3 Shift_JIS: 0x80, half-width katakana, the characters that end users made
        ("shift_jis", "80 a1 df", "\x80\uff61\uff9f"),
        ("shift_jis", "f040 f9fc", "\ue000\ue757"),
        ("shift_jis", "5c7e 815f 8160", "\\~\uff3c\uff5e"),
        ("shift_jis", "a0 fd", "\ufffd\ufffd"),
        ("shift_jis", "81 30", "\ufffd0"),
        ("ms_kanji", "8740", "①"),
        # 13.1 EUC-KR: windows-949
        ("euc-kr", "b0a1 8141 a2e6", "가갂€"),
        ("euc-kr", "c9a1", "\ufffd"),
        ("euc-kr", "a1 3c", "\ufffd<"),
        # 8.1 UTF-8: as few replacements as maximal subparts
        ("utf-8", "c080", "\ufffd\ufffd"),
        ("utf-8", "e282 61", "\ufffda"),
        ("utf-8", "f09f98", "\ufffd"),
        ("utf-8", "f4908080", "\ufffd" * 4),
        ("utf-8", "edb080", "\ufffd" * 3),
        ("utf-8", "efbbbf efbbbf 61", "\ufeffa"),
        # 14.2 UTF-16: surrogates that stand alone, half a unit
        ("utf-16le", "00dc 00d8", "\ufffd\ufffd"),
        ("utf-16be", "d83d de00", "😀"),
        ("utf-16le", "61", "\ufffd"),
        # 14.1 and 14.5
        ("replacement", "61 62", "\ufffd"),
        ("replacement", "", ""),
        ("x-user-defined", "7f 80 ff", "\x7f\uf780\uf7ff"),
    ],
)  # fmt: skip
def test_decoders_follow_the_standard_where_codecs_differ(label: str, body: str, text: str) -> None:
    assert decode(bytes.fromhex(body), label) == text


# ---- which one -------------------------------------------------------------------------------------------------------


@each(
    ("body", "content_type", "encoding"),
    [
        # byte order mark > header > meta
        (b"\xef\xbb\xbf<meta charset=koi8-r>", "text/html; charset=windows-1251", "utf-8"),
        (b"<meta charset=koi8-r>", "text/html; charset=windows-1251", "windows-1251"),
        (b"<meta charset=koi8-r>", "text/html", "koi8-r"),
        (b"<meta charset=koi8-r>", None, "koi8-r"),
        # an unknown label falls through
        (b"<meta charset=koi8-r>", "text/html; charset=klingon", "koi8-r"),
        (b"<meta charset=klingon>\xc3\xa9", "text/html; charset=klingon", "utf-8"),
        # quoted, twice, garbage
        (b"", 'text/html; charset="koi8-r"', "koi8-r"),
        (b"", "text/html; charset=koi8-r; charset=utf-8", "koi8-r"),
        (b"", "text/html; charset=utf8", "utf-8"),
        (b"", "text/html; charset=;;;===", "utf-8"),
        # in two fields: the last type that is one; its charset, if another of the same type had one
        (b"", "text/html; charset=koi8-r, text/html; charset=windows-1251", "windows-1251"),
        (b"", "text/html; charset=koi8-r, text/html", "koi8-r"),
        (b"", "text/plain; charset=koi8-r, text/html", "utf-8"),
        (b"", "text/html; charset=koi8-r, */*", "koi8-r"),
        # a meta counts in HTML only
        (b'"<meta charset=koi8-r>"', "application/json", "utf-8"),
        (b"<meta charset=koi8-r>", "text/plain", "utf-8"),
        # a meta cannot declare UTF-16, and x-user-defined means windows-1252
        (b"<meta charset=utf-16>", "text/html", "utf-8"),
        (b"<meta charset=x-user-defined>", "text/html", "windows-1252"),
        # beyond the first 1024 bytes
        (b" " * 1024 + b"<meta charset=koi8-r>", "text/html", "koi8-r"),
        # XML: its declaration comes first
        (b"<?xml version='1.0' encoding='koi8-r'?><meta charset='windows-1251'/>", "application/xhtml+xml", "koi8-r"),
        (b"<?xml version='1.0' encoding='koi8-r'?><rss/>", "application/rss+xml", "koi8-r"),
        (b"<?xml version='1.0' encoding='koi8-r'?><a/>", "text/xml; charset=utf-8", "utf-8"),
        (b"<?xml version='1.0' encoding='koi8-r'?><meta charset='windows-1251'>", "text/html", "windows-1251"),
        (b"<?xml version='1.0' encoding='UTF-16'?><a/>", "application/xml", "utf-8"),
        ("<?xml version='1.0'?><a/>".encode("utf-16-le"), "application/xml", "utf-16le"),
        ("<?xml version='1.0'?><a/>".encode("utf-16-be"), "application/xml", "utf-16be"),
        ("<?xml version='1.0'?><html>".encode("utf-16-be"), "text/html", "utf-16be"),
        # UTF-16 without a mark
        ("<!doctype html><p>Съешь ещё</p>".encode("utf-16-le"), "text/html", "utf-16le"),
        ("<!doctype html><p>Съешь ещё</p>".encode("utf-16-be"), None, "utf-16be"),
        ("<p>x".encode("utf-16-le"), "text/html; charset=utf-16", "utf-16le"),
        # zeros that do not show UTF-16
        (b"<p>\0x\0\0y</p>", "text/html", "utf-8"),
        (b"\0" * 1000, "text/html", "utf-8"),
    ],
)  # fmt: skip
def test_the_encoding_is_found_in_the_order_of_browsers(body: bytes, content_type: str | None, encoding: str) -> None:
    assert page(body, content_type).encoding == encoding


SAMPLES = {
    "windows-1250": "Příliš žluťoučký kůň úpěl ďábelské ódy", "windows-1251": "Съешь же ещё этих мягких булок",
    "windows-1252": "“Größe” – façade €", "windows-1253": "Γαζέες καὶ μυρτιὲς".replace("ὶ", "ί").replace("ὲ", "έ"),
    "windows-1254": "Hasta yağmur şoföre", "windows-1255": "דג סקרן שט בים", "windows-1256": "نص حكيم له سر",
    "windows-1257": "Įlinkdama fechtuotojo špaga", "windows-1258": "Tiếng Việt".replace("ế", "e").replace("ệ", "e"),
    "shift_jis": "いろはにほへと ちりぬるを", "euc-jp": "いろはにほへと", "iso-2022-jp": "いろはにほへと",
    "gb18030": "天地玄黄 宇宙洪荒 😀", "big5": "天地玄黃 宇宙洪荒", "euc-kr": "키스의 고유조건은",
    "koi8-r": "Съешь же ещё", "utf-8": "naïve 😀", "utf-16": "naïve 😀",
}  # fmt: skip


@each("charset", SAMPLES)
@each("where", ["header", "meta"])
def test_text_selectors_and_links_are_of_the_same_encoding(charset: str, where: str) -> None:
    text = SAMPLES[charset]
    meta = f"<meta charset={charset}>" if where == "meta" else ""
    markup = f'<!doctype html>{meta}<title>{escape(text)}</title><a href="/x#{text.split()[0]}">{escape(text)}</a>'
    mark = codecs.BOM_UTF16_LE if charset == "utf-16" else b""
    body = mark + markup.encode("utf-16-le" if mark else charset)
    response = page(body, f"text/html; charset={charset}" if where == "header" else "text/html")
    assert response.text == markup
    assert response.css("title::text").get() == response.xpath("string(//title)").get() == text
    (link,) = response.links()
    assert (link.text, link.fragment, response.hrefs()) == (text, text.split()[0], [f"{URL}x"])


@given(st.binary(max_size=200), st.sampled_from(["utf-8", "utf-16", "shift_jis", "gb18030", "iso-2022-jp", "big5"]))
def test_no_bytes_make_text_selectors_and_links_disagree(noise: bytes, charset: str) -> None:
    response = page(b"<a href=/" + noise + b">" + noise, f"text/html; charset={charset}")
    again = Response(URL, 200, {"Content-Type": "text/html; charset=utf-8"}, response.text)
    assert html.hrefs(again.document, URL, ("a",), response.encoding) == response.hrefs()
    assert [link.text for link in again.links()] == [link.text for link in response.links()]
    if not response.text.startswith("\ufeff"):  # a second mark is text here, and a mark there
        assert again.css("*::text").getall() == response.css("*::text").getall()


# ---- kinds of content ------------------------------------------------------------------------------------------------


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the bodies that are parsed."""
    sizes: list[int] = []
    parse = html.parse

    def noting(body: bytes, label: str) -> object:
        sizes.append(len(body))
        return parse(body, label)

    monkeypatch.setattr(html, "parse", noting)
    return sizes


NO_PAGES = {
    "image": ("image/png", b"\x89PNG\r\n\x1a\n\0\0<a href=/x>" + bytes(5000)),
    "PDF": ("application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\0<a href=/x>"),
    "archive": ("application/zip", b"PK\x03\x04\x14\0<a href=/x>"),
    "bytes": ("application/octet-stream", b"\x7fELF\x02\x01\x01\0<a href=/x>"),
    "text that is none": ("text/plain", b"\x1f\x8b\x08\0\0\0<a href=/x>"),
    "no type": (None, b"GIF89a\x01\0\x01\0<a href=/x>"),
}


@pytest.mark.parametrize("case", NO_PAGES)
def test_binary_data_has_no_links_and_no_elements_and_is_not_parsed(case: str, parsed: list[int]) -> None:
    content_type, body = NO_PAGES[case]
    response = page(body, content_type)
    assert response.hrefs() == response.links() == list(response.follow_all()) == []
    assert parsed == []
    assert response.css("a").getall() == response.xpath("//a").getall() == list(response.follow_all("a")) == []
    assert parsed == [0]
    assert isinstance(response.text, str)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"a": "<a href=/x>"}'),
        ("application/xml", b"<rss><link href='/x'/></rss>"),
        ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'><a href='/x'/></svg>"),
        ("text/plain", b"<a href=/x>"),
    ],
)
def test_plain_text_has_no_links_but_is_parsed_on_demand(content_type: str, body: bytes, parsed: list[int]) -> None:
    response = page(body, content_type)
    assert response.hrefs() == response.links() == list(response.follow_all()) == []
    assert parsed == []
    assert response.css("::attr(href)").get("").strip('"') == "/x"


def test_the_tree_of_xml_is_made_by_the_rules_of_html_and_its_selectors_by_those_of_xml() -> None:
    feed = page(
        b"<?xml version='1.0'?><rss><Item><link>https://a.test/</link><dc:Creator>me</dc:Creator><b/>x</Item></rss>",
        "application/rss+xml",
    )
    assert [element.tag for element in feed.document.select("item, link, dc\\:creator")] == [
        "item",
        "link",
        "dc:creator",
    ]
    assert feed.css("item").get() is None
    assert feed.css("Item > link::text").get() == "https://a.test/"


@given(st.text(max_size=80), st.binary(max_size=60))
def test_any_field_and_any_bytes_have_a_kind_and_an_encoding(content_type: str, body: bytes) -> None:
    assert is_html(content_type, body) in (True, False)
    decode(body, detect_encoding(body, content_type)).encode()
