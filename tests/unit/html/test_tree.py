"""Large pages: the same tree when parsed in steps, and a bounded tree whatever they contain."""

from __future__ import annotations

import pytest
import turbohtml
from hypothesis import given
from hypothesis import strategies as st

from crawler import Response, html
from crawler.html import tree as room
from crawler.html.tree import cut_tags, is_bounded, parse_steps, parse_text

PIECES = st.sampled_from([
    "<a href=x>", "<p>", "<b>", "<b\t1>", "</b>", "<table>", "<td>", "</table>", "<script>", "</script>",
    "<style>", "</style>", "<!--", "-->", "<![CDATA[", "]]>", "&amp;", "&amp", "&#x41;", "&not", "&notin;", "\r",
    "\n", "\r\n", "\0", "\ud800", "<svg>", "</svg>", "<math>", "<template>", "<template\tshadowrootmode=open>",
    "<template SHADOWRootmode=open>", "</template>", "<select>", "<option>", "<title>", "</title>", "<textarea>",
    "</textarea>", "<plaintext>", "<noscript>", "é", "😀", "<!doctype html>", "<", ">", "=", "'", '"', " ",
    "<frameset>", "<body a=b>", "<pre>", "<input/>", "</a>", "<font color=red>", "<nobr>",
])  # fmt: skip


@given(st.lists(PIECES, max_size=40).map("".join), st.integers(1, 12))
def test_the_tree_is_the_same_however_the_page_is_cut(text: str, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        whole = parse_text(text).html
        patch.setattr(room, "STEP_SIZE", step)
        assert in_steps(text).html == whole
        patch.setattr(room, "ALWAYS_BOUNDED", 0)
        patch.setattr(room, "MAX_ELEMENTS", -1)
        patch.setattr(room, "CHUNK_SIZE", step)
        assert parse_text(text).html == in_steps(text).html == whole


def in_steps(text: str) -> turbohtml.Document:
    steps = parse_steps(text)
    while True:
        try:
            assert next(steps) is None
        except StopIteration as end:
            return end.value


def test_a_large_page_is_parsed_in_steps_between_which_other_tasks_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "STEP_SIZE", 1_000)
    page = "<p>one</p>" * 1_000
    assert len(list(parse_steps(page))) == 11
    assert in_steps(page).html == parse_text(page).html


