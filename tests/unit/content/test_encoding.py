"""Detection of encodings: the order of the evidence, and decoding that never fails."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.content import canonical_label, decode, detect_encoding, encoding
from crawler.content.labels import _LABELS

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. Погода сегодня была очень хорошая."
JAPANESE = "これは日本語の文章です。今日はとても良い天気でした。東京へ行きました。"


@each("name", sorted(set(_LABELS.values())))
def test_every_name_is_its_own_label_and_can_be_decoded_with(name):
    assert canonical_label(name) == name
    assert isinstance(decode(bytes(range(256)), name), str)


@each(
    ("label", "body", "text"),
    [
        ("utf-8", b"caf\xc3\xa9", "café"),
        ("windows-1252", b"\x80 \x93quoted\x94", "€ “quoted”"),
        ("iso-8859-1", b"\x80", "€"),
        ("shift_jis", b"\x87\x40\xfa\x40", "①\u2170"),
        ("gb2312", "龘 €".encode("gb18030"), "龘 €"),
        ("big5", b"\x87\x40", "䏰"),
        ("euc-kr", "똠방각하".encode("cp949"), "똠방각하"),
        ("euc-jp", JAPANESE.encode("euc-jp"), JAPANESE),
        ("iso-2022-jp", JAPANESE.encode("iso-2022-jp"), JAPANESE),
        ("koi8-u", "Привіт, ґанок".encode("koi8-u"), "Привіт, ґанок"),
        ("windows-874", "สวัสดี".encode("cp874"), "สวัสดี"),
        ("iso-8859-8-i", "שלום".encode("iso-8859-8"), "שלום"),
        ("x-mac-cyrillic", "Привет".encode("mac-cyrillic"), "Привет"),
        ("x-user-defined", b"a\x80\xff", "a\uf780\uf7ff"),
        ("replacement", b"anything", "\ufffd"),
        ("utf-16be", "é".encode("utf-16-be"), "é"),
        ("utf-16", "é".encode("utf-16-le"), "é"),
    ],
)
def test_decoders_are_those_of_browsers(label, body, text):
    assert decode(body, label) == text


@pytest.mark.parametrize(
    ("label", "body", "text"),
    [
        ("utf-8", b"caf\xc3", "caf\ufffd"),
        ("utf-8", b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        ("utf-16le", b"a\x00b", "a\ufffd"),
        ("utf-16le", b"\x00\xd8a\x00", "\ufffda"),
        ("shift_jis", b"a\x81<b>", "a\ufffd<b>"),
        ("gb18030", b"\x81\x30\x81", "\ufffd"),
        ("no such label", b"caf\xc3\xa9", "café"),
    ],
)
def test_truncated_and_invalid_bytes_become_the_replacement_character(label, body, text):
    assert decode(body, label) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_decides_and_is_not_part_of_the_text(encoding):
    body = "\ufeff<meta charset=koi8-r>é".encode(encoding)
    label = detect_encoding(body, "text/html; charset=windows-1251")
    assert label == encoding.replace("16-", "16")
    assert decode(body, label) == "<meta charset=koi8-r>é"


@each(
    ("content_type", "label"),
    [
        ("text/html; charset=koi8-r", "koi8-r"),
        ('text/html; charset="KOI8-R"', "koi8-r"),
        ("text/html; charset='koi8-r'", "koi8-r"),
        ("text/html;charset = koi8-r ; x=y", "koi8-r"),
        ("text/html; x=y;charset=koi8-r;charset=utf-8", "koi8-r"),
        ("text/html charset=koi8-r", "koi8-r"),
        ("charset=utf-16", "utf-16le"),
        ("text/html; charset=x-user-defined", "x-user-defined"),
        ("text/html; charset=nonsense", "iso-8859-2"),
        ("text/html; charset=", "iso-8859-2"),
        ("text/html; xcharset=koi8-r", "iso-8859-2"),
        ("text/html", "iso-8859-2"),
        ("", "iso-8859-2"),
        (None, "iso-8859-2"),
        ("text/html;" + "charset " * 100_000, "iso-8859-2"),
    ],
)
def test_the_header_comes_before_the_meta_element_if_its_label_is_known(content_type, label):
    assert detect_encoding(b"<meta charset=iso-8859-2>", content_type) == label


@each(
    ("body", "label"),
    [
        (b"", "utf-8"),
        (b"plain", "utf-8"),
        ("é".encode(), "utf-8"),
        ("éé".encode()[:-1], "utf-8"),
        (b"caf\xe9 au lait", "windows-1252"),
        (b"caf\xe9", "windows-1252"),
        (RUSSIAN.encode("cp1251"), "windows-1251"),
        (RUSSIAN.encode("koi8-r"), "koi8-u"),
        (JAPANESE.encode("cp932"), "shift_jis"),
        (JAPANESE.encode("euc-jp"), "euc-jp"),
        (b"<p>" * 10_000 + RUSSIAN.encode("cp1251"), "windows-1251"),
    ],
)
def test_without_a_declaration_it_is_utf_8_if_valid_and_else_a_guess(body, label):
    assert detect_encoding(body, "text/html") == label


@given(st.binary(max_size=3000), st.none() | st.text(max_size=60))
def test_any_bytes_get_a_label_of_the_standard_and_a_text_that_can_be_encoded(body, content_type):
    label = detect_encoding(body, content_type)
    assert label in _LABELS.values()
    decode(body, label).encode()


@given(st.binary(max_size=300), st.text(max_size=20) | st.sampled_from(sorted(_LABELS)))
def test_decoding_never_raises_whatever_the_label(body, label):
    decode(body, label).encode()


@each(
    ("head", "label"),
    [
        (b"<meta charset=koi8-r>", "koi8-r"),
        (b"<META\nCHARSET = 'KOI8-R'/>", "koi8-r"),
        (b"<meta/charset=koi8-r>", "koi8-r"),
        (b'<meta name=x charset=" koi8-r ">', "koi8-r"),
        (b"<meta charset=koi8-r charset=iso-8859-2>", "koi8-r"),
        (b"<html lang='<meta charset=iso-8859-2>'><meta charset=koi8-r>", "koi8-r"),
        (b"<!-- <meta charset=iso-8859-2> --><meta charset=koi8-r>", "koi8-r"),
        (b"<!--><meta charset=koi8-r>", "koi8-r"),
        (b"<!DOCTYPE html><title>a<b</title><meta charset=koi8-r>", "koi8-r"),
        (b"<meta charset=nonsense><meta charset=koi8-r>", "koi8-r"),
        (b"<meta http-equiv=Content-Type content='text/html; charset=koi8-r'>", "koi8-r"),
        (b"<meta content='text/html; charset=koi8-r' http-equiv=content-type>", "koi8-r"),
        (b"<meta http-equiv=content-type content='charset; charset = \"koi8-r\"'>", "koi8-r"),
        (b"<meta charset=utf-16be>", "utf-8"),
        (b"<meta charset=x-user-defined>", "windows-1252"),
        (b"<meta charset=iso-2022-kr>", "replacement"),
        (b"<?xml version='1.0' encoding='koi8-r'?><html>", "koi8-r"),
        (b'<?xml version="1.0" encoding="utf-16"?><html>', "utf-8"),
        (b"<?xml version='1.0' encoding='iso-8859-2'?><meta charset=koi8-r>", "koi8-r"),
        (b"<!-- " + b"x" * 980 + b" --><meta charset=koi8-r>", "koi8-r"),
    ],
)
def test_the_meta_element_comes_before_the_content(head, label):
    assert detect_encoding(head + "<p>é".encode(), None) == label


@each(
    "head",
    [
        b"<meta content='text/html; charset=koi8-r'>",
        b"<meta http-equiv=refresh content='text/html; charset=koi8-r'>",
        b"<metacharset=koi8-r>",
        b"</meta charset=koi8-r>",
        b"<!-- <meta charset=koi8-r>",
        b"<!DOCTYPE <meta charset=koi8-r>",
        b"<p title='<meta charset=koi8-r>'>",
        b"<meta charset=",
        b"<meta charset=''>",
        b"<meta charset=\"'koi8-r'\">",
        b" <?xml version='1.0' encoding='koi8-r'?>",
    ],
)
def test_text_that_looks_like_a_meta_element_does_not_count(head):
    assert detect_encoding(head + "<p>é".encode(), None) == "utf-8"


FAR = b"<!DOCTYPE html>" + b" " * 1024


@each(
    "markup",
    [
        b"<meta charset=koi8-r>",
        b"<META content='text/html; charset=koi8-r' http-equiv=Content-Type>",
        b"<meta charset=nonsense><meta charset=koi8-r><meta charset=iso-8859-2>",
        b"<title><meta charset=iso-8859-2></title><body><p><meta charset=koi8-r>",
        b"<script>'<meta charset=iso-8859-2></scripts>'</SCRIPT ><meta charset=koi8-r>",
        b"<style/><meta charset=iso-8859-2></style><meta charset=koi8-r>",
        b"<noscript><meta charset=iso-8859-2></noscript><meta charset=koi8-r>",
        b"</script><meta charset=koi8-r>",
        b"<scripts><meta charset=koi8-r>",
        b"<!-- <script> --><meta charset=koi8-r>",
        b"<a title='<script>'><meta charset=koi8-r>",
    ],
)
@each("content_type", ["text/html", None, "text/html; charset=klingon"])
def test_a_meta_element_after_the_first_1024_bytes_counts(markup, content_type):
    assert detect_encoding(FAR + markup + "<p>é".encode(), content_type) == "koi8-r"


@pytest.mark.parametrize(
    "markup",
    [
        b"<script>'<meta charset=koi8-r>'</script>",
        b"<textarea><meta charset=koi8-r>",
        b"<!-- <meta charset=koi8-r> -->",
        b"<p title='<meta charset=koi8-r>'>",
        b"<meta name=charset content=koi8-r>",
        b"<meta charset=koi8-r",
        b" " * 262_144 + b"<meta charset=koi8-r>",
    ],
)
def test_text_that_looks_like_a_meta_element_after_the_first_1024_bytes_does_not_count(markup):
    assert detect_encoding(FAR + markup + "<p>é".encode(), "text/html") == "utf-8"


def test_a_meta_element_across_the_border_counts():
    assert detect_encoding(b"<html>" + b" " * 1005 + b"<meta charset=koi8-r>", "text/html") == "koi8-r"


def test_the_first_1024_bytes_come_before_the_others_and_those_before_an_xml_declaration():
    declared = b"<?xml version='1.0' encoding='iso-8859-2'?>"
    assert detect_encoding(b"<meta charset=koi8-r>" + FAR + b"<meta charset=big5>", "text/html") == "koi8-r"
    assert detect_encoding(declared + FAR + b"<meta charset=koi8-r>", "text/html") == "koi8-r"
    assert detect_encoding(declared + FAR + b"<meta charset=koi8-r>", "application/xhtml+xml") == "iso-8859-2"


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "application/rss+xml", None])
def test_far_markup_counts_in_html_only(content_type):
    assert detect_encoding(b'["' + b" " * 1024 + b'<meta charset=koi8-r>"]', content_type) == "utf-8"


FRAGMENTS = [b"<meta ", b"charset", b"=", b"'", b'"', b"koi8-r", b">", b"<!--", b"-->", b"<a ", b"/", b" ", b"content=",
             b"http-equiv=content-type ", b"<?xml encoding='koi8-r'", b"\xc3", b"<", b"!"]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=200))
def test_any_broken_markup_gets_a_label(fragments):
    assert detect_encoding(b"".join(fragments), None) in _LABELS.values()


@given(st.lists(st.sampled_from([*FRAGMENTS, b"<META\n", b"<mEtA/", b"<script>", b"</script>", b"<p "]), max_size=60))
def test_the_look_that_spares_pages_the_search_changes_no_label(fragments):
    body = FAR + b"".join(fragments)
    label = detect_encoding(body, "text/html")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(encoding, "_may_declare", lambda _document: True)
        assert detect_encoding(body, "text/html") == label


def test_a_meta_element_counts_after_many_that_declare_nothing():
    assert detect_encoding(FAR + b"<meta name=a>" * 200 + b"<meta charset=koi8-r>", "text/html") == "koi8-r"


@each("start", [b"", FAR + b"charset"])
@each(
    "fragment",
    [
        *FRAGMENTS,
        b"a",
        b"<!-",
        b"<meta a",
        b"<a =",
        b"charset =",
        b"<meta charset='",
        b"\xe9",
        b"<script>",
        b"</script",
        b"<x ",
        b"<meta charset",
        b"<META a>",
    ],
)
def test_the_label_of_a_megabyte_of_anything_takes_no_time(fragment, start):
    body = start + fragment * (1_000_000 // len(fragment))
    began = time.process_time()
    detect_encoding(body, None)
    assert time.process_time() - began < 0.5
