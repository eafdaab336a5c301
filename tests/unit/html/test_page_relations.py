"""Canonical URL, translations and neighbours of a page, from its head, its links and its ``Link`` header field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import Response

URL = "https://site.test/shop/page?p=2"


def page(body: str | bytes = "", link: str | None = None, kind: str = "text/html; charset=utf-8") -> Response:
    return Response(URL, headers={"Content-Type": kind} | ({} if link is None else {"Link": link}), body=body)


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        ("<link rel=canonical href=/page>", "https://site.test/page"),
        ("<link rel='shortlink CANONICAL' href='page#top'>", "https://site.test/shop/page"),
        ("<base href=//cdn.test/x/><link rel=canonical href=y>", "https://cdn.test/x/y"),
        ("<link rel=canonical href=mailto:x><link rel=canonical href=/2>", "https://site.test/2"),
        ("<link rel=canonical href=/1><link rel=canonical href=/2>", "https://site.test/1"),
        ("<link rel=canonical>", None),
        ("<link rel=canonical href='http://['>", None),
        ("<body><p>x</p><div><link rel=canonical href=/evil></div>", None),
        ("<template><link rel=canonical href=/no></template>", None),
        ("<a rel=canonical href=/no>x</a>", None),
        ("", None),
    ],
)
def test_canonical(body, canonical):
    assert page(body).canonical == canonical


def test_canonical_by_the_link_field():
    assert page("", "</white-paper>; rel=canonical").canonical == "https://site.test/white-paper"
    assert page("%PDF", "</x>; rel=canonical", "application/pdf").canonical == "https://site.test/x"
    assert page("<link rel=canonical href=/1>", "</2>; rel=canonical").canonical == "https://site.test/1"
    assert page("", "</x>; rel=canonical; anchor=/other").canonical is None
    assert page("", f"</x>; rel=canonical; anchor={URL}").canonical == "https://site.test/x"
    assert page("", "</x>; rel=canonical; anchor=#part").canonical is None
    assert page("", "<mailto:x>; rel=canonical").canonical is None


def test_alternates():
    response = page(
        """<link rel=alternate hreflang=en-GB href=/en><link rel="alternate home" hreflang=x-default href=/>
        <link rel=alternate type=application/rss+xml href=/feed><link rel="alternate stylesheet" hreflang=xx href=/css>
        <link rel=alternate hreflang="" href=/no><link rel=alternate hreflang=de href=javascript:x>
        <body><link rel=alternate hreflang=evil href=/evil><a rel=alternate hreflang=fr href=/fr>F</a>
        <a hreflang=it href=/it>no alternate</a><a rel=alternate hreflang=en-GB href=/later>E</a>""",
        "</es>; rel=alternate; hreflang=es; hreflang=es-MX, </no>; rel=next; hreflang=pt",
    )
    assert response.alternates == {
        "en-GB": "https://site.test/en",
        "x-default": "https://site.test/",
        "fr": "https://site.test/fr",
        "es": "https://site.test/es",
        "es-MX": "https://site.test/es",
    }
    assert page().alternates == {}


@pytest.mark.parametrize(
    ("body", "link", "following", "previous"),
    [
        ("<link rel=next href='?p=3'><link rel=prev href='?p=1'>", None, "page?p=3", "page?p=1"),
        ("<body><a rel='nofollow next' href='?p=3'>x</a><area rel=PREV href='?p=1'>", None, "page?p=3", "page?p=1"),
        ("<a rel=previous href='?p=1'>", None, None, "page?p=1"),
        ("<body><a rel=next href='?p=9'></a><link rel=next href='?p=3'>", None, "page?p=3", None),
        ("<a rel=next href=mailto:x></a>", '<?p=3>; rel="next", <?p=1>; rel=prev', "page?p=3", "page?p=1"),
        ("<a rel=next href='?p=4'>", "<?p=3>; rel=next", "page?p=4", None),
        ("<a class=next href='?p=3'>next</a>", None, None, None),
        ("<svg><a rel=next href='?p=3'></a></svg>", None, None, None),
        ("<template><a rel=next href='?p=3'></a></template>", None, None, None),
    ],
)
def test_the_next_page_and_the_one_before(body, link, following, previous):
    response = page(body, link)
    assert response.next_page == (following and f"https://site.test/shop/{following}")
    assert response.prev_page == (previous and f"https://site.test/shop/{previous}")


def test_a_query_is_in_the_encoding_of_its_page():
    links = "<link rel=canonical href='?я'><link rel=alternate hreflang=ru href='?я'><link rel=prev href='?я'>"
    body = f"{links}<a rel=next href='?я'>x</a>".encode("windows-1251")
    response = page(body, kind="text/html; charset=windows-1251")
    meant = "https://site.test/shop/page?%FF"
    said = (response.canonical, response.next_page, response.prev_page, response.alternates)
    assert said == (meant, meant, meant, {"ru": meant})


def test_an_api_may_have_a_next_page_too():
    response = page("{}", '<https://site.test/users?page=2>; rel="next"', "application/json")
    assert response.next_page == "https://site.test/users?page=2"
    assert response.prev_page is None


TAGS = st.builds(
    "<{} rel='{}' hreflang='{}' href='{}'>".format,
    st.sampled_from(["a", "link", "area", "svg", "template", "base", "body"]),
    st.sampled_from(["", "next", "canonical", "alternate", "prev \ud800"]),
    st.sampled_from(["", "de", "\ud800"]),
    st.sampled_from(["", "x", "http://[", "\ud800", "mailto:x", "//", "?"]),
)


@given(st.lists(TAGS, max_size=10).map("".join), st.text(max_size=30))
def test_no_page_raises(body, link):
    response = page("", link).replace(body=body.encode("utf-8", "surrogatepass"))
    found = [response.canonical, response.next_page, response.prev_page, *response.alternates.values()]
    assert all(url is None or url.startswith("http") for url in found)
