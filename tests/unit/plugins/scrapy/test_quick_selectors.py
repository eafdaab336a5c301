"""Selectors of texts are those of Scrapy."""

from __future__ import annotations

import pytest
from crawler_plugins.scrapy import quick_selectors
from scrapy import Selector

TEXTS = ["One 1", "", " two ", "<b>&amp;</b>", "é"]
QUERY = "//a/text()"


@pytest.fixture(params=["quick", "plain"])
def texts(request, monkeypatch):
    """Selectors, made quickly or by the constructor."""
    assert quick_selectors._selector is quick_selectors._quick_selector
    monkeypatch.setattr(quick_selectors, "_selector", getattr(quick_selectors, f"_{request.param}_selector"))
    return quick_selectors.texts_of(TEXTS, QUERY)


def test_quick_selectors_behave_as_those_of_scrapy(texts):
    theirs = Selector.selectorlist_cls([Selector(root=text, type="html", _expr=QUERY) for text in TEXTS])
    assert isinstance(texts, type(theirs))
    for ours in (texts, texts[:], texts[1:3]):
        those = theirs if len(ours) == len(theirs) else theirs[1:3]
        assert [ours.getall(), ours.get(), ours.extract(), ours.extract_first()] == [
            those.getall(), those.get(), those.extract(), those.extract_first(),
        ]  # fmt: skip
        assert (repr(ours), type(ours).__name__) == (repr(those), type(those).__name__)
    assert [texts.re(r"\\w+"), texts.re_first(r"\\d")] == [theirs.re(r"\\w+"), theirs.re_first(r"\\d")]
    assert [one.root for one in texts] == [one.root for one in theirs]
    assert quick_selectors._fields(texts[0]) == quick_selectors._fields(theirs[0])
    assert [one.attrib for one in texts[:0]] == []
    assert texts.xpath(".").getall() == theirs.xpath(".").getall()
    assert texts.css("b").getall() == theirs.css("b").getall()
    texts[0].namespaces["a"] = "b"
    assert "a" not in texts[1].namespaces


def test_a_default_is_returned_without_texts_and_elements_are_serialized(texts):
    assert [texts[:0].get(), texts[:0].get("none"), texts[:0].extract_first(default="none")] == [None, "none", "none"]
    element = Selector(text="<p>x</p>").css("p")[0]
    mixed = texts[:0]
    mixed.append(element)
    assert (mixed.getall(), mixed.get()) == (["<p>x</p>"], "<p>x</p>")


class Own(Selector):
    """A selector of a project."""


PAGE = "<html><body><p class=a>x<b>y</b></p><p>z</p></body></html>"
QUERIES = ["//p", "//p/text()", "//p/@class", "count(//p)", "//p = 'z'", "string(//b)", "//no"]


def found(kind, query, **given):
    """What a query finds, with the fields of each selector."""
    results = kind(text=PAGE, **given).xpath(query)
    fields = [quick_selectors._fields(one) | {"root": str(one.root)[:8]} for one in results]
    return fields, [type(one) for one in results], results.getall(), repr(results)[:20]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("kind", [Selector, Own])
@pytest.mark.parametrize("given", [{}, {"type": "xml"}, {"namespaces": {"a": "urn:a"}}], ids=["html", "xml", "names"])
def test_selectors_of_elements_have_the_same_attributes_as_in_scrapy(query, kind, given, monkeypatch):
    quick_selectors.install()
    quick = Selector.__init__
    ours = found(kind, query, **given)
    monkeypatch.setattr(Selector, "__init__", quick.__wrapped__)
    assert ours == found(kind, query, **given)


def test_other_selectors_are_made_by_the_constructor():
    quick_selectors.install()
    with pytest.raises(ValueError, match="Invalid type"):
        Selector(root="a", type="none", _expr="b", namespaces=None)
    assert Selector(root={"a": 1}, type="json", _expr="b", namespaces=None).jmespath("a").get() == 1
    one = Selector(text=PAGE).css("p")[0]
    one.register_namespace("x", "urn:x")
    assert one.css("b")[0].namespaces["x"] == "urn:x"
    assert "x" not in Selector(text=PAGE).css("p")[0].namespaces