FORMATTING = ("b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
GROWING = {
    "paragraphs": "<b {n}><p>",
    "other formatting": "<FONT x={n}><p><i\n{n}><p><tt/{n}><p>",
    "a table": "<table><b {n}>x",
    "a quoted bracket": "<b x='>' y={n}><p>",
}


@pytest.mark.parametrize("case", GROWING)
def test_a_page_that_grows_has_a_tree_of_a_size_that_fits_its_own(case: str) -> None:
    text = "".join(GROWING[case].format(n=n) for n in range(20_000)) + "<p title=t><a href=/end class=c>the end</a>"
    document = parse_text(text)
    assert len(document.select("*")) < 200 * 20_000
    link = html.Selector(root=document).css("a")[-1]
    assert (link.attrib, link.css("::text").get()) == ({"href": "/end", "class": "c"}, "the end")
    response = Response("https://a.test/", 200, {"Content-Type": "text/html"}, text)
    assert response.hrefs() == ["https://a.test/end"]


OPEN = {
    "in paragraphs": "<b><i><u><p>",
    "closed in the end": "<b><i><u><p>",
    "different ones": "<p><font {n}>",
    "a quoted bracket": "<p><b x='>' y={n}>",
    "closed in the wrong order": "<b><i {n}></b><p>",
}


@pytest.mark.parametrize("case", OPEN)
def test_the_tree_of_a_page_with_open_formatting_elements_is_bounded_by_its_tags(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ALWAYS_BOUNDED", "MAX_ELEMENTS", "MAX_REOPENED"):
        monkeypatch.setattr(room, name, 100)
    text = "".join(OPEN[case].format(n=n) for n in range(500)) + "</b></i></u>" * (100 * case.endswith("end"))
    bound = 2 * text.count("<") + 100
    assert len(turbohtml.parse(text).select("*")) > bound
    assert len(parse_text(text).select("*")) < bound


@given(st.lists(PIECES | st.sampled_from([f"<{name}>" for name in FORMATTING]), max_size=60).map("".join))
def test_more_elements_are_expected_than_are_reopened(text: str) -> None:
    written = len(room._IN_TEXT[1].findall(text))
    reopened = len(turbohtml.parse(text, positions=False).select(",".join(FORMATTING))) - written
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "MAX_REOPENED", reopened - text.count("<") - 1)
        assert reopened <= 0 or room._reopens_too_much(text)


def test_a_page_is_not_cut_within_a_tag_when_it_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PIECE", 7)
    text = "<p><b class='one two three'>x</b>" * 2_000
    assert is_bounded(text)
    assert is_bounded(text.encode())
    assert not is_bounded(text.replace("three'", "three"))


def test_a_large_page_that_does_not_grow_keeps_its_attributes() -> None:
    text = "".join(f"<p><b class=x{n}>{n}</b><code id=y{n}>{n}</code>" for n in range(20_000))
    selector = html.Selector(text)
    assert selector.css("b.x19999::text, code#y19999::text").getall() == ["19999", "19999"]


def test_a_shadow_root_of_a_large_page_can_be_searched() -> None:
    text = "<x-a><template ShadowRootMode=open><a href=/in>in</a></template></x-a>" + "<b {n}>" * 40_000
    assert html.hrefs(html.parse(text.encode(), "utf-8"), "https://a.test/") == ["https://a.test/in"]


SMALL = {
    "different elements": "<p>" + "".join(f"<b {n}>" for n in range(2_700)) + "<p>x" * 4_000,
    "elements without attributes": "<p>" + "".join(f"<{name}>" * 3 for name in FORMATTING) + "<p>x" * 200_000,
}


@pytest.mark.parametrize("case", SMALL)
def test_a_small_page_that_grows_has_a_bounded_tree(case: str) -> None:
    """Without a bound they would have ten and eight million elements."""
    assert len(parse_text(SMALL[case]).select("*")) < 4_000_000


def test_of_a_page_with_too_many_tags_the_first_ones_count(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(room, "MAX_STARTS", 3)
    monkeypatch.setattr(room, "SMALLEST_START", 0)
    monkeypatch.setattr(room, "ALWAYS_BOUNDED", 2)
    for page in ("<p>a<p>b<p>c", "<p>a<p>b<p>c<p>d<p>e"):
        assert html.Selector(root=html.parse(page.encode(), "utf-8")).css("p::text").getall() == ["a", "b", "c"]
    assert [record.getMessage() for record in caplog.records] == [
        "a page has more than 3 start tags: the first ones count"
    ]
    assert [p.text for p in in_steps("<p>a<p>b<p>c<p>d").select("p")] == ["a", "b", "c"]


@pytest.mark.parametrize("unit", ["<p>", "</p>", "</bR>", "<!---->", "<a href=x>", "<td>", "</P>"])
def test_each_tag_that_adds_a_node_counts(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_STARTS", 100)
    monkeypatch.setattr(room, "ALWAYS_BOUNDED", 2)
    assert len(list(parse_text(f"<table><tr>{unit * 5_000}").descendants)) < 250


def test_a_flood_of_null_characters_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    page = "<p>" + "\0" * 40_000 + "one"
    assert len(parse_text(page).errors) == 40_000
    monkeypatch.setattr(room, "MAX_NULLS", 10_000)
    for document in (parse_text(page), in_steps(page), html.parse(page.encode(), "utf-8")):
        assert (document.select("p")[0].text, len(document.errors)) == ("one", 0)
    assert caplog.text.count("a page has more than 10000 null characters: they are left out") == 3


def test_end_tags_count_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_STARTS", 10)
    monkeypatch.setattr(room, "ALWAYS_BOUNDED", 2)
    assert parse_text("</x>" * 5_000 + "<p>").select_one("p") is None


def test_end_tags_of_start_tags_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_STARTS", 200)
    monkeypatch.setattr(room, "ALWAYS_BOUNDED", 2)
    page = "<li><a href=x>x</a></li>" * 100
    assert len(html.parse(page.encode(), "utf-8").select("a")) == 100
    assert len(html.parse((page * 2).encode(), "utf-8").select("a")) == 100


@given(st.text("<ab", max_size=40), st.integers(1, 12))
def test_a_page_is_cut_after_a_number_of_tags(page: str, tags: int) -> None:
    head = cut_tags(page, tags)
    assert page.startswith(head)
    assert head.count("<") == min(tags, page.count("<"))
    assert head == page or page[len(head) :].startswith("<")


MERGED = {
    "two tags": "<body {attributes}><body {attributes}>",
    "one tag after the body has begun": "x<BODY {attributes}>",
    "html": "x<html\n{attributes}>",
    "a quoted bracket": "x<body x='>' {attributes}>",
    "quotes in names": 'x<body a"=">" {attributes}>',
    "in many tags": "x" + "<body {attributes}>" * 20,
    "never closed": "x<body {attributes}><body {attributes}",
}


@pytest.mark.parametrize("case", MERGED)
def test_attributes_that_would_be_compared_with_each_other_are_dropped(case: str) -> None:
    pieces = MERGED[case].split("{attributes}")
    text = pieces[0]
    for number, piece in enumerate(pieces[1:]):
        text += " ".join(f"a{number}x{n}" for n in range(5_000)) + piece
    text += "<p>the end</p>"
    assert not is_bounded(text)
    assert not is_bounded(text.encode())
    document = parse_text(text)
    assert not document.select("body[a0x1], html[a0x1]")
    if case != "never closed":
        assert [p.text for p in document.select("p")] == ["the end"]


OUTER_PIECES = st.sampled_from([
    "<body", "<HTML", "<html>", "<b", "<bo", "<!--", "-->", ' a="', " b='", '"', "'", "=", "=c", " d=e", "/", ">",
    "<p>", " ", "x",
])  # fmt: skip


@given(st.lists(OUTER_PIECES, max_size=30).map("".join))
def test_no_page_with_many_attributes_to_merge_is_parsed_at_once(text: str) -> None:
    tags = [token for token in turbohtml.tokenize(text) if token.tag in ("html", "body")]
    merged = sum(len(name) + len(value or "") for token in tags for name, value in token.attrs or ())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "ALWAYS_BOUNDED", 0)
        patch.setattr(room, "MAX_MERGED", 6)
        assert merged <= 6 or not (is_bounded(text) or is_bounded(text.encode()))


def test_tags_that_end_at_their_first_bracket_need_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "<HTML lang=de><body class=\"a b\" onload='x()'>" + "<p>text</p>" * 10_000 + "<body id=b >"
    monkeypatch.setattr(room, "_merges_too_much", None)
    assert is_bounded(text)
    assert is_bounded(text.encode())


def test_a_page_of_usual_size_keeps_the_attributes_of_its_body() -> None:
    text = "<html lang=de><body class=a onload='x()'>" + "<p>text</p>" * 10_000 + "<body id=b>"
    assert is_bounded(text[:30_000])
    document = parse_text(text)
    (body,) = document.select("body")
    assert (body.attr("class"), body.attr("id"), len(document.select("html[lang=de]"))) == ("a", "b", 1)
