"""The content of a page in each form, whatever the page is."""

from __future__ import annotations

import msgspec
from support.cases import each

from crawler import Response
from crawler.spiders.page_content import FORMS, page_content

PAGE = (
    "<html lang=en><title>T</title><meta name=author content=Ann><nav><a href=/n>n</a></nav><main><p>a <b>b</b></main>"
)


def response(content_type: str, body: str | bytes) -> Response:
    return Response("https://site.test/d/", 200, {"content-type": content_type}, body)


def test_each_form_of_a_page():
    page = response("text/html", PAGE)
    assert page_content(page, "markdown") == "a **b**"
    assert page_content(page, "text") == "a b"
    assert page_content(page, "links") == ["https://site.test/n"]
    assert page_content(page, "article") == {
        "title": "T",
        "byline": "Ann",
        "authors": ["Ann"],
        "date": None,
        "modified": None,
        "language": "en",
        "description": None,
        "site_name": None,
        "image": None,
        "tags": [],
        "markdown": "a **b**",
    }


def test_text_that_is_not_html():
    page = response("text/plain", "a *b*")
    assert page_content(page, "text") == "a *b*"
    assert page_content(page, "markdown") == page_content(page, "article")["markdown"] == "```\na *b*\n```"
    assert page_content(page, "links") == []


@each("body", [b"", b"\x00\xff\xfe\x01" * 50, b"\xff\xfe\x00\xd8", b"<" * 999])
@each("content_type", ["text/html", "image/png", "", "text/plain; charset=utf-16"])
@each("form", FORMS)
def test_any_body_becomes_a_json_value(form, content_type, body):
    value = page_content(response(content_type, body), form)
    assert msgspec.json.decode(msgspec.json.encode(value)) == value
