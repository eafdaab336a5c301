"""CSS selectors with ``::text`` and ``::attr(name)``: in documents, in elements, and refused in one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.html import Selector
from crawler.html.css import select

PAGE = "<title>T</title><body><ul id=u><li class='x y'>one <b>1</b><li>two<li hidden>three</ul>"


@pytest.fixture
def page() -> Selector:
    return Selector(PAGE)


@pytest.mark.parametrize(
    ("name", "value"),
    [(":href", "/v"), ("@click", "go()"), ("data-x.y", "1"), ("a'b", "2"), ("xlink:href", "/x")],
)
def test_an_attribute_with_any_name_can_be_selected(name, value):
    page = Selector(f'<svg><a {name}="{value}">')
    assert page.css(f'a::attr("{name}")').getall() == page.css(f'::attr("{name}")').getall() == [value]


def test_a_css_identifier_may_be_escaped_and_a_string_may_contain_separators():
    page = Selector("<i class='a:b'>1</i><i title='x, y::text > z'>2</i>")
    assert page.css(r".a\:b::text").getall() == ["1"]
    assert page.css("[title='x, y::text > z']::text").getall() == ["2"]
    assert page.css("i:not([title='x, y::text > z'], b)::text").getall() == ["1"]
    assert page.css(r"i::attr(t\itle)").getall() == ["x, y::text > z"]


def test_css_comments_are_skipped():
    assert Selector("<p><b>x</b>").css("/* a, b */ p /* > */ b/* ::attr(c) */::text").getall() == ["x"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "expected a selector"),
        (" ", "expected a selector"),
        ("a,", "expected a selector"),
        (", a", "expected a selector"),
        ("a[", "expected an identifier"),
        ("a:nope", "unknown pseudo-class"),
        ("a)", "expected a combinator or the end of the selector"),
        ("> a", "expected a selector; it may start with :scope >"),
        ("a >", "expected a selector"),
        ("a::before", "unknown pseudo-element ::before"),
        ("a::text b", "::text must be the end of its selector"),
        ("a::text::text", "::text must be the end of its selector"),
        ("a::text(x)", "::text takes no argument"),
        ("a::attr", "::attr(name) takes the name of one attribute"),
        ("a::attr()", "::attr(name) takes the name of one attribute"),
        ("a::attr(a b)", "::attr(name) takes the name of one attribute"),
        ("a:not(::text)", "expected an identifier"),
        ("a:contains()", "unknown pseudo-class"),
        ("a:contains('x') >> b", "expected a selector"),
    ],
)
def test_an_invalid_css_query_is_refused_in_one_line(page, query, reason):
    for selector in (page, page.css("ul")):
        with pytest.raises(ValueError) as refused:
            selector.css(query)
        assert str(refused.value).startswith(f"CSS selector {query!r}: {reason}")
        assert "\n" not in str(refused.value)


TREE = "<div id=d><p id=p>a<b id=b>c<i id=i>d</i></b>e</p><p id=q class=x>f</p></div>"


@each(
    ("query", "found"),
    [
        ("p::text", ["a", "e", "f"]),
        ("p ::text", ["a", "c", "d", "e", "f"]),
        ("p *::text", ["a", "c", "d", "e", "f"]),
        ("p > *::text", ["c"]),
        ("::text", ["a", "c", "d", "e", "f"]),
        ("b, ::attr(class)", ['<b id="b">c<i id="i">d</i></b>', "x"]),
        ("i::text, p::attr(id), .x::text", ["p", "d", "q", "f"]),
        ("::attr(id)", ["d", "p", "b", "i", "q"]),
        ("p::ATTR( 'id' )", ["p", "q"]),
        ("p:not(.x)::attr(id)", ["p"]),
        ("nothing::text", []),
    ],
)
def test_elements_texts_and_attributes_in_document_order(query, found):
    assert Selector(f"<body>{TREE}").css("body").css(query).getall() == found
    assert Selector(TREE).css(query).getall() == found


@each(
    ("query", "ids"),
    [
        ("p", "p"), ("div p", ""), ("p b", "b"), ("b i", "i"), (":scope > b", "b"), ("p > b", "b"), ("* i", "i"),
        (":scope", "p"), ("p, i", "pi"), ("q + p", ""), ("div > p, b", "b"),
    ],
)  # fmt: skip
def test_in_an_element_nothing_outside_takes_part_and_itself_can_be_a_result(query, ids):
    element = Selector(TREE).css("#p")[0]
    assert "".join(element.css(query).xpath("@id").getall()) == ids
    assert "".join(element.css(", ".join(f"{part}::attr(id)" for part in query.split(", "))).getall()) == ids


def test_a_node_is_searched_without_a_selector_around_it():
    root = Selector(TREE).root
    assert [str(one) for one in select(root, "b::text, i::text")] == ["c", "d"]
    assert [one.tag for one in select(root, "b, i")] == ["b", "i"]


MARKUP = st.lists(st.sampled_from(["<p id=1>", "</p>", "<b>", "</b>", "<i class=x>", "</i>", "text", "<div>"])).map(
    "".join
)
QUERIES = ["p", "b i", "p > b", "i.x", "p ~ b", "p + b", "div i", "b:first-child", "[id], .x"]


@given(MARKUP, st.sampled_from(QUERIES))
def test_texts_are_those_of_the_elements_found(markup, query):
    page = Selector(f"<body>{markup}")
    elements = page.css(query)
    assert (
        page.css(", ".join(f"{part}::text" for part in query.split(", "))).getall() == elements.xpath("text()").getall()
    )
