"""No page, however broken or hostile, raises an error or takes more than linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import content, html
from crawler.content.labels import _LABELS
from crawler.html.link_regions import links_in_regions
from crawler.html.page_targets import page_targets

URL = "http://example.com/a/b?c"

TAGS = [
    *("a", "area", "base", "link", "iframe", "frame", "frameset", "template", "svg", "math", "table", "td", "select"),
    *("option", "html", "head", "body", "script", "style", "title", "noscript", "plaintext", "p", "b", "i"),
]
HREFS = [
    "",
    "#",
    "x",
    "/y?z#f",
    "//",
    "http://[",
    "javascript:",
    "\ud800",
    "é",
    "\x00",
    "http://a:99999/",
    " \n",
    "?",
    "data:,",
]


@st.composite
def tags(draw: st.DrawFn) -> str:
    tag = draw(st.sampled_from(TAGS))
    attributes = draw(
        st.dictionaries(st.sampled_from(["href", "src", "rel", "xlink:href", "id"]), st.sampled_from([*HREFS, "next"]))
    )
    written = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return draw(
        st.sampled_from([f"<{tag}{written}>", f"</{tag}>", f"<{tag}{written}", f"<{tag}{written}/>", "<!--", "text"])
    )


PAGES = st.lists(tags() | st.text(max_size=10), max_size=40).map("".join)
BODIES = st.binary(max_size=400) | PAGES.map(lambda text: text.encode("utf-8", "surrogatepass"))


def all_of(document: object) -> list[str]:
    """Everything that the package returns for a page."""
    selector = html.Selector(root=document)
    found = [selector.get(), *html.hrefs(document, URL), *html.hrefs(document, URL, ("a", "link", "img", "iframe"))]
    found += page_targets(document, URL)
    for link in html.links(document, URL):
        found += link.url, link.tag, link.fragment, link.text, *link.rel
    for query in ("*", "*::text", "a ::text", "::attr(href)", "body p::text, a::attr(href), b", ":scope > body *"):
        for one in selector.css(query):
            found += one.get(), *one.attrib.values(), html.href_of(one) or ""
    for one in selector.css("p, a, td"):
        found += one.css("::text, b").getall() + one.css("p a ::text").getall() + one.xpath(".//@href|..").getall()
    found += selector.css("script").jmespath("a").getall() + selector.css("*").re("<a[^>]*>")
    return found


@given(BODIES, st.sampled_from(sorted(_LABELS)))
def test_no_body_makes_anything_raise_and_all_that_comes_out_can_be_encoded(body, label):
    for name in (content.detect_encoding(body, None), label):
        "".join(all_of(html.parse(body, name))).encode()


@given(PAGES)
def test_no_text_makes_anything_raise_and_all_that_comes_out_can_be_encoded(text):
    "".join(all_of(html.Selector(text).root.parent)).encode()


@given(BODIES)
def test_the_tree_and_the_text_of_a_body_are_the_same(body):
    label = content.detect_encoding(body, None)
    assert html.Selector(root=html.parse(body, label)).get() == html.Selector(content.decode(body, label)).get()


@given(PAGES)
def test_hrefs_are_the_distinct_urls_of_links(text):
    document = html.parse(text.encode("utf-8", "replace"), "utf-8")
    expected = dict.fromkeys(link.url for link in html.links(document, URL) if link.tag in ("a", "area"))
    assert html.hrefs(document, URL) == list(expected)


@given(PAGES, st.sampled_from(["p", "b, td", "a", "*", "table *"]))
def test_picked_links_are_those_of_the_page_that_stand_in_its_regions(text, region):
    document = html.parse(text.encode("utf-8", "replace"), "utf-8")
    usual = [link for link in html.links(document, URL) if link.tag in ("a", "area")]
    assert links_in_regions(document, URL) == usual == links_in_regions(document, URL, css=["*"])
    regions = [one.root for one in html.Selector(root=document).css(region)]
    inside = {id(link) for link in usual for one in regions if link._element == one or one in link._element.ancestors}
    expected = [link for link in usual if id(link) in inside]
    assert links_in_regions(document, URL, css=[region]) == expected
    assert links_in_regions(document, URL, css=[region, "nothing"], xpath=["//nothing", "//@href"]) == expected
    everything = links_in_regions(document, URL, tags=TAGS, attributes=["id", "href", "src", "rel"])
    "".join(link.url + link.fragment + link.text for link in everything).encode()


@given(
    st.text(max_size=30)
    | st.lists(st.sampled_from([*"abc*,>+~ :()[]='\"\\|#.", "::text", "::attr(", ":not(", ":scope"])).map("".join)
)
def test_a_query_of_any_characters_is_answered_or_refused_in_one_line(query):
    refusals = []
    for selector in (html.Selector("<a><b>x</b></a>"), html.Selector("<a><b>x</b></a>").css("a")[0]):
        for ask in (selector.css, selector.xpath):
            try:
                ask(query)
            except ValueError as refused:
                refusals.append(str(refused))
    assert not [refusal for refusal in refusals if "\n" in refusal]


BOMBS = {
    "nested": "<div>" * 20_000,
    "nested with text": "<div>x" * 20_000,
    "nested lists": "<ul><li>" * 20_000,
    "misnested": "".join(f"<b {n}>" for n in range(5000)) + "".join(f"<i {n}>" for n in range(5000)) + "x</b>",
    "formatting": "<p><b><i><u>" * 20_000,
    "tables": "<table><tr><td>" * 10_000,
    "links": "".join(f"<a href='/{n}'>" for n in range(20_000)),
    "equal links": "<a href=x>x</a>" * 50_000,
    "attributes": "<p " + "".join(f"a{n}=1 " for n in range(50_000)) + ">",
    "one attribute": "<a href='" + "x" * 1_000_000 + "'>",
    "open tag": "<a " * 200_000,
    "open comment": "<!--" * 200_000,
    "entities": "&" * 500_000 + "&#" * 200_000,
    "templates": "<template>" * 10_000 + "<a href=x>",
    "svg": "<svg><a>" * 20_000,
    "bases": "<base href=x>" * 50_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_defused(name):
    body = BOMBS[name].encode()
    start = time.process_time()
    document = html.parse(body, content.detect_encoding(body, None))
    html.hrefs(document, URL)
    [(link.rel, link.fragment) for link in html.links(document, URL)]
    selector = html.Selector(root=document)
    for query in ("title::text", "a::attr(href)", "div ::text", "body > p a", "::text", "b i, td::text"):
        selector.css(query)
    selector.css("body").css("div ::text, li a")
    selector.xpath("//a/@href")
    links_in_regions(document, URL, css=["div, li, b, p", "a"], xpath=["//a"])
    len(selector.get())
    assert time.process_time() - start < 5.0
