"""Feeds of every format, valid and broken, become the same data structure."""

from __future__ import annotations

import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler import Response
from crawler.feeds import Feed, FeedEntry
from crawler.feeds.read import read_feed

URL = "https://site.test/blog/feed"


def read(body, **options):
    return read_feed(body.encode() if isinstance(body, str) else body, URL, **options)


ITEM = "<item><title>t</title><link>/1</link></item>"
CHANNEL = f"<channel><title>T</title><link>/</link>{ITEM}</channel>"
SIBLINGS = f"<channel><title>T</title><link>/</link><items><rdf:Seq/></items></channel>{ITEM}"
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
ATOM = (
    "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>T</title><link href='/'/>"
    "<entry><title>t</title><link href='/1'/></entry></feed>"
)


@pytest.mark.parametrize(
    "body",
    [
        f'<rss version="0.91">{CHANNEL}</rss>',
        f'<rss:rss xmlns:rss="http://wrong.test/">{CHANNEL}</rss:rss>',
        f'<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://my.netscape.com/rss-0.91.dtd"><rss>{CHANNEL}</rss>',
        f'<rdf:RDF {RDF} xmlns="http://purl.org/rss/1.0/">{SIBLINGS}</rdf:RDF>',
        f'<rdf:RDF {RDF} xmlns="http://my.netscape.com/rdf/simple/0.9/">{SIBLINGS}</rdf:RDF>',
        "\n\n" + ATOM,
        ATOM.replace(' xmlns="http://www.w3.org/2005/Atom"', ""),
        re.sub("(</?)", r"\1a:", ATOM).replace("xmlns=", "xmlns:a="),
        """{"version": "https://jsonfeed.org/version/1", "title": "T", "home_page_url": "/",
        "items": [{"title": "t", "url": "/1"}]}""",
    ],
)
def test_every_format_in_its_smallest_form(body):
    assert read(body) == Feed(
        title="T", url="https://site.test/", entries=[FeedEntry(title="t", url="https://site.test/1")]
    )


def test_packed_and_encoded():
    body = '<?xml version="1.0" encoding="iso-8859-1"?><rss><item><title>é</title></item></rss>'.encode("latin-1")
    assert read(gzip.compress(body)).entries[0].title == "é"
    assert read(body).entries[0].title == "é"


def test_entities_are_refused():
    body = '<!DOCTYPE rss [<!ENTITY a "b">]><rss><item><title>&a;</title></item></rss>'
    assert read(body) is None


@pytest.mark.parametrize("body", ["", "<html><body>x</body></html>", "[]", "{}", '{"a": 1}', "text", "<urlset/>", "{"])
def test_other_documents_are_not_feeds(body):
    assert read(body) is None
    with pytest.raises(ValueError, match=r"the body of https://site\.test/ is not a feed"):
        Response("https://site.test/", body=body).feed()


def test_a_response_as_a_feed():
    kind = {"Content-Type": "application/rss+xml; charset=windows-1252"}
    response = Response(URL, headers=kind, body=b"<rss><channel><title>\x80</title></channel></rss>")
    assert response.feed() == Feed(title="€")


PIECES = st.sampled_from([
    "<rss>", "<channel>", "</channel>", "<item>", "</item>", "<title>", "</title>", "<title type='html'>", "<feed>",
    "<entry>", "</entry>", "<content type='xhtml'>", "</content>", "<div>", "</div>", "<link href='x' rel='next'/>",
    "<link>", "</link>", "<author>", "<name>", "</name>", "</author>", "<a:b xmlns:a='http://www.w3.org/2005/Atom'>",
    "</a:b>", "<x xml:base='http://['>", "</x>", "<rdf:RDF>", "<category term='a'/>", "<enclosure url='a' length='x'/>",
    "&amp;", "&", "x", "<![CDATA[", "]]>", "\ud800", "é", "<dc:date>2020</dc:date>", "{", '{"items":[{"id":1e999}]}',
    '{"items":[{"tags":{},"authors":[1],"attachments":[{"url":"x","size_in_bytes":-1}]}]}',
])  # fmt: skip


@given(
    st.binary(max_size=200)
    | st.lists(PIECES, max_size=30).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))
)
def test_no_input_raises(body):
    feed = read(body)
    assert feed is None or all(entry.url is None or entry.url.startswith("http") for entry in feed.entries)


def test_a_feed_that_is_too_large_is_not_one_that_was_cut():
    large = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"title": "%b"}]}' % (b"x" * 5000)
    assert read_feed(large[:-3], URL) == Feed(fault="truncated JSON")
    assert read_feed(large, URL, max_bytes=1000) is None
    found = read_feed(b"<rss><channel><item><title>%b</title></item></channel></rss>" % large, URL, max_bytes=1000)
    assert found is not None
    assert found.fault == "larger than 1000 bytes"
