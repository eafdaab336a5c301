"""Every encoding of the WHATWG standard has a Python codec that encodes what browsers would send."""

from __future__ import annotations

import codecs

import pytest
from support.cases import each

from crawler.content.encoding import decode
from crawler.content.labels import _LABELS
from crawler.content.python_codecs import python_codec, standard_name

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
