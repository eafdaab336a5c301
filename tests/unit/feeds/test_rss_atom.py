"""RSS 0.9x, 1.0 and 2.0, and Atom: every element that an entry may have, and errors that cost one entry."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crawler.feeds import Enclosure, Feed, FeedEntry, read_feed

URL = "https://site.test/blog/feed"


def read(body, **options):
    return read_feed(body.encode() if isinstance(body, str) else body, URL, **options)


def rss(items: str, channel: str = "") -> str:
    return (
        '<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:atom="http://www.w3.org/2005/Atom"'
        ' xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:media="http://search.yahoo.com/mrss/">'
        f"<channel>{channel}{items}</channel></rss>"
    )


def atom(entry: str, feed: str = "", attributes: str = "") -> str:
    return f'<feed xmlns="http://www.w3.org/2005/Atom"{attributes}>{feed}<entry>{entry}</entry></feed>'


def test_rss_2():
    feed = read(
        rss(
            "<item><title>Star City</title><link>/news/1</link><guid isPermaLink='false'>g-1</guid>"
            "<pubDate>Tue, 03 Jun 2003 09:39:21 GMT</pubDate><description>&lt;p&gt;How do&lt;/p&gt;</description>"
            "<content:encoded><![CDATA[<p>How do Americans</p>]]></content:encoded>"
            "<author>lawyer@boyer.net (Lawyer)</author><category>Space</category><category domain='x'>Russia</category>"
            "<enclosure url='/a.mp3' length='12216320' type='audio/mpeg'/></item>"
            "<item><guid>https://site.test/2</guid><dc:creator>Ann</dc:creator><dc:date>2003-06-04</dc:date>"
            "<pubDate>nonsense</pubDate></item>",
            channel="<title>Liftoff\n News</title><link>https://site.test/</link><atom:link rel='self' href='/feed'/>"
            "<atom:link rel='next' href='?page=2'/><image><title>x</title><link>/x</link><url>/x.png</url></image>",
        )
    )
    assert feed == Feed(
        title="Liftoff News",
        url="https://site.test/",
        next="https://site.test/blog/feed?page=2",
        entries=[
            FeedEntry(
                url="https://site.test/news/1",
                id="g-1",
                title="Star City",
                published=datetime(2003, 6, 3, 9, 39, 21, tzinfo=UTC),
                summary="<p>How do</p>",
                content="<p>How do Americans</p>",
                author="lawyer@boyer.net (Lawyer)",
                categories=("Space", "Russia"),
                enclosures=(Enclosure(url="https://site.test/a.mp3", type="audio/mpeg", length=12216320),),
            ),
            FeedEntry(
                url="https://site.test/2",
                id="https://site.test/2",
                author="Ann",
                published=datetime(2003, 6, 4, tzinfo=UTC),
            ),
        ],
    )


def test_elements_of_other_namespaces_are_not_those_of_rss():
    feed = read(
        rss(
            "<item><itunes:title>no</itunes:title><media:title>no</media:title><media:content url='/x.jpg'/>"
            "<itunes:author>Host</itunes:author><itunes:summary>short</itunes:summary><title>yes</title></item>"
        )
    )
    assert feed.entries == [FeedEntry(title="yes", author="Host", summary="short")]


def test_rss_1_names_entries_by_about():
    feed = read(
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"><item rdf:about="https://site.test/1"><dc:title>t</dc:title>'
        "<dc:subject>s</dc:subject><dc:creator>A</dc:creator></item></rdf:RDF>"
    )
    assert feed.entries == [
        FeedEntry(
            url="https://site.test/1", id="https://site.test/1", title="t", categories=("s",), author="A"
        )
    ]  # fmt: skip


def test_atom():
    feed = read(
        atom(
            "<title type='html'>Less: &lt;em&gt; &amp;lt; &lt;/em&gt;</title><id>tag:site.test,2003:1</id>"
            "<link href='/1'/><link rel='enclosure' type='audio/mpeg' length='1337' href='/a.mp3'/>"
            "<link rel='replies' href='/no'/><updated>2005-07-31T12:29:29Z</updated>"
            "<published>2003-12-13T08:29:29-04:00</published>"
            "<author><name>Mark</name><uri>/m</uri><email>f@example.com</email></author>"
            "<contributor><name>Sam</name></contributor><author><name>Joe</name></author>"
            "<category term='t' label='Technology'/><category term='u'/><summary>In short</summary>"
            "<content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p class='a'>x &lt; <i>y</i></p></div>"
            "</content>",
            "<title>dive into mark</title><link rel='self' href='/feed'/><link href='.'/><link rel='next' href='2'/>",
        )
    )
    assert feed == Feed(
        title="dive into mark",
        url="https://site.test/blog/",
        next="https://site.test/blog/2",
        entries=[
            FeedEntry(
                url="https://site.test/1",
                id="tag:site.test,2003:1",
                title="Less: <",
                updated=datetime(2005, 7, 31, 12, 29, 29, tzinfo=UTC),
                published=datetime(2003, 12, 13, 12, 29, 29, tzinfo=UTC),
                summary="In short",
                content='<p class="a">x &lt; <i>y</i></p>',
                author="Mark, Joe",
                categories=("Technology", "u"),
                enclosures=(Enclosure(url="https://site.test/a.mp3", type="audio/mpeg", length=1337),),
            )
        ],
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<content>a &lt; b</content>", "a < b"),
        ("<content type='text'>a</content>", "a"),
        ("<content type='html'>&lt;b&gt;a&lt;/b&gt;</content>", "<b>a</b>"),
        ("<content type='html'><![CDATA[<b>a</b>]]></content>", "<b>a</b>"),
        ("<content type='html'>so <b x='1'>a</b></content>", 'so <b x="1">a</b>'),
        ("<content src='/a.pdf'/>", None),
    ],
)
def test_the_content_of_atom(content, text):
    assert read(atom(content)).entries[0].content == text


def test_urls_are_joined_with_the_base_of_their_element():
    feed = read(
        atom(
            "<link href='1'/><link rel='enclosure' xml:base='b/' href='f'/><link rel='enclosure' href='g'/>",
            "<link href='x'/>",
            attributes=' xml:base="https://other.test/top/"',
        ).replace("<entry>", "<entry xml:base='e/'>")
    )
    assert feed.url == "https://other.test/top/x"
    assert feed.entries[0].url == "https://other.test/top/e/1"
    assert [one.url for one in feed.entries[0].enclosures] == [
        "https://other.test/top/e/b/f", "https://other.test/top/e/g"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "titles"),
    [
        (rss("<item><title>1</title></item><item><title>2"), ["1"]),
        (rss("<item><title>1</title></item><item><title>a & b &nbsp; &copy;</title></item>"), ["1", "a & b ©"]),
        (rss("<item><title>1</title></item><item><title>2</tilte></item>"), ["1"]),
        (
            rss("<item><title>1</title></item><item>a<br></item><item><title>3</title><dc:date>x</dc:date></item>"),
            ["1", "3"],
        ),
        (rss("<item><title>1\x00\x08</title></item>"), ["1"]),
        (rss("<item><title>1 < 2</title></item>"), ["1 < 2"]),
        (rss("<item><title>a<b>c</b></title></item>"), ["a<b>c</b>"]),
    ],
)
def test_bad_xml_is_read_as_far_as_it_can_be(body, titles):
    feed = read(body)
    assert [entry.title for entry in feed.entries] == titles
    assert (feed.fault is None) is (len(titles) == body.count("<item>"))
