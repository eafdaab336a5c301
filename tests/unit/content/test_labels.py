"""The labels of encodings are those of the standard."""

from __future__ import annotations

import codecs

import pytest
from support.cases import each

from crawler.content.encoding import decode
from crawler.content.labels import _LABELS, canonical_label, python_codec, standard_name

# WHATWG Encoding Standard, section 4.2: an encoding, and how many labels it has.
STANDARD = {
    "utf-8": 6, "ibm866": 4, "iso-8859-2": 9, "iso-8859-3": 9, "iso-8859-4": 9, "iso-8859-5": 8, "iso-8859-6": 14,
    "iso-8859-7": 12, "iso-8859-8": 11, "iso-8859-8-i": 3, "iso-8859-10": 7, "iso-8859-13": 3, "iso-8859-14": 3,
    "iso-8859-15": 6, "iso-8859-16": 1, "koi8-r": 5, "koi8-u": 2, "macintosh": 4, "windows-874": 6, "windows-1250": 3,
    "windows-1251": 3, "windows-1252": 17, "windows-1253": 3, "windows-1254": 12, "windows-1255": 3, "windows-1256": 3,
    "windows-1257": 3, "windows-1258": 3, "x-mac-cyrillic": 2, "gb18030": 10, "big5": 5, "euc-jp": 3,
    "iso-2022-jp": 2, "shift_jis": 8, "euc-kr": 10, "replacement": 6, "utf-16be": 2, "utf-16le": 7,
    "x-user-defined": 1,
}  # fmt: skip


def test_every_label_of_the_standard_is_known():
    assert {name: list(_LABELS.values()).count(name) for name in _LABELS.values()} == STANDARD
    assert sum(STANDARD.values()) == 228


@each(
    ("label", "name"),
    [
        ("iso-8859-1", "windows-1252"),
        ("latin1", "windows-1252"),
        ("ASCII", "windows-1252"),
        (" UTF8\n", "utf-8"),
        ("gb2312", "gb18030"),
        ("gbk", "gb18030"),
        ("Shift_JIS", "shift_jis"),
        ("utf-16", "utf-16le"),
        ("iso-8859-9", "windows-1254"),
        ("ks_c_5601-1987", "euc-kr"),
        ("hz-gb-2312", "replacement"),
        ("utf-7", None),
        ("cp437", None),
        ("", None),
    ],
)
def test_labels_have_the_meaning_of_the_standard(label, name):
    assert canonical_label(label) == name


ENCODINGS = sorted(set(_LABELS.values()))


@each("name", ENCODINGS)
def test_every_encoding_has_a_codec(name):
    assert codecs.lookup(python_codec(name))
    assert "abc".encode(python_codec(name))


@each("name", [name for name in ENCODINGS if name not in ("replacement", "x-user-defined")])
def test_letters_that_were_encoded_decode_to_themselves(name):
    text = "".join(
        character
        for character in map(chr, [*range(0x20, 0x7F), *range(0x410, 0x450), *range(0x3041, 0x3094), 0xE9, 0x20AC])
        if character.encode(python_codec(name), "ignore")
    )
    assert decode(text.encode(python_codec(name)), name) in (text, text.replace("\\", "¥").replace("~", "‾"))


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("utf-8", "UTF-8"),
        ("iso-8859-8-i", "ISO-8859-8-I"),
        ("shift_jis", "Shift_JIS"),
        ("windows-1252", "windows-1252"),
    ],
)
def test_names_as_the_standard_writes_them(label, name):
    assert standard_name(label) == name
