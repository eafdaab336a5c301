"""Markdown and text of a page, and that the text of a page cannot become markup: checked with a Markdown parser."""

from __future__ import annotations

import re

import turbohtml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from crawler import Response
from crawler.html.markdown import fenced

PIECES = [
    "<p>", "</p>", "<a href='javascript:alert(1)'>", "<a href=/x>", "<a href='//e.example/a(b)|c[d]'>", "</a>",
    "<img alt='a](javascript:x)' src=/i>", "<img alt=q src=data:x>", "[x](javascript:alert(1))",
    "[x]: javascript:alert(1)", "[x]", "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&lt;a href='javascript:x'&gt;y&lt;/a&gt;", "&#10;&#10;", "<br>", "<table><tr><td>", "<td>", "<td colspan=2>",
    "<tr>", "</table>", "<pre>", "</pre>", "<code>", "</code>", "`", "```", "~~~", "\\", "*", "_", "<ul><li>",
    "</ul>", "<ol><li>", "<blockquote>", "<h1>", "</h1>", "<b>", "</b>", "|", "&amp;", "<del>", "<s>", "<q>", "</q>",
    "<dl><dt>", "<dd>", "<script>alert(1)</script>", "<svg onload=x>", "</svg>", "<math>",
    "&lt;javascript:alert(1)&gt;", "!", "<span title='&#10;&#10;[x](javascript:y)'>", "<code class='language-a`b'>",
    "<pre><code class='language-x&#10;&#10;[x](y)'>", "word ", "<li>", "1. ", "# ", "&gt; ", "- ", "    ", "&#13;",
    "&nbsp;", "<hr>", "<sup>", "<kbd>", "<details><summary>", "<caption>", "<th>", "&lt;!--", "--&gt;",
    "&#106;avascript:",
]  # fmt: skip
ALLOWED = {
    "html", "head", "body", "p", "a", "img", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote",
    "pre", "code", "em", "strong", "table", "thead", "tbody", "tr", "td", "th", "br", "hr",
}  # fmt: skip
RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")


def of(page: str) -> Response:
    return Response("https://site.example/d/p", 200, {"content-type": "text/html; charset=utf-8"}, page)


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@example("<code>&#13;&lt;script&gt;alert(1)&lt;/script&gt;</code>")
@example("<q><pre><code class=language-x>`&lt;script&gt;")
@example("<pre><code class='a language-```'>&lt;script&gt;")
@example("<table><tr><td onclick=x>1<tr><td>1<td>&lt;script&gt;</table>")
@example("<del>x</del><s>y</s>")
def test_a_page_has_no_markup_but_that_of_markdown_and_no_link_but_to_the_web(page):
    rendered = turbohtml.parse(RENDERER.render(of(page).markdown(whole=True)))
    for element in rendered.select("*"):
        url = element.attr("href") or element.attr("src") or "https://"
        assert element.tag in ALLOWED
        assert re.match("https?://", url)
        assert set(element.attrs) <= {"href", "src", "alt", "class", "start", "style"}


def test_blocks_and_inline_markup():
    page = """<h1>Title</h1><p>A <b>bold</b>, <i>slanted</i> <a href="/x">link</a> and <code>code</code>.
    <ul><li>one<li>two</ul><ol start=3><li>three</ol><blockquote>quote</blockquote><pre><code class="language-py">a
b</code></pre><img src=i.png alt="A picture"><hr>"""
    assert of(page).markdown() == (
        "# Title\n\nA **bold**, *slanted* [link](https://site.example/x) and `code`.\n\n- one\n- two\n\n3. three\n\n"
        "> quote\n\n```py\na\nb\n```\n\n![A picture](https://site.example/d/i.png)\n\n---"
    )


def test_cells_have_no_html():
    page = "<table><tr><th>A<tr><td><ul><li>x <a href=javascript:y onclick=z>y</a></ul></table>"
    assert of(page).markdown() == "| A |\n| --- |\n| * x y |"


def test_text_keeps_lines():
    assert of("<p>a<br>b<ul><li>c</ul><table><tr><td>d<td>e</table>").article().text == "a\nb\n\n* c\n\nd  e"


def test_a_fence_is_longer_than_any_in_the_text():
    assert fenced("a ```` b\n") == "`````\na ```` b\n`````"
    assert fenced("x") == "```\nx\n```"
    assert fenced(" \n") == ""
