"""Header fields keep their bytes between the crawl and Scrapy."""

from __future__ import annotations

import pytest
from crawler_plugins.scrapy.header_fields import header_pairs, scrapy_headers
from scrapy.http import Headers

PAIRS = [("content-type", "text/html"), ("X-Text", "\xc3\xa9"), ("x-text", "\xe9"), ("ETAG", "")]


def test_names_have_the_form_of_scrapy_and_values_their_bytes():
    found = scrapy_headers(PAIRS)
    assert dict(found) == {b"Content-Type": [b"text/html"], b"X-Text": ["é".encode(), b"\xe9"], b"Etag": [b""]}
    assert isinstance(found, Headers)
    assert (found["x-TEXT"], found.getlist("etag")) == (b"\xe9", [b""])


@pytest.mark.parametrize("pairs", [[], PAIRS])
def test_the_values_come_back(pairs):
    pairs = sorted((name.title(), value) for name, value in pairs)
    assert sorted(header_pairs(scrapy_headers(pairs))) == pairs
