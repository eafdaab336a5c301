"""Items of microformats2."""

from __future__ import annotations

from support.cases import each

from crawler import Response


def items(page: str) -> list:
    return Response("https://site.example/p", 200, {"content-type": "text/html"}, page).data().microformats


def test_an_entry_with_its_author():
    page = """<div class=h-entry><h1 class=p-name>Rain</h1><a class="p-author h-card" href=/ann>Ann</a>
    <time class=dt-published datetime=2024-01-02>x</time><div class=e-content><p>Hi <b>x</b></div>
    <img class=u-photo src=a.png></div>"""
    assert items(page) == [
        {
            "type": ["h-entry"],
            "properties": {
                "name": ["Rain"],
                "author": [{"type": ["h-card"], "properties": {"name": ["Ann"], "url": ["https://site.example/ann"]}}],
                "published": ["2024-01-02"],
                "content": [{"value": "Hi x", "html": "<p>Hi <b>x</b></p>"}],
                "photo": ["https://site.example/a.png"],
            },
        }
    ]


@each(
    ("page", "item"),
    [
        ("<p class=h-card>Ann", {"type": ["h-card"], "properties": {"name": ["Ann"]}}),
        (
            "<div class=h-feed><p class=h-entry>A",
            {
                "type": ["h-feed"],
                "properties": {},
                "children": [{"type": ["h-entry"], "properties": {"name": ["A"]}}],
            },
        ),
    ],
)
def test_items(page, item):
    assert items(page) == [item]


def test_what_is_no_item():
    assert items("<p class='h p-name x-h-card H-CARD'>x<template><p class=h-card>y</template>") == []
