"""Requests are those of Scrapy, made in less time."""

from __future__ import annotations

import pytest
import scrapy
from crawler_plugins.scrapy import quick_requests
from scrapy import Request
from scrapy.http import request
from scrapy.utils.trackref import live_refs, object_ref
from support.cases import each
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
def test_an_invalid_url_is_refused_as_in_scrapy_whenever_it_is_set(url):
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


def nothing(*_):
    """A callback."""


GIVEN = [
    {}, {"callback": nothing}, {"errback": nothing, "priority": -3, "dont_filter": True}, {"encoding": "cp1252"},
    {"meta": {"a": [1]}, "cb_kwargs": {"b": 2}}, {"meta": {}, "cb_kwargs": {}, "headers": {}},
    {"cookies": {}, "flags": []},
    {"headers": {"A": "b"}}, {"cookies": {"c": "d"}}, {"cookies": [{"name": "c", "value": "d"}]}, {"flags": ["f"]},
    {"body": "é"}, {"body": b"x", "method": "post"}, {"method": "get"}, {"method": b"GET"}, {"priority": True},
    {"callback": 1}, {"errback": "x"}, {"priority": "1"}, {"priority": 1.5}, {"body": 5},
    {"meta": {"verbatim_url": True}},
]  # fmt: skip
NAMES = ("url", "callback", "errback", "method", "headers", "body", "cookies", "meta", "encoding", "priority",
         "dont_filter", "flags", "cb_kwargs")  # fmt: skip


URLS = ["https://site.test/made", "https://site.test/made#x", "https://site.test/made#", "https://site.test/made#a b",
        "https://site.test/new#a#b", "https://site.test/new?a=1#b", "https://site.test:80/new", "https://site.test/a b",
        "no-scheme", "no-scheme#a", 1]  # fmt: skip


class Own(Request):
    """A request of a project."""


def made(make, kind, url, **given):
    """What a constructor does with a request: its parts, or why it is refused."""
    found = object.__new__(kind)
    try:
        make(found, url, **given)
    except Exception as error:
        return repr(error)
    return quick_requests._parts(found), [getattr(found, name) for name in NAMES]


@each("given", GIVEN)
@each("url", URLS)
@each("kind", [Request, Own, scrapy.FormRequest])
def test_a_request_has_the_same_attributes_as_in_scrapy(given, url, kind):
    theirs = Request.__init__.__wrapped__
    Request("https://site.test/made")
    assert made(Request.__init__, kind, url, **given) == made(theirs, kind, url, **given)


def test_the_arguments_of_a_request_are_copied():
    meta, arguments = {"a": 1}, {"b": 2}
    requests = [Request("https://site.test/copied", meta=meta, cb_kwargs=arguments) for _ in range(2)]
    requests[1].meta["a"] = requests[1].cb_kwargs["b"] = 3
    assert (meta, arguments, requests[0].meta, requests[0].cb_kwargs) == ({"a": 1}, {"b": 2}, {"a": 1}, {"b": 2})


def test_a_constructor_that_makes_other_parts_is_not_installed():
    assert quick_requests._makes_the_same(Request, Request.__init__)
    assert not quick_requests._makes_the_same(Request, lambda self, url: setattr(self, "_url", url))
    assert not quick_requests._makes_the_same(Request, lambda self, url: setattr(self, "url", url))
