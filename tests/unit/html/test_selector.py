"""`Selector` beyond parsel: JSON, strings, invalid queries, and text that cannot be encoded."""

from __future__ import annotations

import sys

import msgspec
import pytest

from crawler.html import Selector, SelectorList, parse

PAGE = """<title>T</title><body><ul id=u><li class="x y">one <b>1</b><li>two<li hidden>three</ul>
<script type="application/ld+json">{"offers": [{"price": "9"}, {"price": "12",
"html": "<p>in <i>JSON</i></p>"}]}</script>
<template><p>inert</p></template><noscript><p class=no>no script</p></noscript>"""


@pytest.fixture
def page() -> Selector:
    return Selector(PAGE)


def test_a_selector_takes_a_text_or_a_root_and_not_both():
    document = parse(PAGE.encode(), "utf-8")
    assert Selector(root=document).css("title::text").get() == Selector(PAGE).css("title::text").get() == "T"
    for arguments in [{}, {"text": "x", "root": document}]:
        with pytest.raises(TypeError, match="either text or root"):
            Selector(**arguments)


def test_the_root_of_a_document_is_its_html_element():
    selector = Selector("<!doctype html><html lang=en><body>x")
    assert selector.get() == '<html lang="en"><head></head><body>x</body></html>'
    assert selector.attrib == {"lang": "en"}
    assert selector.css("html::attr(lang)").get() == selector.xpath("@lang").get() == "en"


def test_a_slice_of_a_list_of_selectors_is_one_too(page):
    items = page.css("li")
    assert type(items[1:]) is type(items[:0]) is SelectorList
    assert items[1:].css("::text").getall() == ["two", "three"]
    assert items[-1].get() == '<li hidden="">three</li>'
    assert [item.css("::text").get() for item in items] == ["one ", "two", "three"]


def test_an_empty_list_has_defaults(page):
    nothing = page.css("h6")
    assert nothing.get() is None
    assert nothing.get("none") == "none"
    assert (nothing.getall(), nothing.attrib, nothing.re("x")) == ([], {}, [])
    assert nothing.re_first("x") is None
    assert not nothing.css("a")
    assert not nothing.xpath("//a")
    assert not nothing.jmespath("a")


def test_attributes_are_strings_as_written(page):
    assert page.css("li").attrib == {"class": "x y"}
    assert page.css("li")[2].attrib == {"hidden": ""}
    assert page.css("li::text").attrib == {}


def test_a_single_selector_and_a_list_of_one_return_the_same(page):
    one, several = page.css("b")[0], page.css("b")
    assert one.getall() == several.getall() == [one.get()] == ["<b>1</b>"]
    assert one.re(r"\d") == several.re(r"\d") == ["1"]
    assert one.re_first("z", "none") == several.re_first("z", "none") == "none"


def test_the_truth_of_a_selector_is_whether_it_has_content():
    assert Selector("<p>")
    assert Selector("<p title=x>").css("p::attr(title)")[0]
    assert not Selector("<p title>").css("p::attr(title)")[0]


def test_the_repr_of_a_selector_is_short(page):
    assert repr(page.css("b")[0]) == "<Selector '<b>1</b>'>"
    assert repr(page).endswith("…'>")
    assert len(repr(page)) < 60


def test_noscript_and_template_can_be_searched(page):
    assert page.css("p.no::text").get() == "no script"
    assert page.css("template p::text").get() == "inert"


def test_a_declarative_shadow_root_can_be_searched():
    page = Selector("<x-card><template shadowrootmode=open><a href=/in>in</a></template></x-card>")
    assert page.css("x-card a::attr(href)").get() == page.xpath("//x-card//a/@href").get() == "/in"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "expected a node test"),
        ("//[", "expected a node test"),
        ("//a[", "expected"),
        ("//li[nope()]", "unknown function 'nope'"),
        ("$v", "a reference to an unbound variable"),
        ("re:test('x', '(')", "missing )"),
        ("'\n", "invalid character in expression at offset 0"),
        ("count(1)", ""),
    ],
)
def test_an_invalid_xpath_query_is_refused_in_one_line(page, query, reason):
    for selector in (page, page.css("ul")):
        with pytest.raises(ValueError) as refused:
            selector.xpath(query)
        assert str(refused.value).startswith(f"XPath expression {query!r}: {reason}")
        assert "\n" not in str(refused.value)


