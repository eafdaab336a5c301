"""Data of a page for machines: JSON-LD, OpenGraph, microdata, RDFa; everything survives JSON."""

from __future__ import annotations

import msgspec

from crawler import Response
from crawler.html import PageData


def data(page: str) -> PageData:
    return Response("https://site.example/d/p", 200, {"content-type": "text/html"}, page).data()


def test_every_value_of_a_property_is_kept_and_urls_are_absolute():
    found = data(
        """<meta property="og:image" content="a.png"><meta property="og:image" content="/b.png">
        <meta property="og:image:secure_url" content="c.png"><meta name="Twitter:Title" content=" T ">
        <meta property="og:title" content=""><meta name="description" content="x">
        <meta property="article:tag" content="one"><meta property="og:url" content="javascript:x">"""
    ).opengraph
    assert found == {
        "og:image": ["https://site.example/d/a.png", "https://site.example/b.png"],
        "og:image:secure_url": ["https://site.example/d/c.png"],
        "twitter:title": ["T"],
        "article:tag": ["one"],
        "og:url": ["javascript:x"],
    }


def test_microdata_has_the_json_form_of_the_html_standard():
    found = data(
        """<div itemscope itemtype="https://schema.org/Product https://x.example/T" itemid="urn:x:1">
        <a itemprop="url" href="rel">t</a><b itemprop="name alternateName">N</b>
        <div itemprop=offers itemscope><meta itemprop=price content=5></div></div>"""
    ).microdata
    assert found == [
        {
            "type": ["https://schema.org/Product", "https://x.example/T"],
            "id": "urn:x:1",
            "properties": {
                "url": ["https://site.example/d/rel"],
                "name": ["N"],
                "alternateName": ["N"],
                "offers": [{"properties": {"price": ["5"]}}],
            },
        }
    ]


def test_rdfa_lite():
    found = data("<div vocab='https://schema.org/' typeof=Person resource=#me><b property=name>N</b></div>").rdfa
    assert found[0]["type"] == ["https://schema.org/Person"]
    assert found[0]["properties"] == {"https://schema.org/name": ["N"]}


def test_hostile_nesting_is_cut_and_survives_json():
    for nest in ("<div itemscope itemprop=a>", "<div typeof=a property=b>"):
        found = data(nest * 5000)
        assert msgspec.json.encode(found)
    cycle = data("<div itemscope itemref='a b' id=a></div><div id=b itemscope itemprop=x itemref='a b'></div>")
    assert msgspec.json.encode(cycle)


def test_a_page_without_data_is_false_and_so_is_anything_that_is_not_html():
    assert not data("<p>x")
    assert data("<meta property=og:title content=x>")
    assert not Response("https://site.example/", 200, {"content-type": "image/png"}, b"\x89PNG\r\n\x1a\n\x00").data()
