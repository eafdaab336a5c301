"""`LeanRequest` looks like a request of httpx."""

from __future__ import annotations

import httpx
import pytest

from crawler.transport.lean import LeanRequest, Target, origin_of, target_of

FIELDS = [(b"User-Agent", b"a"), (b"X-Twice", b"1"), (b"X-Twice", b"2")]


async def test_a_lean_request_shows_the_attributes_of_an_httpx_request():
    lean = LeanRequest("POST", "https://h.test:8443/a?b=c", FIELDS, b"body", {"proxy": None})
    whole = httpx.Request("POST", "https://h.test:8443/a?b=c", headers=FIELDS, content=b"body")
    assert isinstance(lean, httpx.Request)
    assert (lean.method, lean.url, await lean.aread()) == (whole.method, whole.url, b"body")
    assert lean.headers.multi_items() == [("user-agent", "a"), ("x-twice", "1"), ("x-twice", "2")]
    assert b"".join([chunk async for chunk in lean.stream]) == b"body"
    assert lean.extensions == {"proxy": None}


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h.test/a", Target("http", "h.test", 80)),
        ("https://h.test/a", Target("https", "h.test", 443)),
        ("https://h.test:8443/", Target("https", "h.test", 8443)),
        ("http://[::1]:81/", Target("http", "::1", 81)),
        ("http://xn--bcher-kva.test/", Target("http", "xn--bcher-kva.test", 80)),
    ],
)
def test_both_kinds_of_requests_go_to_the_same_place(url, target):
    assert target_of(LeanRequest("GET", url, [], b"", {})) == target == target_of(httpx.Request("GET", url))


@pytest.mark.parametrize("url", ["ftp://h.test/", "http:///path", "/path"])
def test_a_request_without_a_web_url_is_refused(url):
    with pytest.raises(ValueError, match="not an http or https URL"):
        target_of(httpx.Request("GET", url))


def test_the_origin_of_a_url_that_httpx_finds_too_long():
    url = "https://h.test:8443/" + "a" * 70_000
    assert origin_of(LeanRequest("GET", url, [], b"", {})) == "https://h.test:8443"
    assert origin_of(httpx.Request("GET", "https://h.test:8443/a")).host == "h.test"
