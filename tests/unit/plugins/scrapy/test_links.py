"""The quick way of `LinkExtractor` finds what the extractor itself finds."""

from __future__ import annotations

import pytest
from crawler_plugins.scrapy import links, replaced
from crawler_plugins.scrapy.fast_responses import FastHtmlResponse
from scrapy.http import HtmlResponse
from scrapy.linkextractors import LinkExtractor
from support.cases import each

URL = "https://site.test/a/b/page.html?q=1#top"
PAGE = """
<html><head><base href="{base}"></head><body>
<a href="x.html">One <b>bold</b></a><a href=" x.html ">again</a><a href="#frag">here</a><a href="#">top</a>
<a href="../up.html#a b">up</a><a href="/root">root</a><a href="//other.test/p">other</a><a href="?page=2">next</a>
<a href="https://EXAMPLE.com">host</a><a href="https://example.com/%7Eme?b=2&amp;a=1">query</a><a href="">empty</a>
<a href="mailto:a@b.test">mail</a><a href="javascript:void(0)">script</a><a href="tel:1">tel</a><a>none</a>
<a href="p.pdf">pdf</a><a href="ä/ö.html?ü=1#é">umlauts</a><a href="a b.html">space</a><a href="./dot/../x">dots</a>
<a href="http://[bad/">bad</a><a rel="nofollow me" href="nf">no</a><area href="area.html"><link href="style.css">
<a href="x.html #s">spaced</a><a href="https:y">same</a><a href="//?z">no host</a><a href="../../../top">beyond</a>
<a href="x.html#s1">s1</a><a href="x.html#s2">s2</a><a href="http://site.test:80/port">port</a><a href=";p">params</a>
<svg><title>icon</title></svg></body></html>
"""
EXTRACTORS = {
    "default": {},
    "tags": {"tags": ("a",), "deny_extensions": []},
    "allow": {"allow": r"x\.html", "deny": "s2"},
    "domains": {"allow_domains": ["site.test", "example.com"], "deny_domains": ["example.com"]},
    "not unique": {"unique": False},
    "area": {"tags": "area"},
}


@pytest.fixture(autouse=True)
def installed():
    replaced.install()


def both(extractor, body, base="", **options):
    content = body.format(base=base).encode()
    made = [kind(URL, body=content, encoding="utf-8", **options) for kind in (HtmlResponse, FastHtmlResponse)]
    return [extractor.extract_links(response) for response in made], made[1]


@each("options", EXTRACTORS.values())
@each("base", ["", "https://cdn.test/deep/", "/rooted/x"])
def test_the_links_are_the_same(options, base):
    extractor = LinkExtractor(**options)
    (plain, quick), response = both(extractor, PAGE, base)
    assert quick == plain
    assert links.quick_links(extractor, response) == plain


@pytest.mark.parametrize(
    "url", ["https://site.test", "https://SITE.test:443/a//b/", "https://site.test?x=/y", "about:a/b"]
)
def test_the_links_of_pages_with_odd_urls_are_the_same(url):
    body = PAGE.format(base="").encode()
    plain, quick = (kind(url, body=body, encoding="utf-8") for kind in (HtmlResponse, FastHtmlResponse))
    assert links.quick_links(LinkExtractor(), quick) == LinkExtractor().extract_links(plain)


def test_only_some_references_are_remembered(monkeypatch):
    monkeypatch.setattr(links, "MAX_KNOWN", 20)
    for options in EXTRACTORS.values():
        extractor = LinkExtractor(**options)
        for base in ("", "/one/", "/two/", ""):
            (plain, quick), _ = both(extractor, PAGE, base)
            assert quick == plain


@pytest.mark.parametrize(
    "options",
    [
        {"restrict_css": "body"},
        {"restrict_xpaths": "//body"},
        {"restrict_text": "One"},
        {"canonicalize": True},
        {"attrs": ("href", "src")},
        {"tags": ("a", "link")},
        {"tags": "img", "attrs": "src"},
        {"process_value": lambda value: value.replace("x", "y")},
        {"strip": False},
    ],
    ids="-".join,
)
def test_other_extractors_work_as_they_are(options):
    extractor = LinkExtractor(**options)
    (plain, same), response = both(extractor, PAGE)
    assert links.quick_links(extractor, response) is None
    assert same == plain


def test_a_subclass_works_as_it_is():
    class Own(LinkExtractor):
        def _link_allowed(self, link):
            return link.url.endswith("root")

    (plain, same), _ = both(Own(), PAGE)
    assert [link.url for link in same] == [link.url for link in plain] == ["https://site.test/root"]


@pytest.mark.parametrize(
    "body", ["<template><a href=x>t</a></template>", "<svg><a href=x>s</a></svg>", "<a href=x>\r\n</a>"]
)
def test_pages_that_the_parsers_read_differently_are_left_to_the_extractor(body):
    (plain, same), response = both(LinkExtractor(), body)
    assert same == plain
    assert links.quick_links(LinkExtractor(), response) is None


def test_the_link_extractor_is_replaced_once():
    before = LinkExtractor.extract_links
    replaced.install()
    assert LinkExtractor.extract_links is before
