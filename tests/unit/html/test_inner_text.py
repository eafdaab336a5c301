"""All text of an element as a browser shows it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.html import Selector

SHOWN = [
    ("<p>a  b\n c</p>", "a b c"),
    ("<p>one</p><p>two</p>", "one\n\ntwo"),
    ("<div>one</div><div>two</div>", "one\ntwo"),
    ("<div>a<p>b</p>c</div>", "a\n\nb\n\nc"),
    ("a<b>b</b> c <i> d</i>e", "ab c de"),
    ("a<br>b<br><br>c", "a\nb\n\nc"),
    ("<div>a<br></div><div>b</div>", "a\nb"),
    ("<ul><li>1<li>2</ul>", "1\n2"),
    ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a\tb\n1\t2"),
    ("<table><tr><td><td>x</table>y", "\tx\ny".strip()),
    ("<pre> a\n  b </pre>", "a\n  b"),
    ("x<pre>  a\n\n b</pre>y", "x\n  a\n\n b\ny"),
    ("a<script>b</script><style>c</style><!-- d -->e<template>f</template>", "ae"),
    ("a<span hidden>b</span><p hidden>c</p>d", "ad"),
    ("a&nbsp; b", "a\u00a0 b"),
    ("<h1>T</h1>text", "T\ntext"),
    ("<select><option>a<option>b</select>", "a\nb"),
    ("<svg><title>t</title><text>s</text></svg>", "s"),
    ("", ""),
    (" \n<div> </div> ", ""),
]


@each(("html", "text"), SHOWN)
def test_text_is_shown_as_in_a_browser(html, text):
    assert Selector(f"<body>{html}").css("body").text == text


def test_an_element_that_is_not_shown_has_its_own_content():
    page = Selector("<title> The \n title</title><script>let a = 1</script>")
    assert page.css("title").text == "The title"
    assert page.css("script").text == "let a = 1"
    assert page.text == ""


def test_white_space_inside_of_pre_is_kept_for_its_parts_too():
    assert Selector("<pre>x <b>a\n  b</b></pre>").css("b").text == "a\n  b"


def test_the_first_selector_counts_and_strings_are_collapsed():
    page = Selector("<p>a<b> b </b></p><p>c</p>")
    assert page.css("p").text == "a b"
    assert page.css("h2").text == ""
    assert page.css("b::text").text == "b"
    assert Selector(root=7).text == "7"


def test_a_deeply_nested_page_needs_no_recursion():
    assert Selector("<div>" * 400 + "x" + "<span>y" * 20_000).text.startswith("xy")


@given(st.text(alphabet="ab \n\t\u00a0<>/pbrdivtresc"))
def test_any_input_has_text_without_collapsible_space_at_its_ends(html):
    text = Selector(html).text
    assert text == text.strip(" \t\n\f\r")
