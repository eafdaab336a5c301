"""JSON Feed, versions 1 and 1.1: every field, fields of the wrong type, and what is not a feed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler.feeds import Enclosure, Feed, FeedEntry, read_feed
from crawler.feeds.json_feed import read_json_feed

URL = "https://site.test/blog/feed"


def read(body, **options):
    return read_feed(body.encode() if isinstance(body, str) else body, URL, **options)


def test_json_feed():
    feed = read(
        """{"version": "https://jsonfeed.org/version/1.1", "title": "J", "home_page_url": "https://site.test/",
        "feed_url": "https://site.test/feed.json", "next_url": "/feed.json?p=2", "items": [{"id": 2, "url": "/2",
        "title": " a\\n b ", "content_html": "<p>x</p>", "content_text": "x", "summary": "s",
        "date_published": "2010-02-07T14:04:00-05:00", "date_modified": "junk", "authors": [{"name": "A"},
        {"url": "/"}], "author": {"name": "A"}, "tags": ["t", 1], "attachments": [{"url": "/a.mp3",
        "mime_type": "audio/mpeg", "size_in_bytes": 89970236}, {"mime_type": "x"}]},
        {"external_url": "/3", "content_text": "only"}, 7]}"""
    )
    assert feed == Feed(
        title="J",
        url="https://site.test/",
        next="https://site.test/feed.json?p=2",
        entries=[
            FeedEntry(
                url="https://site.test/2",
                id="2",
                title="a b",
                published=datetime(2010, 2, 7, 19, 4, tzinfo=UTC),
                summary="s",
                content="<p>x</p>",
                author="A",
                categories=("t",),
                enclosures=(Enclosure(url="https://site.test/a.mp3", type="audio/mpeg", length=89970236),),
            ),
            FeedEntry(url="https://site.test/3", content="only"),
        ],
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"items": 1}', '{"title": "x"}', "{", "\ud800", "[" * 10_000])
def test_other_json_is_not_a_json_feed(text):
    assert read_json_feed(text.encode("utf-8", "replace"), URL) is None


@each(
    ("item", "entry"),
    [
        ({"id": 2.5}, FeedEntry(id="2.5")),
        ({"id": True, "title": ["x"], "url": 1, "summary": {}}, FeedEntry(url="https://site.test/blog/1")),
        ({"title": "  "}, FeedEntry()),
        ({"url": "javascript:x", "external_url": "http://["}, FeedEntry()),
        ({"authors": [{"name": "A"}, {"name": "B"}, "C", {"name": "A"}]}, FeedEntry(author="A, B")),
        ({"author": {"name": "A"}}, FeedEntry(author="A")),
        ({"tags": "x"}, FeedEntry()),
        ({"tags": ["x", "", 1]}, FeedEntry(categories=("x",))),
        (
            {"attachments": [{"url": "/a", "size_in_bytes": -1}]},
            FeedEntry(enclosures=(Enclosure(url="https://site.test/a"),)),
        ),
        ({"content_text": "x", "content_html": ""}, FeedEntry(content="x")),
        ({"date_published": "2026-01-02", "date_modified": 5}, FeedEntry(published=datetime(2026, 1, 2, tzinfo=UTC))),
    ],
)
def test_fields_of_an_item(item, entry):
    assert read_json_feed(json.dumps({"items": [item]}).encode(), URL) == Feed(entries=[entry])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz") | st.just("url"), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["id", "url", "title", "authors", "author", "tags", "attachments", "date_published", "summary"]
)


@given(st.lists(JSON | st.dictionaries(FIELDS, JSON), max_size=3), JSON)
def test_no_values_raise(items, title):
    feed = read_json_feed(json.dumps({"title": title, "next_url": title, "items": items}).encode(), URL)
    assert feed is not None
    assert len(feed.entries) == sum(isinstance(item, dict) for item in items)
