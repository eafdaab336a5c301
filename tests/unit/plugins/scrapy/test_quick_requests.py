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


@pytest.mark.parametrize("url", ["site.test/no-scheme", 1, None])
def test_what_is_no_url_is_refused_as_before_whenever_it_is_given(url):
    for _ in range(2):
        with pytest.raises((ValueError, TypeError), match="equest url"):
            Request(url)


def test_a_url_that_one_request_takes_verbatim_is_made_safe_for_others(monkeypatch):
    monkeypatch.setattr(Request, "_url_is_verbatim", lambda self: self.method == "PUT")
    url = "https://site.test/verbatim?a b"
    assert [Request(url, method=method).url for method in ("PUT", "GET", "PUT")] == [url, url.replace(" ", "%20"), url]


def test_no_more_urls_are_remembered_than_a_crawl_has_use_for(monkeypatch):
    monkeypatch.setattr(quick_requests, "MAX_SAFE", 3)
    urls = [f"https://site.test/safe/{n}" for n in range(9)]
    assert [Request(url).url for url in urls] == urls
    assert len(quick_requests._safe) <= 3
