"""``:contains()`` of CSS selectors: what it finds, and that a query leaves no trace in the page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.html import Selector
from crawler.html.contains import marked, with_marks

PAGE = """<h1>Tea <em>and</em> cake</h1><dl><dt>Price</dt><dd>5</dd><dt>Size (cm)</dt><dd>6</dd></dl>
<p class="a">it's "new"</p><p>caf\u00e9</p>"""


@each(
    ("query", "found"),
    [
        ("h1:contains('Tea and')::text", ["Tea ", " cake"]),
        ("h1 :contains(and)::text", ["and"]),
        ("dt:contains('Price') + dd::text", ["5"]),
        ("dt:CONTAINS(Size) + dd::text", ["6"]),
        ("dt:contains('price')", []),
        ("dt:not(:contains('Price'))::text", ["Size (cm)"]),
        ("dl:has(dt:contains('Size (cm)')) > dd::text", ["5", "6"]),
        ("dd:contains(5)::text, dt:contains('P'):contains('ce')::text", ["Price", "5"]),
        (r"""p:contains("it's \"new\"")::attr(class)""", ["a"]),
        (r"p:contains('caf\e9 ')::text", ["caf\u00e9"]),
        (r"p:contains(caf\e9)::text", ["caf\u00e9"]),
        ("p:contains(caf\u00e9)::text", ["caf\u00e9"]),
        (r"p:contains('\0')", []),
        ("em:contains('')::text", ["and"]),
        ("p[class=':contains(x)']", []),
        ("em/* :contains('x') */::text", ["and"]),
        ("em:contains( 'and' )::text", ["and"]),
    ],
)
def test_contains_finds_elements_by_their_text_wherever_a_pseudo_class_may_stand(query, found):
    assert Selector(PAGE).css(query).getall() == found


def test_within_an_element_its_own_text_counts():
    terms = Selector(PAGE).css("dl")
    assert terms.css("dl:contains('Price')::text").getall() == []  # it has no text directly inside of it
    assert len(terms.css("dl:contains('Price')")) == 1
    assert terms.css("h1:contains('Tea')").getall() == []


def test_a_query_leaves_the_page_as_it_was():
    page = Selector(PAGE)
    before = page.get()
    found = page.css("dt:contains('Price')")
    assert found.getall() == ["<dt>Price</dt>"]
    assert found.attrib == {}
    assert page.get() == before


def test_a_context_that_fails_leaves_the_page_as_it_was():
    page = Selector(PAGE)
    before = page.get()
    with pytest.raises(KeyError), marked(page.root, ("Price", "e")):
        raise KeyError
    assert page.get() == before


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1))
def test_any_text_in_quotes_finds_the_element_that_has_it(text):
    page = Selector("<p></p><b></b>")
    page.root.select_one("p").set_text(text)
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\a ")
    assert len(page.css(f'p:contains("{quoted}")')) == 1
    assert page.css(f'b:contains("{quoted}")').getall() == []


@given(st.text("\\\"'():contains ax,/*\n", max_size=40))
def test_any_query_is_read_in_one_pass(query):
    plain, texts = with_marks(query)
    assert plain.count("[crawler-contains-") == len(texts)