def test_xpath_variables(page):
    assert page.xpath("//li[@class=$name]/b/text()", name="x y").getall() == ["1"]
    assert page.css("ul").xpath("li[$n]/text()", n=2).getall() == ["two"]
    assert page.xpath("$what", what="as it is").getall() == ["as it is"]
    with pytest.raises(ValueError, match="variable must be"):
        page.xpath("$v", v=None)


def test_xpath_reaches_comments_and_nodes_outside_of_the_html_element():
    page = Selector("<!-- first --><p>x<!-- second --></p>")
    assert page.xpath("//comment()").getall() == ["<!-- first -->", "<!-- second -->"]
    assert page.xpath("//p/comment()").xpath("..").get() == "<p>x<!-- second --></p>"


def test_json_in_a_page_is_searched_with_jmespath(page):
    script = page.css("script")
    assert script.jmespath("offers[].price").getall() == ["9", "12"]
    assert script.css("::text").jmespath("offers[1].price").get() == "12"
    assert script.jmespath("offers[0]").get() == {"price": "9"}
    assert script.jmespath("offers").jmespath("price").getall() == ["9", "12"]
    assert script.jmespath("nothing").getall() == []
    assert script.jmespath("offers[].price").re(r"\d$") == ["9", "2"]


def test_html_in_json_is_searched_with_css(page):
    assert page.css("script").jmespath("offers[].html").css("i::text").get() == "JSON"
    assert page.css("script").jmespath("offers[].html").xpath("//p/text()").get() == "in "


def test_a_value_of_json_is_searched_with_jmespath_and_has_no_nodes():
    data = Selector(root={"a": [1, None, True, {"b": "x"}], "n": None})
    assert data.jmespath("a").getall() == [1, None, True, {"b": "x"}]
    assert data.jmespath("n").getall() == []
    assert data.get() == {"a": [1, None, True, {"b": "x"}], "n": None}
    assert (data.css("*"), data.xpath("//*"), data.attrib) == ([], [], {})
    assert data.re(r'"b": "(\w)"') == ["x"]


@pytest.mark.parametrize("text", ["", "no JSON", "{", "[" * 100_000, '{"a": 1'])
def test_a_text_that_is_not_json_has_no_values(text):
    assert Selector(root=text).jmespath("a").getall() == []


@pytest.mark.parametrize("expression", ["", "a[", "length(@)", "nope(@)"])
def test_an_invalid_jmespath_expression_is_refused_in_one_line(expression):
    with pytest.raises(ValueError) as refused:
        Selector(root=1).jmespath(expression)
    assert str(refused.value).startswith(f"JMESPath expression {expression!r}: ")
    assert "\n" not in str(refused.value)


def test_without_jmespath_an_error_says_what_to_install(monkeypatch, page):
    monkeypatch.setitem(sys.modules, "jmespath", None)
    with pytest.raises(ImportError, match=r"pip install 'trio-crawler\[jmespath\]'"):
        page.jmespath("a")


def test_regular_expressions_see_characters_for_entities_but_not_for_markup():
    page = Selector(root="&eacute;&#233;&#xe9; &lt;b&gt; &amp;eacute; &nope;")
    assert page.re("(.+)") == ["ééé &lt;b> &amp;eacute; &nope;"]
    assert page.re("(.+)", replace_entities=False) == ["&eacute;&#233;&#xe9; &lt;b&gt; &amp;eacute; &nope;"]


def test_nothing_that_comes_out_has_a_lone_surrogate():
    page = Selector("<p title='\ud800'>a\udfff\U0001f600é</p>")
    found = [
        page.get(),
        page.css("p::text").get(),
        page.css("p").attrib,
        page.css("p").re(".+"),
        page.xpath("//@*").get(),
    ]
    assert found[1:] == [
        "a\ufffd\U0001f600é",
        {"title": "\ufffd"},
        ['<p title="\ufffd">a\ufffd\U0001f600é</p>'],
        "\ufffd",
    ]
    msgspec.json.encode(found)


def test_json_with_a_lone_surrogate_can_be_encoded_again():
    data = Selector(root=r'{"a": ["\ud800x", "\ud83d\ude00", "\\ud800", "\udc00\ud800"]}').jmespath("@").get()
    assert data == {"a": ["\ufffdx", "\U0001f600", r"\ud800", "\ufffd\ufffd"]}
    msgspec.json.encode(data)


