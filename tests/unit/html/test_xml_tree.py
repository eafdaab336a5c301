"""`parse_xml`: well-formed documents as they are, others repaired, hostile ones harmless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.html import xml_tree
from crawler.html.xml_tree import is_declaration, parse_xml

PIECES = st.sampled_from([
    "<a>", "</a>", "<B c='1'", ">", "<a/>", "<x:y>", "</x:y>", "<a x:b='1' y:b='2'>", "<a xmlns='u' xmlns:x='v'>",
    "<a xmlns:x=''>", "<xmlns:a>", "<xml:a>", "<a xmlns:xml='u'>", "<a crawler-declares='7'>", "<a b b='2' b=3/>",
    "<a:b:c>", "<:a>", "<²>", "<a ²='1'>", "<a\ud800>", "<!--", "-->", "--", "<![CDATA[", "]]>", "<?", "?>", "<?xml ",
    "<?xml version='1.0'?>", "<!DOCTYPE a [", "<!ENTITY e 'f'>", "]>", "<!x", "&", "&e;", "&nbsp;", "&#0;", "&#xD800;",
    "&#x110000;", "&#65;", "'", '"', "<", "=", "/", "\0", "\x0b", "\ufffe", "\udfff", "é", " ", "\r\n", "x",
])  # fmt: skip


def html_of(text: str) -> str | None:
    root = parse_xml(text).root
    return None if root is None else root.html


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<?xml version='1.0'?><!DOCTYPE A SYSTEM 'x'><A b='1'><c/></A>", '<A b="1"><c></c></A>'),
        ("\ufeff\r\n <?xml version='1.0'?><a/>", "<a></a>"),
        ("<a><![CDATA[<b> & ]]>c</a>", "<a>&lt;b&gt; &amp; c</a>"),
        ("<a><!-- <![CDATA[ --><b/></a>", "<a><!-- <![CDATA[ --><b></b></a>"),
    ],
)
def test_a_well_formed_document_is_parsed_as_it_is(text, expected):
    assert html_of(text) == expected


@each(
    ("text", "expected"),
    [
        ("<a><b>1<c>2</a>", "<a><b>1<c>2</c></b></a>"),  # not closed
        ("<r><i>1<br>2</i><i>3</i></r>", "<r><i>1<br>2</br></i><i>3</i></r>"),
        ("<a>1</b>2</a>", "<a>12</a>"),  # no start
        ("<a><b>1", "<a><b>1</b></a>"),  # truncated
        ("<a><b>1</b", "<a><b>1</b></a>"),
        ("<a/><b/>", "<a></a>"),  # a second root
        ("<a>1</a>2<b>3", "<a>1</a>"),
        ("text <a>1</a>", "<a>1</a>"),
        ("<a>x & y < z &lt; &eacute;&nope;</a>", "<a>x &amp; y &lt; z &lt; é&amp;nope;</a>"),
        ("<a>]]>\x01&#0;&#55296;</a>", "<a>]]&gt;\ufffd\ufffd</a>"),
        ("<a><!-- -- -->1<?php x ?>2<![CDATA[<3&]]></a>", "<a>12&lt;3&amp;</a>"),
        ("<a b=1 c='&amp;&' d e=http://x/>y", '<a b="1" c="&amp;&amp;" d="" e="http://x"></a>'),
        ("<a b='1' b='2'/>", '<a b="1"></a>'),
        ("<a b='x>y'><c d='</a>", '<a b="x&gt;y"><c d=""></c></a>'),
        ("<a><g:b g:c='1'/></a>", '<a><g:b g:c="1"></g:b></a>'),  # no declaration
        ("<a xmlns:g='u' xmlns='v'><g:b>&</a>", '<a xmlns:g="u" xmlns="v"><g:b>&amp;</g:b></a>'),
        ("<a><b xmlns:g='u'>&</b><g:c/></a>", '<a><b xmlns:g="u">&amp;</b><g:c></g:c></a>'),
        ("<a:b:c>1</a:b:c>", "<a:b>1</a:b>"),
        ("<!DOCTYPE a [<!ENTITY e 'f'>]><a>&e;</a>", "<a>&amp;e;</a>"),
        ("<!DOCTYPE a [<!ENTITY e ']>'><a>1</a>", "<a>1</a>"),
        ("", None),
        ("text", None),
        ("{}", None),
    ],
)
def test_any_other_document_is_repaired(text, expected):
    assert html_of(text) == expected


@given(st.lists(PIECES | st.text(max_size=3), max_size=25).map("".join))
def test_no_document_raises_an_error(text):
    for document in (parse_xml(text), parse_xml(f"<r>{text}"), parse_xml(f"<r>&{text}</r>")):
        document.html.encode()
        assert document.select("[crawler-declares]") == []


def test_an_entity_is_not_replaced_however_it_is_declared():
    levels = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 9))
    bomb = f"<!DOCTYPE a [<!ENTITY e0 'ha'>{levels}<!ENTITY f SYSTEM 'file:///etc/hostname'>]><a>&e8;&f;</a>"
    assert html_of(bomb) == "<a>&amp;e8;&amp;f;</a>"


def test_a_deep_document_is_parsed():
    assert len(parse_xml("<a>" * 100_000).select("a")) == 100_000


def test_the_first_tags_of_a_document_with_too_many_count(monkeypatch, caplog):
    monkeypatch.setattr(xml_tree, "MAX_TAGS", 3)
    assert html_of("<a><b/><c/><d/><e/></a>") == "<a><b></b><c></c></a>"
    assert "the first 3 count" in caplog.text


def test_declarations_of_namespaces_are_recognised():
    assert [is_declaration(name) for name in ("xmlns", "xmlns:g", "xmlnsx", "g:xmlns")] == [True, True, False, False]
