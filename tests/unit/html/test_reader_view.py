"""The copy of a page for readers: what is left out, which URLs stay, and what cannot be put into them."""

from __future__ import annotations

import pytest
from support.cases import each

from crawler.html import parse
from crawler.html.reader_view import reader_view, with_safe_links


def view(page: str, url: str = "https://site.example/d/p") -> str:
    document = parse(f"<body>{page}".encode(), "utf-8")
    return with_safe_links(reader_view(document).select_one("body"), document, url).inner_html


@each(
    "page",
    [
        "<script>x</script>",
        "<style>x</style>",
        "<template>x</template>",
        "<noscript>x</noscript>",
        "<svg><text>x</text></svg>",
        "<button>x</button>",
        "<select><option>x</select>",
        "<textarea>x</textarea>",
        "<p hidden>x</p>",
        "<dialog>x</dialog>",
        "<iframe>x</iframe>",
        '<img src="i.png">',
        '<img src="i.png" alt=" ">',
        '<img alt="x">',
    ],
)
def test_invisible_content_is_left_out(page):
    assert view(page) == ""


def test_an_open_dialog_and_text_that_a_search_reveals_stay():
    assert view("<dialog open>a</dialog><p hidden=until-found>b</p>").count("<") == 4


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("x?q=1#f", "https://site.example/d/x?q=1#f"),
        ("#f g)", "https://site.example/d/p#f%20g%29"),
        ("//other.example/é", "https://other.example/%C3%A9"),
        ("a(b)[c]|d", "https://site.example/d/a%28b%29%5Bc%5D%7Cd"),
        ("http://[::1]/(", "http://[::1]/%28"),
    ],
)
def test_links_are_absolute_and_have_no_signs_of_markdown(href, url):
    assert view(f'<a href="{href}" title="t" onclick="x">t</a>') == f'<a href="{url}">t</a>'


@pytest.mark.parametrize(
    "href", ["javascript:x", " java\nscript:x", "JAVASCRIPT:x", "data:text/html,x", "vbscript:x", "mailto:a@b.example"]
)
def test_a_link_to_anything_but_the_web_becomes_its_text(href):
    assert view(f'<a href="{href}">t</a>') == "t"
    assert view(f'<img src="{href}" alt="t&lt;">') == "t&lt;"


def test_links_are_joined_with_the_base_and_in_the_encoding_of_the_page():
    page = parse('<base href="https://b.example/x/"><a href="y?ü">t</a>'.encode(), "utf-8")
    body = reader_view(page).select_one("body")
    found = with_safe_links(body, page, "https://site.example/", "iso-8859-1").select_one("a").attr("href")
    assert found == "https://b.example/x/y?%FC"


def test_links_of_headings_to_themselves_are_left_out():
    assert view('<h2>T<a href="#t">¶</a></h2><a href="#n">1</a>').startswith("<h2>T</h2><a ")


def test_the_page_stays_as_it_is():
    page = parse(b"<p hidden>x</p><a href=y>z</a>", "utf-8")
    before = page.html
    with_safe_links(reader_view(page).select_one("body"), page, "https://site.example/")
    assert page.html == before


NOTE = "You need to enable JavaScript to run this app."
POSTS = "<h1>Topic</h1>" + "<p>A post of the forum.</p>" * 30


@each(
    "page",
    [
        f"<noscript>{POSTS}</noscript><section id=main></section>",
        f"<noscript>{NOTE}</noscript><noscript>{POSTS}</noscript><div id=app></div>",
        f"<header>Our forum</header><noscript><img src=pixel><style>a{{}}</style>{POSTS}</noscript>",
    ],
)
def test_a_noscript_with_most_of_the_text_is_seen(page):
    assert view(page).removeprefix("<header>Our forum</header>").startswith("<h1>Topic</h1><p>A post")
    assert "JavaScript" not in view(page)


@each(
    "note",
    [
        NOTE,
        f"<p>{NOTE}</p><p>Für diese Seite muss JavaScript aktiviert sein.</p><a href=/how>How?</a>",
        "<img src=pixel><iframe src=https://tags.example>text</iframe>",
        "<style>.lazy{display:none}</style>",
    ],
)
@each("around", ["<div id=app></div>", "<p>Short.</p>", f"<main>{POSTS}</main>"])
def test_a_noscript_with_a_note_or_a_pixel_is_not_seen(around, note):
    assert view(f"<noscript>{note}</noscript>{around}") == view(around)


def test_a_noscript_beside_a_page_of_its_own_is_not_seen():
    assert view(f"<main>{POSTS}</main><noscript>{POSTS}</noscript>") == f"<main>{POSTS}</main>"


def test_a_short_topic_of_a_forum_is_no_note_although_its_footer_mentions_javascript():
    menu = "".join(f"<a href=/{n}>{n}</a>" for n in "12345")
    page = f"<noscript><h1>Hi</h1><p>Thanks!</p><nav>{menu}</nav><p>best viewed with JavaScript enabled</p></noscript>"
    assert "Thanks!" in view(page)
