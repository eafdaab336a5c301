"""Every parser of bodies takes time in proportion to its input: HTML, feeds, sitemaps and files of records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import msgspec
import pytest
from support.growth import Parser, Unit, excess, fill, growing
from support.pauses import without_pauses

from crawler import Response, content, records
from crawler.content.body_stream import decode_stream
from crawler.feeds.dates import parse_date
from crawler.feeds.read import read_feed
from crawler.feeds.sitemap import sitemaps
from crawler.html.link_regions import links_in_regions
from crawler.html.links import nofollow_urls
from crawler.html.page_targets import page_targets
from crawler.html.refresh import meta_refresh, meta_refreshes
from crawler.html.srcset import parse_srcset
from crawler.html.tree import ALWAYS_BOUNDED, is_bounded
from crawler.html.xhtml import xhtml_to_html
from crawler.limits.headers.json_bodies import read_json_limits
from crawler.records.csv import csv_records
from crawler.records.format import detect_format
from crawler.records.json import json_array_records, json_lines_records
from crawler.records.xml import element_to_dict, xml_records
from crawler.spiders.site import title_of

PAGE: Final = "https://e.com/"
CHUNK: Final = 16_384

HTML_PARTS: Final[tuple[Unit, ...]] = (
    "<a href=x>", "<a href={n}>", "<a href='x'", "<a>", "</a>", "<div>", "</div>", "<p>", "<b>", "<i {n}>", "</b>",
    "<table>", "<tr>", "<td>", "<template>", "</template>", "<template shadowrootmode=open>", "<svg>",
    "<svg><a href=y>", "<math>", "<base href=x>", "<link rel=canonical href=x>",
    "<link rel=alternate hreflang=a{n} href=b>", "<link rel=next href=z>", "<head>",
    "<meta name=robots content=a{n}>", "<meta http-equiv=refresh content='5;url=x'>", "<meta charset=x>", "<noscript>",
    "<img src={n} srcset='a 1x, b 2x'>", "<img srcset='", "<source", "<title>", "<svg><title>", "<script>", "<style>",
    "<!--", "-->", "<![CDATA[", "&amp;", "&amp", "&", " ", "=", '"', "'", "<", ">", "a", "é", "\t", "\0", "a{n}=b ",
    "a=b ", "<a rel=nofollow href={n}>", "<area href=a>", "<iframe src=b>", "<select>", "<option>", "<textarea>",
    "<plaintext>", "<li>", "<video src=a poster=b>", "<link imagesrcset='a,b'>", "<frameset>",
    "<input type=image src=a>", "<button>", "<nobr>", "<font x={n}>", ("<div>", "<a href={n}>"),
    ("<template>", "<a href=x>"), ("<div>", "<template></template><a href=x>"), "<div><a href=x>",
    "<template></template><div><a href=x><link rel=next href=y><img src=z>", "<p a='", ("<svg>", "<a href=x>"),
)  # fmt: skip
ARTICLE_PARTS: Final[tuple[Unit, ...]] = (
    "<main>", "<article>", "<nav>", "</nav>", "<div class=nav>", "<div class=sidebar><a>x</a>", "<div class=footer>x",
    "<p hidden>", "<h1>", "</h1>", "<h2><a href=#x>#</a></h2>", "<pre>", "<code>", "`", "```", "*", "_", "[", "](",
    "\\", "<q>", "<q><pre>", "&#13;", "<ul><li>", "<ol>", "<blockquote>", "<dl><dt>", "<dd>",
    "<td colspan=1000 rowspan=9>", "<tr><td rowspan=2>x<td>y", "<table><tr><td>", "</table>",
    "<caption>", "<a href=javascript:x>y</a>",
    "<img alt=a src=b>", "<img alt=a src=data:b>", "<div itemscope itemprop=a>", "<div itemscope itemref='a b' id=a>",
    "<div typeof=a property=b>", "<div vocab=a{n} typeof=b>", "<meta property=og:image content={n}>", "<time>x</time>",
    "<div class=h-entry>", "<div class=p-name>x", "<p class=author>By Ann Bo", "<div class=date>May 9, 2024",
    "<time datetime=2024-05-09>", "<b itemprop=a content=b>x", "<div resource=a><b property=b>", "May 9, 2024 ",
    "text. ", "<div>text ", ("<div>", "text</div>"), "<del>", "<noscript>x", "<noscript><a href=x>y</a></noscript>",
    "<!--$?--><template id=B:{n}></template>", "<!--/$-->", "<template id=P:{n}></template><div hidden id=S:{n}>",
    '<script>$RC("B:{n}","S:{n}")</script>',
    '<template id=B:{n}></template><div hidden id=S:{n}>x</div><script>$RC("B:{n}","S:{n}")</script>',
    '<div hidden id=S:{n}><template id=P:{n}></template><script>$RS("S:{n}","P:{n}")</script>',
)  # fmt: skip
JSON_LD_PARTS: Final[tuple[Unit, ...]] = (
    "[",
    "[1,",
    '{"a":',
    '"a',
    " ",
    "\t",
    "<!--",
    "//",
    "/*",
    "<![CDATA[",
    "9",
    "{}",
)
LD_JSON: Final = "<script type=application/ld+json>"
FORM_PARTS: Final[tuple[Unit, ...]] = (
    "<form>", "</form>", "<form id=a{n}>", "<input name=a{n} value=b>", "<input type=radio name=a checked>",
    "<input form=a name=x>", "<input id=a{n}>", "<select name=s>", "<option>", "<option selected>",
    "<option value=1 disabled>", "</select>", "<span>", "<optgroup disabled>", "<textarea name=t>", "x", "\n", "\r",
    "</textarea>", "<button name=b>", "<fieldset disabled>", "<legend>", "<datalist>", "<template>", "<table>", "<tr>",
    "<td>", "</table>", "<div>", "<div dir=rtl>", "<input dirname=x name=y>", "<input type=range value=1e9 min=0>",
    "<input type=number value=11>", "<input type=hidden name=_charset_>", "<select multiple>", "<div><input name=a>",
    "<div dir=rtl><input name=a dirname=b>", "<fieldset disabled><legend><input name=a>", "<form><table>",
    ("<div>", "<input name=a>"), ("<template>", "<input name=a>"), ("<fieldset disabled>", "<select name=s>"),
    "<table><form><tr><td><input name=a>", "<template><input id=a{n}>", "<div><form></div></form><input name=a>",
    "</form><form>",
)  # fmt: skip
XML_PARTS: Final[tuple[Unit, ...]] = (
    "<url>", "</url>", "<loc>", "</loc>", "<url><loc>http://e.com/{n}</loc></url>", "<urlset>", "<sitemapindex>",
    "<sitemap>", "<lastmod>", "2020-01-01", "<image:image>", "<image:loc>", "<video:video>", "<video:tag>", "<item>",
    "</item>", "<entry>", "<xhtml:link rel='alternate' hreflang='a{n}' href='b'/>", "</entry>", "<title>", "</title>",
    "<link>", "<link href='x'/>", "<guid>", "<author>", "<name>", "<category>", "<a xmlns:b{n}='c'>",
    "<a xml:base='d{n}/'>", "<a b{n}='c'>", "<a b='", "<a", "</a>", "<a/>", "<div>", "<!--", "-->", "<![CDATA[", "]]>",
    "<?", "?>", "<!DOCTYPE a [", "<!ENTITY a{n} 'b'>", "&", "&amp;", "&eacute;", "&#65;", "&a", "<", ">", "'", '"',
    " ", "x", "\n", "\0", "<1", "http://e.com/{n}\n", "é", "\t", "=", ";", "<item a='b'>", "<x:item>", "<rss>",
    "<feed>", "<enclosure url='a{n}'/>", "<content src='a'/>", "<pubDate>", "<item><a>", "<url><a></url>",
    ("<item>", "</item>"), ("<a>", "</a>"), "<url><1</url>", "<n{n}/>",
)  # fmt: skip
JSON_PARTS: Final[tuple[Unit, ...]] = (
    "[", "]", "{", "}", ",", ":", '"', "\\", " ", "\n", "0", "-", ".", "e", "null", '"a"', '"a{n}":', "{}", "[]", "[{",
    '"a":1,', "1,", "1\n", '{"a":', '{"id":{n}}', '{"id":1},', '{"id":1}\n', '{"url":"x{n}"},', '"url":"x",',
    '"tags":["a"],', '\\"', "\\u0041", '"authors":[{"name":"b"}],', "\\ud800", "x", "x\n", "1e999,", "9", "é", "\t",
    "\r", "\x1e", "//", ("[", "]"), '{"details":[', "[1 2],", "x,", '"code":"a",', ('{"a":', "}"),
)  # fmt: skip
TABLE_PARTS: Final[tuple[Unit, ...]] = (
    "a", ",", '"', '""', "\n", "\r", "\r\n", ";", "|", "\t", " ", "a,b\n", '"a', 'a"', "é", "\0", "\udfff", "a,b,c\n",
    '"a\n', "a{n},",
)  # fmt: skip


def _chunks(text: str) -> Iterator[str]:
    return (text[at : at + CHUNK] for at in range(0, len(text), CHUNK))


def _bytes(text: str) -> Iterator[bytes]:
    return _chunks(text.encode("utf-8", "replace"))  # type: ignore[arg-type, return-value]


def _response(text: str) -> Response:
    return Response(PAGE, 200, {"Content-Type": "text/html; charset=utf-8"}, text.encode("utf-8", "replace"))


def _read_page(text: str) -> None:
    """Do what the framework itself may do with a page."""
    page = _response(text)
    document = page.document
    page.hrefs(), page.links(), page.media(), title_of(page)
    for name in ("robots", "canonical", "next_page", "prev_page", "alternates"):
        getattr(page, name)
    nofollow_urls(document, PAGE), page_targets(document, PAGE), meta_refresh(document), meta_refreshes(document)


def _read_article(text: str) -> None:
    page = _response(text)
    found = page.article()
    page.data(), page.markdown(whole=True), found.text, found.markdown, found.html


def _read_regions(text: str) -> None:
    links_in_regions(_response(text).document, PAGE, css=("div", "a"), xpath=("//p",))


def _read_form(text: str) -> None:
    with suppress(ValueError):
        form = _response(text).form()
        assert form.fields is not None
        form.submit()


def _detect(text: str) -> None:
    body = text.encode("utf-8", "replace")
    for kind in ("text/html", "", "application/xml"):
        content.decode(body, content.detect_encoding(body, kind))
    content.is_html("", body), content.is_binary(body)


def _decode_chunks(text: str) -> None:
    for label in ("utf-8", "gb18030", "shift_jis", "utf-16le", "windows-1252", "iso-2022-jp"):
        list(decode_stream(_bytes(text), label))


def _encode_queries(text: str) -> None:
    for label in ("windows-1252", "gb18030", "shift_jis"):
        content.encode_query(f"?{text}", label), content.encode_query(text, label)


def _read_xml(text: str) -> None:
    for record in without_pauses(xml_records(_chunks(text), "item")):
        if not isinstance(record, records.BrokenRecord):
            element_to_dict(record)


def _select_xml(text: str) -> None:
    page = Response(PAGE, 200, {"Content-Type": "application/xml"}, text.encode("utf-8", "replace"))
    page.css("item link::text, x|item"), page.xpath("//a/@b | //x:item/text()"), page.selector.get()
    page.css(":root > *").getall(), page.selector.remove_namespaces()


def _read_array(text: str, path: tuple[str, ...] = ()) -> None:
    with suppress(ValueError):
        without_pauses(json_array_records(_chunks(text), path))


def _read_limits(text: str) -> None:
    with suppress(msgspec.DecodeError, RecursionError):
        read_json_limits(msgspec.json.decode(text.encode("utf-8", "replace")))


ATOM: Final = "<feed xmlns='http://www.w3.org/2005/Atom'><entry>"
JSON_FEED: Final = '{"version":"https://jsonfeed.org/version/1","items":['
PARSERS: Final[dict[str, Parser]] = {
    "pages": (_read_page, HTML_PARTS, (("", ""), ("<a href='", "'>"), ("<a ", ">"))),
    "articles": (_read_article, ARTICLE_PARTS, (("", ""),)),
    "JSON-LD": (lambda text: _response(text).data(), JSON_LD_PARTS, ((LD_JSON, "</script>"),)),
    "regions of pages": (_read_regions, HTML_PARTS, (("", ""),)),
    "forms": (
        _read_form, FORM_PARTS,
        (("<form>", ""), ("<form><fieldset disabled>", ""), ("<table><form><tr>", ""), ("<form name='", "'>")),
    ),
    "srcset": (
        parse_srcset,
        ("a", "a 1x,", "a 1w, ", ",", " ", "1", "0", "x", "w", "1.", "1e", "-", ".", "(", ")", "(,)", "\t", "é"),
        (("", ""), ("a ", "!"), ("a (", "")),
    ),
    "XHTML": (xhtml_to_html, HTML_PARTS, (("", ""),)),
    "formatting elements": (is_bounded, HTML_PARTS, (("<p>" * (ALWAYS_BOUNDED + 1), ""),)),
    "encodings": (
        _detect, (*HTML_PARTS, "<meta charset=", "charset", "encoding="),
        (("", ""), ("<?xml ", ""), ("<meta ", ">")),
    ),
    "decoding": (_decode_chunks, ("a", "é", "\0", "\x1b$B", "中", "\ufeff"), (("", ""),)),
    "queries": (_encode_queries, ("a", "é", "中", "?", "#", "%", "\u0301"), (("", ""),)),
    "sitemaps": (
        lambda text: list(sitemaps(_bytes(text), PAGE)), XML_PARTS,
        (("", ""), ("<urlset>", ""), ("<urlset><url><loc>", "")),
    ),
    "RSS": (
        lambda text: read_feed(_bytes(text), PAGE), XML_PARTS,
        (("<rss><channel><item>", ""), ("<rss><channel><item><title>", "</title>")),
    ),
    "Atom": (lambda text: read_feed(_bytes(text), PAGE), XML_PARTS, ((ATOM, ""), (f"{ATOM}<title type='xhtml'>", ""))),
    "JSON Feed": (
        lambda text: read_feed(_bytes(text), PAGE), JSON_PARTS, ((JSON_FEED, ""), (f"{JSON_FEED}{{", "}]}")),
    ),
    "dates": (parse_date, ("1", "-", ":", "2020-01-01T00:00:00", "jan ", ",", "+", " ", "(", ")"), (("", ""),)),
    "XML records": (_read_xml, XML_PARTS, (("", ""), ("<r><item>", ""))),
    "XML": (_select_xml, XML_PARTS, (("<r><item>", ""), ("<r &", "></r>"))),
    "CSV": (lambda text: without_pauses(csv_records(_chunks(text))), TABLE_PARTS, (("", ""), ("a,b\n", ""))),
    "JSON Lines": (lambda text: without_pauses(json_lines_records(_chunks(text))), JSON_PARTS, (("", ""),)),
    "JSON arrays": (_read_array, JSON_PARTS, (("", ""), ("[", "]"))),
    "JSON arrays at a path": (
        lambda text: _read_array(text, ("a", "b")), JSON_PARTS, (('{"b":', "}"), ("{", "}")),
    ),
    "formats": (lambda text: detect_format(text, text, text), (*JSON_PARTS, "+json", ";"), (("", ""),)),
    "limits in JSON": (_read_limits, JSON_PARTS, (('{"error":[', "{}]}"), ('{"errors":', "}"))),
}  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_takes_linear_time(name: str) -> None:
    assert growing(PARSERS[name]) == {}


@pytest.mark.parametrize("unit", ["<b {n}><p>", "<html a{n}=b>", "<BODY\na{n}>", "<i {n}>x", "<font {n}><table>"])
def test_markup_that_repeats_or_compares_its_attributes_takes_linear_time(unit: str) -> None:
    """Pages of up to 32 KiB are parsed as they are, so that the sizes to compare are larger."""
    grown = excess(lambda text: _response(text).document, lambda size: fill(unit, size), first=64_000, last=4_096_000)
    assert grown == ""


def test_an_unclosed_tag_does_not_hide_the_records_after_it() -> None:
    chunks = ["<r><item a='", *["x" * 65_536] * 20, "'/><item>b</item></r>"]
    found = without_pauses(xml_records(chunks, "item"))
    assert [isinstance(one, records.BrokenRecord) for one in found] == [True, False]
    assert "1048576 bytes" in str(found[0])
    assert found[1].text == "b"