def test_invalid_character_references_are_replaced():
    assert Selector("<p>&#xD800;&#0;&#x110000;").css("p::text").get() == "\ufffd\ufffd\ufffd"


def test_a_body_is_parsed_in_its_encoding():
    body = "<p>é €</p>".encode("cp1252")
    assert Selector(root=parse(body, "windows-1252")).css("p::text").get() == "é €"
    assert Selector(root=parse(body, "utf-8")).css("p::text").get() == "\ufffd \ufffd"
    assert Selector(root=parse(b"\xef\xbb\xbf<p>x", "utf-8")).get() == "<html><head></head><body><p>x</p></body></html>"


def test_the_former_names_of_get_and_getall_do_the_same():
    page = Selector("<p>1</p><p>2</p>")
    assert page.css("p::text").extract() == ["1", "2"]
    assert page.css("p::text").extract_first() == page.css("p::text")[0].extract() == "1"
    assert page.css("b").extract() == []
    assert page.css("b").extract_first() is None
    assert page.css("b").extract_first("none") == page.css("b").extract_first(default="none") == "none"


def test_a_dropped_element_is_gone_from_its_page_and_can_still_be_read():
    page = Selector("<div>a<script>b</script><p>c<script>d</script></p></div>")
    scripts = page.css("script")
    scripts.drop()
    assert page.css("div").get() == "<div>a<p>c</p></div>"
    assert scripts.getall() == ["<script>b</script>", "<script>d</script>"]
    page.css("b").drop()  # nothing is found, so nothing is dropped


@pytest.mark.parametrize(("query", "reason"), [("p::text", "not an element"), ("html", "no parent")])
def test_text_and_the_root_element_cannot_be_dropped(query, reason):
    with pytest.raises(ValueError, match=reason):
        Selector("<p>1</p>").css(query).drop()


def test_a_node_cannot_be_dropped_twice():
    found = Selector("<p>1</p>").css("p")
    found.drop()
    with pytest.raises(ValueError, match="no parent"):
        found.drop()


def test_a_prefix_in_html_is_a_part_of_the_name():
    page = Selector("<g:price g:unit='EUR'>5</g:price><p>6</p>")
    page.register_namespace("g", "urn:g")
    assert page.xpath("//g:price/text()").get() == page.css(r"g\:price::text").get() == "5"
    assert page.css("body").xpath("g:price/@g:unit", {"g": "urn:g"}).getall() == ["EUR"]
    assert page.xpath("//h:price").getall() == []
    assert page.xpath("local-name(//p/preceding-sibling::*)").get() == "g:price"


def test_prefixes_and_declarations_are_removed():
    page = Selector('<rss xmlns="u" xmlns:g="v"><g:price g:cur="EUR">5</g:price><g:a><g:b>1</g:b></g:a></rss>')
    assert page.css("price").getall() == []
    page.remove_namespaces()
    assert page.css("rss").get() == '<rss><price cur="EUR">5</price><a><b>1</b></a></rss>'
    assert page.xpath("//price/@cur").getall() == ["EUR"]


def test_an_attribute_keeps_its_prefix_if_there_is_one_of_the_same_name():
    page = Selector('<g:price g:cur="EUR" cur="USD" g:tax="" :odd=1 odd:=2>5</g:price>')
    page.remove_namespaces()
    assert page.css("price").attrib == {"g:cur": "EUR", "cur": "USD", "tax": "", ":odd": "1", "odd:": "2"}


def test_an_element_and_its_descendants_lose_their_prefixes_but_nothing_outside():
    page = Selector("<x:a><x:b><x:c>1</x:c></x:b></x:a>")
    part = Selector(root=page.root.select_one(r"x\:b"))
    part.remove_namespaces()
    assert page.css("body").get() == "<body><x:a><b><c>1</c></b></x:a></body>"


def test_a_text_has_no_namespaces():
    text = Selector("<p>x:y</p>").css("p::text")[0]
    text.remove_namespaces()
    assert text.get() == "x:y"


def test_a_page_without_prefixes_stays_as_it_is():
    page = Selector("<p class=a>1<br></p>")
    before = page.get()
    page.remove_namespaces()
    assert page.get() == before
