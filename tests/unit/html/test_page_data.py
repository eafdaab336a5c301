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


def test_a_content_is_the_value_of_any_property_and_scripts_are_none():
    found = data(
        """<div itemscope><b itemprop=price content=13.00>$13</b><p itemprop=name>Ann<script>x</script></p>
        <div itemprop=offer itemscope content=x><i itemprop=a>b</i></div></div>"""
    ).microdata
    assert found[0]["properties"] == {"price": ["13.00"], "name": ["Ann"], "offer": [{"properties": {"a": ["b"]}}]}


def test_rdfa_is_about_resources_without_a_type_and_about_the_page():
    name, page = "http://purl.org/dc/terms/title", "https://site.example/d/p"
    found = data("<div vocab='http://purl.org/dc/terms/'><div resource=/a><b property=title>A</b></div>").rdfa
    assert found == [{"resource": "https://site.example/a", "properties": {name: ["A"]}}]
    found = data("<p><b property='http://purl.org/dc/terms/title'>A</b>").rdfa
    assert found == [{"resource": page, "properties": {name: ["A"]}}]


def test_dublin_core():
    found = data("<meta name=DC.Creator content=Ann><meta name=dcterms.issued content=2024>").dublin_core
    assert found == {"dc.creator": ["Ann"], "dcterms.issued": ["2024"]}


def test_objects_of_a_type_in_any_syntax():
    found = data(
        """<script type="application/ld+json">{"@graph": [{"@type": ["Product"], "name": "1"}]}</script>
        <div itemscope itemtype=https://schema.org/Offer><div itemprop=x itemscope itemtype=https://schema.org/Product>
        </div></div><div vocab=https://schema.org/ typeof=Product></div><p class=h-product>4"""
    )
    assert len(found.of_type("Product", "h-product")) == 4
    assert [one["name"] for one in found.of_type("Product") if "name" in one] == ["1"]
    assert found.of_type("Person") == []
