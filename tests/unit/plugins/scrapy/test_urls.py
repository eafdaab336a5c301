"""References lead where `urljoin` says."""

from __future__ import annotations

from urllib.parse import urljoin

from crawler_plugins.scrapy import urls
from crawler_plugins.scrapy.fast_responses import FastHtmlResponse
from hypothesis import given
from hypothesis import strategies as st
from scrapy.utils.response import get_base_url
from support.cases import each
from w3lib.url import safe_url_string

BASES = [
    "http://a.test/b/c/d.html", "http://a.test/b/", "http://a.test/", "http://a.test", "https://a.test:8080/b//c",
    "http://a.test/b?q=/x/", "http://a.test/b#c/d", "http://a.test/b%20c/d", "http://A.test/b", "http://a.test/b/../c/",
    "http://u@a.test/b", "http://a.test/ä/b",
]  # fmt: skip
REFERENCES = [
    "x", "x.html", "x/", "x/y.html#z", "../x", "../../../../x/y", "../", "..", ".", "./x", "/x", "//b.test/x", "", "#",
    "#x",
    "#a b", "x#", "x#a#b", "x?y", "?y", " x", "x\n", "x;y", "http:x", "http://b.test", "https://b.test/x#y", "mailto:x",
    "HTTP://b.test/", "http://b.test/../x", "x:y", "ä", "x%20y", ".x", "x//y", "javascript:void(0)", "~x", "-", "x..y",
]  # fmt: skip
PARTS = st.sampled_from(
    ["..", ".", "/", "x", "#", "?", ":", "http", "//", "a.test", " ", "y.z", "%", "~", "-", "_", "\t", "é"]
)


def page(url: str) -> FastHtmlResponse:
    return FastHtmlResponse(url, body=b"", encoding="utf-8")


@each("base", BASES)
def test_a_reference_leads_where_it_leads_without_memory(base):
    response = page(base)
    for _ in range(2):
        assert [response.urljoin(one) for one in REFERENCES] == [
            urljoin(get_base_url(response), one) for one in REFERENCES
        ]


@given(parts=st.lists(PARTS, max_size=8), base=st.sampled_from(BASES))
def test_any_reference_does(parts, base):
    response, reference = page(base), "".join(parts)
    assert _outcome(response.urljoin, reference) == _outcome(urljoin, get_base_url(response), reference)


def _outcome(function, *args):
    try:
        return function(*args)
    except ValueError as error:
        return str(error)


@given(parts=st.lists(PARTS, max_size=8))
def test_any_url_is_made_safe_as_by_w3lib(parts):
    url = f"https://a.test/{''.join(parts)}"
    assert _outcome(urls.safe_url, url) == _outcome(urls.safe_url, url) == _outcome(safe_url_string, url)
