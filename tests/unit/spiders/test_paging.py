"""Paging of an API: the parameters of the next page, and how the next page is named."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import urls
from crawler.spiders.paging import PageContent, Paging, Position, parse_next, with_query


@pytest.mark.parametrize(
    ("url", "parameters", "expected"),
    [
        ("https://a.test/", {"p": 1}, "https://a.test/?p=1"),
        ("https://a.test/?x=%20&p=0&p=2&y", {"p": "a&b c"}, "https://a.test/?x=%20&y&p=a%26b%20c"),
        ("https://a.test/?pa%67e=1", {"page": 2}, "https://a.test/?page=2"),
        ("https://a.test/?a?b", {}, "https://a.test/?a?b"),
        ("https://a.test/?", {}, "https://a.test/"),
    ],
)
def test_parameters_of_a_url_are_set(url, parameters, expected):
    assert with_query(url, parameters) == expected


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers() | st.text(st.characters(codec="utf-8"))))
def test_parameters_come_out_as_they_were_set(parameters):
    url = with_query(urls.normalize("https://a.test/x?other=1"), parameters)
    assert url == urls.normalize(url).replace("'", "%27")
    found = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    assert found == {"other": "1"} | {name: str(value) for name, value in parameters.items()}


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("page", ("page", "")), ("offset", ("offset", "")), ("link", ("link", "")), ("cursor:a.b", ("cursor", "a.b")),
        ("url:a:b", ("url", "a:b")), ("graphql", ("graphql", "")), ("graphql:data.x", ("graphql", "data.x")),
    ],
)  # fmt: skip
def test_kinds_of_paging(text, parsed):
    assert parse_next(text) == parsed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("curser:x", "unknown kind of paging 'curser' (did you mean cursor?)"),
        ("", "unknown kind of paging '' (link, page, offset, cursor, url, graphql)"),
        ("cursor", "cursor needs its path in a page, as in cursor:meta.next"),
        ("page:x", "page takes no path; param= names its parameter"),
    ],
)
def test_an_invalid_kind_of_paging_is_refused(text, message):
    with pytest.raises(ValueError, match="^unknown kind|needs its path|takes no path") as caught:
        parse_next(text)
    assert str(caught.value) == message


def walk(paging: Paging, pages: list[list[int]], **body) -> list[int | str | None]:
    """Return the values by which the pages are requested, one after the other."""
    values, position = [], paging.start()
    for items in pages:
        values.append(position.value)
        page = PageContent(body, items, "https://a.test/x", None)
        following = paging.next_positions(page, position)
        if not following:
            return values
        [position] = following
    return [*values, "more"]


@each(
    ("paging", "pages", "values"),
    [
        (Paging(kind="page"), [[1, 2], [3, 4], [5]], [1, 2, 3]),
        (Paging(kind="page"), [[1, 2], [3, 4], []], [1, 2, 3]),
        (Paging(kind="page", first=0), [[1, 2], [3]], [0, 1]),
        (Paging(kind="page", until="empty"), [[1, 2], [3], [4, 5], []], [1, 2, 3, 4]),
        (Paging(kind="page", max_pages=2), [[1], [2], [3]], [1, 2]),
        (Paging(kind="offset", first=0), [[1, 2], [3, 4], [5]], [0, 2, 4]),
        (Paging(kind="offset", first=0, total=lambda body: 4), [[1, 2], [3, 4], [5]], [0, 2]),
        (Paging(kind="page", total=lambda body: "4"), [[1, 2], [3], [4]], [1, 2, 3]),
        (Paging(kind="page", more=lambda body: False), [[1, 2]], [1]),
        (Paging(kind="page", more=lambda body: "false"), [[1, 2]], [1]),
        (Paging(kind="cursor", where=lambda body: None), [[1]], [None]),
        (Paging(kind="cursor", where=lambda body: ""), [[1]], [None]),
        (Paging(kind="cursor", where=lambda body: 7, max_pages=2), [[1], [2]], [None, 7]),
        (Paging(kind="link"), [[1]], [None]),
    ],
)
def test_the_next_page(paging, pages, values):
    assert walk(paging, pages) == values


@pytest.mark.parametrize(
    ("paging", "message"),
    [
        (Paging(kind="graphql", more=lambda body: None), "it has no pageInfo: the query must select pageInfo {"),
        (
            Paging(kind="graphql", more=lambda body: True),
            "it has a next page but no endCursor: the query must select it",
        ),
        (Paging(kind="cursor", where=lambda body: [1]), "the next page is named by neither text nor a number: [1]"),
        (Paging(kind="url", where=lambda body: "mailto:x"), "the URL of the next page is not a web URL: 'mailto:x'"),
        (Paging(kind="page", total=lambda body: -1), "the total number of items is invalid: -1"),
    ],
)
def test_a_page_that_names_no_valid_next_page(paging, message):
    with pytest.raises(ValueError, match="^it has|^the ") as caught:
        paging.next_positions(PageContent({}, [1], "https://a.test/", None), paging.start())
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("paging", "values"),
    [
        (Paging(kind="page", total=lambda body: 5), [2, 3]),
        (Paging(kind="offset", first=0, total=lambda body: 5), [2, 4]),
        (Paging(kind="page", first=0, total=lambda body: 4), [1]),
        (Paging(kind="page", total=lambda body: 50, max_pages=3), [2, 3]),
        (Paging(kind="page", total=lambda body: 0), []),
    ],
)
def test_all_further_pages_by_the_total_number_of_items(paging, values):
    page = PageContent({}, [1, 2], "https://a.test/", None)
    positions = list(paging.remaining(page))
    assert [position.value for position in positions] == values
    assert [position.alone for position in positions] == [True] * (len(values) - 1) + [False] * bool(values)


def test_a_page_with_the_items_of_the_previous_one_is_a_repeat():
    paging = Paging(kind="page")
    page = PageContent({}, [1, 2], "https://a.test/", None)
    [following] = paging.next_positions(page, paging.start())
    assert paging.is_repeat(page, following)
    assert not paging.is_repeat(PageContent({}, [1, 3], "https://a.test/", None), following)
    assert not paging.is_repeat(PageContent({}, [], "https://a.test/", None), Position())
