"""Records of XML: elements of one name in any namespace, errors that affect one record, hostile documents refused."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pauses import without_pauses

from crawler.records import BrokenRecord, element_to_dict, qualified_name, xml_records

CONTENT = st.lists(
    st.sampled_from(["é ", "&amp;", "<a x='1'>", "<a/>", "<g:c>", "<![CDATA[<]]>", "<!-- > -->"]), max_size=5
)


def closed(parts: list[str]) -> str:
    """Content of an element, its elements closed."""
    ends = [f"</{part[1:].partition(' ')[0].rstrip('>')}>" for part in parts if part[-1] == ">" and part[1] in "ag"]
    return "".join(parts) + "".join(reversed([end for end in ends if "/a/" not in end]))


@given(st.lists(CONTENT.map(closed)), st.data())
async def test_xml_is_read_as_elementtree_reads_it_and_damage_costs_one_record(contents, data):
    tags = [data.draw(st.sampled_from(["item", "g:item"])) for _ in contents]
    written = [f"<{tag}>{content}</{tag}>" for tag, content in zip(tags, contents, strict=True)]
    around = "<r xmlns='urn:d' xmlns:g='urn:g'><!-- <item> -->{}<other/></r>"
    expected = [ElementTree.tostring(one) for one in ElementTree.fromstring(around.format("".join(written)))][:-1]
    damage = data.draw(st.sampled_from(["&", "<b>", "</b>", "<", "<b x>", "&nope;", "<b:c/>", "\0"]))
    for index in {-1, data.draw(st.integers(-1, len(contents) - 1))}:
        parts = [tag.replace(">", f">{damage}", 1) if n == index else tag for n, tag in enumerate(written)]
        text = around.format("".join(parts))
        size = data.draw(st.integers(1, 40))
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        records = without_pauses(xml_records(pieces, "item"))
        good = [ElementTree.tostring(one) for one in records if not isinstance(one, BrokenRecord)]
        assert good == [one for n, one in enumerate(expected) if n != index]
        assert len(records) - len(good) == (index >= 0)


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ("<a/>", {}),
        ("<a> x </a>", {"#text": "x"}),
        ("<a b='1'>x<c> y </c>z</a>", {"@b": "1", "c": "y", "#text": "x z"}),
        ("<a><c>1</c><d/><c e='2'>3</c><c/></a>", {"c": ["1", {"@e": "2", "#text": "3"}, ""], "d": ""}),
        ("<a xmlns:g='u' g:b='1'><g:c>2</g:c></a>", {"@b": "1", "c": "2"}),
    ],
)
def test_an_element_as_a_dict(xml, expected):
    assert element_to_dict(ElementTree.fromstring(xml)) == expected


@pytest.mark.parametrize(
    ("tag", "name"),
    [("item", "item"), ("{urn:u}item", "{urn:u}item"), ("{}item", "{}item"), ("g:item", "{urn:g}item"), ("é", "é")],
)
def test_names_of_elements(tag, name):
    assert qualified_name(tag, {"g": "urn:g"}) == name


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("", "not an element name: ''"),
        ("a b", "not an element name: 'a b'"),
        ("a:b:c", "not an element name: 'a:b:c'"),
        ("<a>", "not an element name: '<a>'"),
        ("h:item", "the prefix 'h' has no namespace; add it to namespaces"),
    ],
)
def test_an_invalid_element_name_is_refused(tag, message):
    with pytest.raises(ValueError, match="^not an element name|^the prefix") as caught:
        qualified_name(tag, {"g": "urn:g"})
    assert str(caught.value) == message


TWO = "<r xmlns='urn:d' xmlns:g='urn:g'><item>1</item><g:item>2<item>inner</item></g:item><other/></r>"


@pytest.mark.parametrize(
    ("tag", "texts"),
    [("item", ["1", "2inner"]), ("{urn:d}item", ["1", "inner"]), ("{urn:g}item", ["2inner"]), ("x", [])],
)
def test_the_namespace_counts_if_it_is_given(tag, texts):
    for size in (1, 5, 1000):
        chunks = [TWO[at : at + size] for at in range(0, len(TWO), size)]
        assert ["".join(one.itertext()) for one in without_pauses(xml_records(chunks, tag))] == texts


def test_a_document_that_declares_an_entity_is_refused():
    with pytest.raises(ValueError, match="^the document declares the entity 'a'; documents with entities are refused$"):
        without_pauses(xml_records(["<!DOCTYPE r [<!ENTITY a 'x'>]><r><item>&a;</item></r>"], "item"))


def test_an_undefined_entity_and_deep_nesting_break_one_record():
    text = f"<!DOCTYPE r SYSTEM 'x.dtd'><r><item>&x;</item><item>{'<d>' * 300}{'</d>' * 300}</item><item>3</item></r>"
    first, second, third = without_pauses(xml_records([text], "item"))
    assert first == BrokenRecord("record 1: the entity 'x' is not defined")
    assert second == BrokenRecord("record 2: elements nested more than 200 deep")
    assert third.text == "3"


def test_a_record_of_very_many_elements_is_broken_and_the_next_one_is_read(monkeypatch):
    monkeypatch.setattr("crawler.records.xml.MAX_ELEMENTS", 5)
    fits, large = "<r><a>1</a><a>2</a><b><c/></b></r>", "<r><a><b/></a><a/>x<a><b>y</b></a></r>"
    found = list(without_pauses(xml_records([f"<x>{large}{fits}{large}{fits}</x>"], "r")))
    assert [isinstance(record, BrokenRecord) for record in found] == [True, False, True, False]
    assert found[0].reason == "record 1: more than 5 elements"
    assert element_to_dict(found[3]) == {"a": ["1", "2"], "b": {"c": ""}}


def test_the_text_of_a_record_is_bounded_while_it_is_read(monkeypatch):
    monkeypatch.setattr("crawler.records.xml.MAX_TEXT", 100)
    texts = ["<r><b>", *["x" * 10] * 20, "</b><b>good</b><b>", "x" * 100, "</b></r>"]
    broken, good, longest = without_pauses(xml_records(texts, "b"))
    assert broken == BrokenRecord("record 1: more than 100 characters")
    assert (good.text, len(longest.text)) == ("good", 100)
