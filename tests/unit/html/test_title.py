"""Titles of pages: without the name of the site, and confirmed by what the page declares."""

from __future__ import annotations

from support.cases import each

from crawler import Response


@each(
    ("page", "title"),
    [
        ("<title>Rain in May | The Cloud</title><h1>Rain in May</h1>", "Rain in May"),
        ("<title>Rain in May - The Cloud</title><h1>The Cloud</h1>", "Rain in May"),
        ("<title>The Cloud: Rain</title><meta property=og:title content=Rain><h1>The Cloud</h1><h1>Rain</h1>", "Rain"),
        ("<title>The Cloud » Rain</title><meta property=og:site_name content='The Cloud'>", "Rain"),
        ("<title>Rain in May</title><h1>Menu</h1><h1>Weather Rain in May</h1>", "Rain in May"),
        ("<title>Rain - site.example</title>", "Rain"),
        ("<title>A-B – a test</title><h1>A-B – a test #</h1>", "A-B – a test"),
        ("<title>C#</title>", "C#"),
        ("<h1><svg><title>logo</title></svg>Rain</h1>", "Rain"),
    ],
)
def test_titles(page, title):
    assert Response("https://site.example/p", 200, {"content-type": "text/html"}, page).article().title == title


def test_the_heading_of_a_front_page_is_often_a_slogan():
    page = "<title>Cloud: all about rain</title><h1>Get wet</h1>"
    assert Response("https://site.example/", 200, {"content-type": "text/html"}, page).article().title != "Get wet"
    assert Response("https://site.example/p", 200, {"content-type": "text/html"}, page).article().title == "Get wet"
