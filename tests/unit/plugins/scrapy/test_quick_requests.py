"""Requests are those of Scrapy, made in less time."""

from __future__ import annotations

import pytest
from crawler_plugins.scrapy import quick_requests
from scrapy import Request
from scrapy.http import request
from scrapy.utils.trackref import live_refs, object_ref
from w3lib.url import safe_url_string


@pytest.fixture(autouse=True)
def installed():
    quick_requests.install()


@pytest.mark.parametrize("end", ["/a b#c d", "/ä?ü=1#é", "/x#s.1", "/%7E#", "  "])
def test_urls_of_requests_are_made_safe_as_before(end):
    url = f"https://site.test{end}"
    assert request.safe_url_string is not safe_url_string
    assert Request(url).url == Request(url).url == safe_url_string(url)


def test_living_objects_are_not_counted():
    before = object_ref.__new__
    quick_requests.install()
    kept = Request("https://site.test/", meta={"a": 1})
    assert (object_ref.__new__, kept.meta) == (before, {"a": 1})
    assert kept not in live_refs.get(Request, ())
