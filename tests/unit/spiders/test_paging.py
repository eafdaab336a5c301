"""What leads to a next page: queries of URLs, places in JSON; any input is answered."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import urls
from crawler.records.json_path import compile_path
from crawler.spiders.paging import with_query


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
    ("path", "found"),
    [
        ("", {"data": {"a.b": [1, {"c-d": None, "@e": 2}]}, "$f": 0}),
        ("data", {"a.b": [1, {"c-d": None, "@e": 2}]}),
        ('data."a.b"', [1, {"c-d": None, "@e": 2}]),
        ('data."a.b"[0]', 1),
        ('data."a.b".1.@e', 2),
        ('data."a.b"[1].c-d', None),
        ('data."a.b"[7]', None),
        ('data."a.b"[99999999999999999999]', None),
        ("$f", 0),
        ("$f.x.y", None),
        ("nothing.at.all", None),
        ('data."a.b"[?"@e"]."@e" | [0]', None),
        ("keys(@)", ["data", "$f"]),
    ],
)
def test_a_place_in_json(path, found):
    value = {"data": {"a.b": [1, {"c-d": None, "@e": 2}]}, "$f": 0}
    if "?" in path:
        found = 2
    assert compile_path(path)(value) == found


PLAIN = st.none() | st.booleans() | st.integers() | st.text()
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax")
@given(st.text() | st.lists(st.sampled_from([*'abc.[]*"@|?&`(){}:01 ', "length(", "data"])).map("".join), JSON)
def test_any_place_is_found_or_refused_in_one_line(path, value):
    try:
        compile_path(path)(value)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either will do
