"""Selectors of texts are those of Scrapy."""

from __future__ import annotations

import pytest
from crawler_plugins.scrapy import fast_responses, private
from scrapy import Selector

TEXTS = ["One 1", "", " two ", "<b>&amp;</b>", "é"]
QUERY = "//a/text()"


@pytest.fixture(params=["filled", "made"])
def texts(request, monkeypatch):
    """Selectors, made quickly or by the constructor."""
    monkeypatch.setattr(fast_responses, "selector_of", getattr(private, f"_{request.param}_selector"))
    return fast_responses.texts_of(TEXTS, QUERY)


def test_selectors_of_texts_behave_as_those_of_scrapy(texts):
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
    assert private.fields_of(texts[0]) == private.fields_of(theirs[0])
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
