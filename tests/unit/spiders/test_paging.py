"""What leads to a next page: queries of URLs, places in JSON; any input is answered."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import urls
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
