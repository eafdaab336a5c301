"""Responses of the crawl are those of Scrapy, and back."""

from __future__ import annotations

import ipaddress

import pytest
import scrapy
from crawler_plugins.scrapy.fast_responses import FastHtmlResponse
from crawler_plugins.scrapy.responses import note_exchange, to_crawl, to_scrapy
from scrapy.http import HtmlResponse, Response, TextResponse, XmlResponse

import crawler

URL = "https://site.test/a"


@pytest.mark.parametrize(
    ("headers", "body", "kind"),
    [
        ({"content-type": "text/html; charset=latin-1"}, b"<p>\xe4</p>", HtmlResponse),
        ({"content-type": "application/xml"}, b"<a/>", XmlResponse),
        ({"content-type": "text/plain"}, b"a", TextResponse),
        ({"content-type": "image/png"}, b"\x89PNG\r\n\x1a\n\x00", Response),
        ({}, b"<html><p>a</p></html>", HtmlResponse),
        ({}, b"\x00\x01\x02", Response),
    ],
)
def test_the_class_is_the_one_that_scrapy_chooses(headers, body, kind):
    response = to_scrapy(crawler.Response(URL, headers=headers, body=body), scrapy.Request(URL))
    assert type(response) is (FastHtmlResponse if kind is HtmlResponse else kind)
    assert response.body == body


def test_url_status_and_fields_are_kept_without_the_coding():
    source = crawler.Response(URL, 404, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Encoding", "gzip")])
    response = to_scrapy(source, scrapy.Request(URL))
    assert (response.url, response.status) == (URL, 404)
    assert response.headers.getlist("Set-Cookie") == [b"a=1", b"b=2"]
    assert "Content-Encoding" not in response.headers


def test_a_body_that_was_cut_has_the_flag_of_scrapy():
    source = crawler.Response(URL, body=b"x")
    assert to_scrapy(source, scrapy.Request(URL)).flags == []
    source.complete = False
    assert to_scrapy(source, scrapy.Request(URL)).flags == ["dataloss"]


def test_a_response_of_a_middleware_is_one_of_the_crawl():
    request = crawler.Request(URL)
    made = to_crawl(HtmlResponse(URL, status=201, headers={"X-A": "1"}, body=b"x"), request)
    assert (made.url, made.status, made.headers["x-a"], made.body) == (URL, 201, "1", b"x")
    assert made.request is request


def test_the_exchange_is_noted_in_meta():
    response = crawler.Response(URL, request=crawler.Request(URL), elapsed=2.0, attempt=3)
    meta: dict[str, object] = {"download_timeout": 5.0}
    note_exchange(response, meta, 180.0)
    assert meta == {"download_latency": 2.0, "download_timeout": 5.0, "download_slot": "site.test", "retry_times": 2}


def test_the_address_and_the_protocol_of_the_exchange_are_known():
    source = crawler.Response(URL)
    source._exchange = (200, source.headers, (), {"http_version": b"HTTP/2", "primary_ip": "fe80::1%lo"}, None, False)
    response = to_scrapy(source, scrapy.Request(URL))
    assert (response.protocol, response.ip_address) == ("h2", ipaddress.ip_address("fe80::1"))
    plain = to_scrapy(crawler.Response(URL), scrapy.Request(URL))
    assert (plain.protocol, plain.ip_address, plain.certificate) == (None, None, None)
