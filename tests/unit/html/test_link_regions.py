"""Links of chosen elements and attributes, in the whole page or in regions of it."""

from __future__ import annotations

import pytest

from crawler.html import links, parse
from crawler.html.link_regions import links_in_regions

URL = "https://site.test/dir/page"
PAGE = """<base href=/base/><nav><a href=1>one</a><ul><li id=here><a href=2#x>two</a></li></ul></nav>
<main><a href=/3>three</a><area href=4><img src=5.png data-full=6.png><a>none</a><a href=mailto:x>mail</a></main>
<svg><a xlink:href=7>seven</a></svg><template><a href=8>inert</a></template>"""


def found(**options) -> list[str]:
    picked = links_in_regions(parse(PAGE.encode(), "utf-8"), URL, **options)
    return [link.url.removeprefix("https://site.test/").removeprefix("base/") for link in picked]


def test_without_regions_all_links_of_the_page_are_found():
    assert found() == ["1", "2", "3", "4", "7"]
    document = parse(PAGE.encode(), "utf-8")
    assert links_in_regions(document, URL) == [link for link in links(document, URL) if link.tag in ("a", "area")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"css": ["nav"]}, ["1", "2"]),
        ({"css": ["#here"]}, ["2"]),
        ({"css": ["nav", "area"]}, ["1", "2", "4"]),
        ({"css": ["nothing"]}, []),
        ({"xpath": ["//main"]}, ["3", "4"]),
        ({"xpath": ["//main//text()", "//@href"]}, []),
        ({"css": ["#here"], "xpath": ["//main/a"]}, ["2", "3"]),
        ({"css": ["nav li, nav"]}, ["1", "2"]),
    ],
)
def test_regions_are_elements_with_their_descendants(options, expected):
    assert found(**options) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"tags": ["img"], "attributes": ["src"]}, ["5.png"]),
        ({"tags": ["img"], "attributes": ["src", "data-full"]}, ["5.png", "6.png"]),
        ({"tags": ["img", "a"], "attributes": ["src", "href"]}, ["1", "2", "3", "5.png", "7"]),
        ({"tags": ["img"]}, []),
        ({"tags": []}, []),
        ({"tags": ["a"], "css": ["main"]}, ["3"]),
    ],
)
def test_tags_and_attributes_can_be_chosen(options, expected):
    assert found(**options) == expected


def test_a_link_has_the_fragment_and_the_text_of_its_element():
    [link] = links_in_regions(parse(PAGE.encode(), "utf-8"), URL, css=["#here"])
    assert (link.url, link.fragment, link.text, link.tag) == ("https://site.test/base/2", "x", "two", "a")


def test_queries_are_in_the_encoding_of_the_page():
    [link] = links_in_regions(parse("<a href='?q=ö'>".encode("latin-1"), "windows-1252"), URL, encoding="windows-1252")
    assert link.url == f"{URL}?q=%F6"


@pytest.mark.parametrize("options", [{"css": ["a["]}, {"xpath": ["//["]}])
def test_a_region_that_cannot_be_read_is_refused(options):
    with pytest.raises(ValueError, match="^CSS selector 'a\\['|^XPath expression '//\\['"):
        found(**options)
