"""`FeedSpider`: every record of a file once, broken ones counted, in every format and with any bytes."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import each
from support.examples import examples

from crawler import ConfigError, Settings, crawl
from crawler.engine.item_json import encode_item
from crawler.spiders import FeedSpider
from crawler.testing import FakeSite, Page, callback_results, collect, response_for

URL = "https://site.test/feed"
XML = """<?xml version="1.0" encoding="UTF-8"?>
<products xmlns="https://shop.test/" xmlns:g="https://goods.test/">
  <product id="1"><title>Tea &amp; <b>more</b></title><g:price cur="EUR">3.50</g:price></product>
  <g:product><title><![CDATA[<Cup>]]></title><tag>a</tag><tag>b</tag><tag>c</tag></g:product>
</products>"""
KEEP = Settings(incomplete="keep")
CSV = 'title,price\nTea,3.50\n"Cup, ""big""",7\n'
RECORDS = [{"title": "Tea", "price": "3.50"}, {"title": 'Cup, "big"', "price": "7"}]


async def feed(body, spider: FeedSpider | None = None, *, url: str = URL, kind: str = "", broken: int = 0) -> list:
    """The items of a crawl of one file, as far as it came."""
    spider = spider or FeedSpider(url=url)
    spider.start_urls = [url]
    headers = {"Content-Type": kind} if kind else {"Content-Type": "application/octet-stream"}
    found = await collect(spider, FakeSite({url: Page(body, headers=headers)}), settings=KEEP)
    assert found.report.failed == 0
    counters = {"broken records": broken} if broken else {}
    assert found.report.counters == (counters if found.items or broken else {"files without a record": 1})
    return found.items


# ---- XML -------------------------------------------------------------------------------------------------------------


async def test_xml(autojump_clock):
    assert await feed(XML, FeedSpider(itertag="product"), kind="application/xml") == [
        {"@id": "1", "title": {"b": "more", "#text": "Tea &"}, "price": {"@cur": "EUR", "#text": "3.50"}},
        {"title": "<Cup>", "tag": ["a", "b", "c"]},
    ]


@pytest.mark.parametrize("tag", ["g:product", "{https://goods.test/}product"])
async def test_records_of_one_namespace(autojump_clock, tag):
    spider = FeedSpider(itertag=tag, namespaces={"g": "https://goods.test/"})
    assert [item["title"] for item in await feed(XML, spider)] == ["<Cup>"]


async def test_a_record_of_xml_is_an_element(autojump_clock):
    class PageResult(FeedSpider):
        itertag = "product"
        namespaces = {"s": "https://shop.test/", "g": "https://goods.test/"}

        def parse_record(self, response, record):
            price = record.find("g:price", self.namespaces)
            yield {"title": "".join(record.find("s:title", self.namespaces).itertext()), "has": price is not None}

    assert await feed(XML, PageResult()) == [{"title": "Tea & more", "has": True}, {"title": "<Cup>", "has": False}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "shift_jis", "iso-8859-5"])
async def test_xml_in_other_encodings(autojump_clock, encoding):
    text = "<?xml version='1.0' encoding='ENC'?><r><item>Привет</item></r>"
    body = text.replace("ENC", encoding.replace("-be", "")).encode(encoding)
    body = b"\xfe\xff" + body if encoding == "utf-16-be" else body
    assert await feed(body, kind="text/xml") == [{"#text": "Привет"}]


async def test_broken_records_of_xml(autojump_clock, caplog):
    body = (
        "<r xmlns:g='u'><item><a>1</a></item><item>A & B</item><item><a>3</b></item><item x=1/><item>&nbsp;</item>"
        "<g:item><a>6</a></g:item>" + "<item>" + "<d>" * 500 + "</d>" * 500 + "</item><item><a>8</a></item></r>"
    )
    assert await feed(body, broken=5) == [{"a": "1"}, {"a": "6"}, {"a": "8"}]
    assert "record 2: not well-formed (invalid token)" in caplog.text
    assert "record 5: undefined entity" in caplog.text
    assert "elements nested more than 200 deep" in caplog.text
    assert "records: 3 read, 5 broken" in caplog.text


@pytest.mark.parametrize("end", ["", "</item", "</item><item>", "<![CDATA["])
async def test_xml_that_ends_early(autojump_clock, end):
    assert await feed(f"<r><item><a>1</a></item><item><a>2</a>{end}", broken=1) in (
        [{"a": "1"}], [{"a": "1"}, {"a": "2"}]
    )  # fmt: skip


ENTITIES = "<!DOCTYPE r [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;'>]><r><item>&b;</item></r>"
EXTERNAL = "<!DOCTYPE r [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><r><item>&a;</item></r>"
PARAMETER = "<!DOCTYPE r [<!ENTITY % a SYSTEM 'https://other.test/x.dtd'> %a;]><r><item>x</item></r>"


@pytest.mark.parametrize("body", [ENTITIES, EXTERNAL, PARAMETER])
async def test_documents_that_declare_entities_are_refused(autojump_clock, caplog, body):
    site = FakeSite({URL: Page(body, headers={"Content-Type": "text/xml"})})
    found = await collect(FeedSpider(url=URL), site)
    assert (found.report.failed, found.items) == (1, [])
    assert "documents with entities are refused" in caplog.text
    assert {visit.url for visit in site.log} == {URL, "https://site.test/robots.txt"}


async def test_a_document_type_elsewhere_is_not_loaded(autojump_clock):
    body = "<!DOCTYPE rss SYSTEM 'https://other.test/rss.dtd'><rss><item><a>1</a></item><item>&x;</item></rss>"
    assert await feed(body, broken=1) == [{"a": "1"}]


# ---- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_csv(autojump_clock, end):
    assert await feed(CSV.replace("\n", end), kind="text/csv") == RECORDS


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
async def test_the_separator_is_found(autojump_clock, separator):
    body = f'"a,;b"{separator}c{separator}d\n1{separator}"2{separator}"{separator}3\n'
    assert await feed(body, kind="text/csv") == [{"a,;b": "1", "c": f"2{separator}", "d": "3"}]


async def test_tabs_by_media_type(autojump_clock):
    assert await feed("a,b;c\tx\n1\t2\n", kind="text/tab-separated-values") == [{"a,b;c": "1", "x": "2"}]


@pytest.mark.parametrize(
    ("arguments", "body", "items"),
    [
        ({"headers": ["a", "b"]}, "1,2\n3,4\n", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        ({"delimiter": ":"}, "a:b\n1,5:2\n", [{"a": "1,5", "b": "2"}]),
        ({"quotechar": "'"}, "a,b\n'1,5',\"2\n", [{"a": "1,5", "b": '"2'}]),
        ({"quotechar": ""}, 'a,b\n"1,5"\n', [{"a": '"1', "b": '5"'}]),
        ({}, "a,a, ,b\n1,2,3,4\n", [{"a": "1", "a_2": "2", "column_3": "3", "b": "4"}]),
        ({}, "\n \na,b\n\n1,2\n\n", [{"a": "1", "b": "2"}]),
        ({}, 'a,b\n"1\n\n1",2', [{"a": "1\n\n1", "b": "2"}]),
        ({}, "only\n1\n2\n", [{"only": "1"}, {"only": "2"}]),
        ({}, "a,b\n", []),
        ({}, "", []),
    ],
)
async def test_tables_of_other_shapes(autojump_clock, arguments, body, items):
    assert await feed(body, FeedSpider(**arguments), kind="text/csv") == items


async def test_any_number_of_columns_may_have_one_name(autojump_clock):
    many = 50_000
    [item] = await feed("a," * many + "\n" + "1," * many + "\n", kind="text/csv")
    assert list(item) == ["a", *(f"a_{number}" for number in range(2, many + 1)), f"column_{many + 1}"]


@pytest.mark.parametrize("last", ["", "\n", "\r\n3,4\r\n"])
async def test_an_unclosed_quotation_mark_breaks_the_following_rows(autojump_clock, last):
    assert await feed(f'a,b\n1,2\n1,"x\n2,y{last}', kind="text/csv", broken=1) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("body", "kind", "encoding"),
    [
        (b"\xef\xbb\xbf" + "Ort\nKöln\n".encode(), "text/csv; charset=latin1", ""),
        ("Ort\nKöln\n".encode("utf-16"), "text/csv", ""),
        ("Ort\nKöln\n".encode("latin-1"), "text/csv; charset=iso-8859-1", ""),
        ("Ort\nKöln\n".encode("latin-1"), "text/csv", "windows-1252"),
        ("Ort\nKöln\n".encode(), "text/csv", ""),
    ],
)
async def test_encodings_and_byte_order_marks(autojump_clock, body, kind, encoding):
    assert await feed(body, FeedSpider(encoding=encoding), kind=kind) == [{"Ort": "Köln"}]


async def test_characters_are_whole_where_pieces_meet(autojump_clock, monkeypatch):
    monkeypatch.setattr("crawler.content.gunzip.CHUNK_SIZE", 3)
    body = 'Ort,x\r\nKöln€,🙂\r\n"a\r\n\rb",日本\r'
    expected = [{"Ort": "Köln€", "x": "🙂"}, {"Ort": "a\r\n\rb", "x": "日本"}]
    for encoding in ("utf-8", "utf-16-le", "gb18030"):
        data = (b"\xff\xfe" if "16" in encoding else b"") + body.encode(encoding)
        for sent in (data, gzip.compress(data)):
            label = "" if encoding == "utf-16-le" else encoding
            assert await feed(sent, FeedSpider(encoding=label), kind="text/csv") == expected
    xml = "<r xmlns:g='u'><item>Köln €</item><broken & ><g:item>日本</g:item></r>".encode()
    assert await feed(xml, broken=1) == [{"#text": "Köln €"}, {"#text": "日本"}]
    lines = '{"a":"Köln"}\n\n{"a":"日本"}'.encode()
    assert await feed(lines) == [{"a": "Köln"}, {"a": "日本"}]


async def test_broken_rows(autojump_clock, caplog):
    body = "a,b\n1,2\n3\n4,5,6\n" + "7," + "x" * 200_000 + "\n8,9\n"
    assert await feed(body, kind="text/csv", broken=3) == [{"a": "1", "b": "2"}, {"a": "8", "b": "9"}]
    assert "line 3: 1 instead of 2 fields" in caplog.text
    assert "field larger than field limit" in caplog.text


# ---- JSON ------------------------------------------------------------------------------------------------------------


async def test_json_lines(autojump_clock):
    body = '{"a":1}\n\r\n[2]\n"x"\n{"b":{"c":null}}'
    expected = [{"a": 1}, {"value": [2]}, {"value": "x"}, {"b": {"c": None}}]
    assert await feed(body, kind="application/x-ndjson") == expected


async def test_broken_lines(autojump_clock, caplog):
    body = b'{"a":1}\n{"a":2\n{"a":3}\nnull,\n{"a":"\xff"}\n{"a":' + b"[" * 5000 + b"\n" + b'{"a":4}'
    assert await feed(body, kind="application/jsonl", broken=3) == [{"a": 1}, {"a": 3}, {"a": "ÿ"}, {"a": 4}]
    assert "line 2: " in caplog.text


@pytest.mark.parametrize(
    ("items", "body"),
    [
        ("", '[{"a":1},{"a":[2,{"b":"]"}]}]'),
        ("data", '{"x":[1],"data":[{"a":1},{"a":[2,{"b":"]"}]}],"y":0}'),
        ("data.items", ' { "data" : { "n" : {"items": 5}, "items" : [ {"a":1} , {"a":[2,{"b":"]"}]} ] } } '),
        ('data."a.b"', '{"data":{"a.b":[{"a":1},{"a":[2,{"b":"]"}]}]}}'),
    ],
)
async def test_json_arrays(autojump_clock, items, body):
    expected = [{"a": 1}, {"a": [2, {"b": "]"}]}]
    assert await feed(body, FeedSpider(items=items), kind="application/json") == expected


@pytest.mark.parametrize(
    ("body", "good", "broken"),
    [
        ('[{"a":1},{"a":2,},{"a":3}]', [1, 3], 1),
        ('[{"a":1},{"x":[{"a":9},{"a":9}],"y":},{"a":3}]', [1, 3], 1),
        ('[{"a":1},{"a":2', [1], 1),
        ('[{"a":1},{"a":2}', [1, 2], 1),
        ('[{"a":1},', [1], 1),
        ('[{"a":1},{"a":"open},{"a":3}]', [1], 1),
        ('[{"a":1} {"a":2},{"a":3}]', [3], 1),
        ('[{"a":1},{"a":' + "9" * 5000 + '},{"a":3}]', [1, 3], 1),
        ('[{"a":1},' + "[" * 100_000, [1], 1),
    ],
)
async def test_broken_elements_and_the_ones_after_them(autojump_clock, body, good, broken):
    assert [item["a"] for item in await feed(body, kind="application/json", broken=broken)] == good


@pytest.mark.parametrize(
    ("items", "body", "told"),
    [
        (
            "",
            '{"a":[1]}',
            "expected an array at the top of the document, found an object; name the path to its records (items)",
        ),
        ("b", '{"a":[1]}', "the document has no 'b' on the path to its records"),
        ("a.b", '{"a":[1]}', "the document has no 'b' on the path to its records"),
        ("a", '{"a":5}', "expected an array at a, found another value"),
        ("a", '{"a"', "the document has no 'a' on the path to its records"),
        ("", "", "expected an array at the top of the document, found nothing"),
    ],
)
async def test_a_document_without_the_array_fails(autojump_clock, caplog, items, body, told):
    site = FakeSite({URL: Page(body, headers={"Content-Type": "application/json"})})
    found = await collect(FeedSpider(url=URL, items=items), site, settings=KEEP)
    assert found.report.failed == 1
    assert told in caplog.text


# ---- which format ----------------------------------------------------------------------------------------------------

BODIES = {
    "xml": "<rss><item><a>1</a></item></rss>",
    "csv": "a\n1\n",
    "jsonl": '{"a":"1"}\n',
    "json": '[{"a":"1"}]',
}


@pytest.mark.parametrize("form", BODIES)
@pytest.mark.parametrize("is_gzip", [False, True])
async def test_the_format_by_content(autojump_clock, form, is_gzip):
    body = BODIES[form].encode()
    assert await feed(gzip.compress(body) if is_gzip else body) == [{"a": "1"}]
    assert await feed(body, FeedSpider(format=form)) == [{"a": "1"}]


@pytest.mark.parametrize(
    ("kind", "name", "form"),
    [
        ("application/rss+xml; charset=utf-8", "x", "xml"),
        ("text/xml", "x.csv", "xml"),
        ("text/plain", "x.csv", "csv"),
        ("application/octet-stream", "x.TSV.gz?a=b.json", "csv"),
        ("application/gzip", "feed.ndjson.gz", "jsonl"),
        ("text/html", "x.json", "json"),
        ("application/vnd.api+json", "x", "json"),
        ("application/json", "x.jsonl", "jsonl"),
        ("application/x-ndjson", "x", "json"),
        ("", "x.atom", "xml"),
    ],
)
async def test_the_format_by_media_type_and_name(autojump_clock, kind, name, form):
    body = BODIES[form] if kind != "application/json" else '{"a":"1"}\n{"a":"2"}\n'
    items = await feed(body, url=f"https://site.test/{name}", kind=kind)
    assert items[0] == {"a": "1"}


XHTML = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" ""><html></html>'
HTML = ["<!DOCTYPE html><title>Log in</title>", "\ufeff\n<HTML><body>item,price\n1,2\n", XHTML]


@pytest.mark.parametrize("body", HTML)
async def test_a_page_of_html_in_the_place_of_a_file_fails(autojump_clock, caplog, body):
    found = await collect(FeedSpider(url=f"{URL}.csv"), FakeSite({f"{URL}.csv": body}))
    assert (found.report.failed, found.items) == (1, [])
    assert f"{URL}.csv is an HTML page, not a file of records" in caplog.text


@pytest.mark.parametrize(
    ("body", "name"), [("<goods><product/></goods>", "a.xml"), ("[]", "a.json"), ("a,b\n", "a.csv")]
)
async def test_a_file_without_a_record_is_counted(autojump_clock, caplog, body, name):
    url = f"https://site.test/{name}"
    found = await collect(FeedSpider(url=url), FakeSite({url: body}))
    assert (found.report.failed, found.report.pages, found.items) == (0, 1, [])
    assert found.report.counters == {"files without a record": 1}
    assert caplog.messages == [f"{url} has no record; in XML, records are elements named item (itertag)"]


async def test_an_object_over_several_lines_is_one_document(autojump_clock):
    body = '{\n "data": [\n {"a": "1"}\n ]\n}'
    assert await feed(body, FeedSpider(items="data")) == [{"a": "1"}]


# ---- gzip ------------------------------------------------------------------------------------------------------------


async def test_gzip_of_several_members_followed_by_noise(autojump_clock):
    body = gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n") + b"\0\0\0"
    assert await feed(body, url="https://site.test/x.csv.gz", kind="application/gzip") == [
        {"a": "1", "b": "2"}, {"a": "3", "b": "4"}
    ]  # fmt: skip


@pytest.mark.parametrize("damage", ["cut", "changed"])
async def test_damaged_gzip_yields_its_readable_part(autojump_clock, caplog, damage):
    data = gzip.compress("".join(f"{n},{n * 7919 % 10_007}\n" for n in range(10_000)).encode())
    body = data[: len(data) // 2] if damage == "cut" else data[:-8] + b"\0\0\0\0" + data[-4:]
    spider = FeedSpider(url=f"{URL}.csv.gz", headers=["n", "x"])
    found = await collect(spider, FakeSite({f"{URL}.csv.gz": Page(body)}), settings=KEEP)
    assert 2000 < len(found.items) <= 10_000
    assert found.report.counters["broken records"] in (1, 2)
    assert (found.report.incomplete, "broken gzip" in caplog.text) == ((1, False) if damage == "cut" else (0, True))


async def test_a_bomb_is_not_unpacked(autojump_clock, caplog):
    body = gzip.compress(b"a\n" + b"1\n" * 5_000_000)
    found = await collect(FeedSpider(url=URL, max_unpacked=100_000), FakeSite({URL: Page(body)}))
    assert (found.report.failed, found.items) == (1, [])
    assert "the file decompresses to more than 100000 bytes" in caplog.text


async def test_a_file_that_is_too_large_fails(autojump_clock):
    found = await collect(FeedSpider(url=URL), FakeSite({URL: "a\n" + "1\n" * 1000}), settings=Settings(max_body=1000))
    assert found.report.failures == {"body_too_large": 1}


# ---- records ---------------------------------------------------------------------------------------------------------


async def test_a_record_that_the_spider_cannot_handle_is_broken_and_the_others_follow(autojump_clock, caplog):
    class Prices(FeedSpider):
        def parse_record(self, response, record):
            yield {"title": record["title"]}
            yield {"price": float(record["price"])}

    body = "title,price\nTea,3.5\nCup,free\nPot,9\n"
    assert await feed(body, Prices(), kind="text/csv", broken=1) == [
        {"title": "Tea"}, {"price": 3.5}, {"title": "Pot"}, {"price": 9.0}
    ]  # fmt: skip
    assert "record 2: parse_record raised ValueError: could not convert string to float: 'free'" in caplog.text


async def test_a_file_of_which_no_record_can_be_read_fails(autojump_clock, caplog):
    class Wrong(FeedSpider):
        def parse_record(self, response, record):
            return record["prize"]

    found = await collect(Wrong(url=URL), FakeSite({URL: Page(CSV, headers={"Content-Type": "text/csv"})}))
    assert (found.report.failed, found.items) == (1, [])
    assert f"no record of {URL} could be read: record 1: parse_record raised KeyError: 'prize'" in caplog.text


async def test_records_may_lead_to_requests(autojump_clock):
    class Links(FeedSpider):
        itertag = "link"

        def parse_record(self, response, record):
            return response.follow(record.text, self.parse_page)

        def parse_page(self, response):
            yield {"title": response.css("title::text").get()}

    site = FakeSite({URL: "<r><link>/a</link><link>/b</link></r>", "/a": "<title>A</title>", "/b": "<title>B</title>"})
    found = await collect(Links(url=URL, format="xml"), site)
    assert sorted(item["title"] for item in found.items) == ["A", "B"]


async def test_a_file_can_be_mended_before_it_is_read(autojump_clock):
    class Mended(FeedSpider):
        def adapt(self, response):
            return response.replace(body=response.body.replace(b" & ", b" &amp; "))

    assert await feed("<r><item>A & B</item></r>", Mended()) == [{"#text": "A & B"}]


async def test_a_large_file_streams_and_a_job_has_each_record_once(autojump_clock, tmp_path):
    body = gzip.compress("".join(f'{{"n":{n}}}\n' for n in range(10_000)).encode())
    site = FakeSite({f"{URL}.jsonl.gz": Page(body)})
    for _ in range(2):
        await crawl(
            FeedSpider(url=f"{URL}.jsonl.gz"), transport=site.transport, job=tmp_path / "job",
            outputs=[tmp_path / "items.jsonl"],
        )  # fmt: skip
    lines = (tmp_path / "items.jsonl").read_text().splitlines()
    assert [json.loads(line)["n"] for line in lines] == list(range(10_000))
    assert len(site.visits(f"{URL}.jsonl.gz")) == 1


# ---- any bytes -------------------------------------------------------------------------------------------------------

PARTS = st.lists(
    st.sampled_from([
        b"<item>", b"</item>", b"<item a='1'>", b"<item ", b"<", b">", b"&amp;", b"&x;", b"<![CDATA[", b"]]>", b"<!--",
        b"<?xml version='1.0' encoding='utf-16'?>", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"xmlns:g='u'", b"<g:item>",
        b'"', b"\n", b"\r", b",", b";", b"[", b"]", b"{", b"}", b'{"a":1}', b":", b"\\", b"\\ud800", b"1e999", b"NaN",
        b"\x1f\x8b\x08", b"\xff\xfe", b"\xef\xbb\xbf", b"\0", b"\xff", b"a", b"9" * 30,
    ])
    | st.binary(max_size=8)
).map(b"".join)  # fmt: skip


FORMS = ["auto", "xml", "csv", "jsonl", "json"]
KINDS = ["", "text/xml", "text/csv; charset=shift_jis", "text/plain; charset=utf-16", "application/json"]


@given(PARTS | PARTS.map(gzip.compress) | st.binary(), st.sampled_from(FORMS), st.sampled_from(KINDS))
@examples(300)
async def test_any_bytes_raise_documented_errors_only(body, form, kind):
    response = response_for(URL, body, headers={"Content-Type": kind})
    with suppress(ValueError):  # as documented
        for item in await callback_results(FeedSpider(format=form, max_unpacked=10_000), response):
            assert isinstance(item, dict)
            assert encode_item(item).startswith(b"{")


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), min_size=1))
@examples(100)
async def test_json_that_was_written_comes_back(records):
    lines = "\n".join(json.dumps(record) for record in records)
    array = json.dumps({"a": [1], "data": records})
    for body, options in ((lines, {"format": "jsonl"}), (array, {"format": "json", "items": "data"})):
        response = response_for(URL, body.encode(), headers={"Content-Type": "x/y"})
        assert await callback_results(FeedSpider(**options), response) == records


# ---- errors ----------------------------------------------------------------------------------------------------------


@each(
    ("arguments", "message"),
    [
        ({"url": "site.test/x"}, "FeedSpider: argument url: not a URL: 'site.test/x' (did you mean https://site.test/x?)"),
        ({"itertga": "x"}, "spider FeedSpider has no argument 'itertga' (did you mean itertag?)"),
        ({"format": "yaml"}, "FeedSpider: argument format: must be auto, xml, csv, jsonl or json, not 'yaml'"),
        ({"format": "jsn"},
         "FeedSpider: argument format: must be auto, xml, csv, jsonl or json, not 'jsn' (did you mean json?)"),
        ({"itertag": ""}, "FeedSpider: argument itertag: not an element name: ''"),
        ({"itertag": "<a>"}, "FeedSpider: argument itertag: not an element name: '<a>'"),
        ({"itertag": "g:a"}, "FeedSpider: argument itertag: the prefix 'g' has no namespace; add it to namespaces"),
        ({"namespaces": ["g"]}, "FeedSpider: argument namespaces: must be a mapping of names to values, not ['g']"),
        ({"items": "a[*]"}, "FeedSpider: argument items: not a dotted path: 'a[*]'"),
        ({"delimiter": ",,"}, "FeedSpider: argument delimiter: expected one character, not ',,'"),
        ({"delimiter": "\n"}, "FeedSpider: argument delimiter: expected one character, not '\\n'"),
        ({"quotechar": "''"}, 'FeedSpider: argument quotechar: expected one character, not "\'\'"'),
        ({"quotechar": ";", "delimiter": ";"}, "FeedSpider: delimiter and quotechar are the same: ';'"),
        ({"headers": "a,b"}, "FeedSpider: argument headers: must be a list or none, not 'a,b'"),
        ({"encoding": "klingon"}, "FeedSpider: argument encoding: unknown encoding 'klingon'"),
        ({"max_unpacked": 0}, "FeedSpider: argument max_unpacked: must be at least 1, not 0"),
        ({"max_unpacked": "1"}, "FeedSpider: argument max_unpacked: must be a whole number, not '1'"),
    ],
)  # fmt: skip
def test_an_invalid_argument_is_refused_in_one_line(arguments, message):
    with pytest.raises(ConfigError) as caught:
        FeedSpider(**arguments)
    assert str(caught.value) == message


def test_parse_record_must_not_wait():
    class Waits(FeedSpider):
        async def parse_record(self, response, record):
            return record

    with pytest.raises(ConfigError, match=r"^Waits\.parse_record must not be async: yield a Request"):
        Waits()


async def test_a_spider_without_a_url_is_refused(autojump_clock):
    with pytest.raises(ConfigError, match="^FeedSpider: set the argument url, or start_urls$"):
        await collect(FeedSpider(), FakeSite({}))


@pytest.mark.parametrize(
    ("form", "start", "unit"),
    [
        ("xml", "<r>", "<a/>"),
        ("csv", "a,b\n", "\n"),
        ("csv", "a,b\n", "1,2\n"),
        ("jsonl", "", "\n"),
        ("jsonl", "", "{}\n"),
        ("json", "[0", ",0"),
    ],
)
def test_other_tasks_run_while_a_file_is_read_that_leads_to_nothing(form, start, unit):
    class Nothing(FeedSpider):
        def parse_record(self, response, record):
            return None

    spider = Nothing(url=URL, format=form)
    spider.crawl = type("Crawl", (), {"count": staticmethod(lambda *_: None)})()
    found = []
    with suppress(ValueError):  # no record can be read
        for produced in spider.parse(response_for(URL, start + unit * (2**20 // len(unit)))):
            found.append(produced)  # noqa: PERF402 - what came before the error counts
    assert set(found) == {None}
    assert len(found) >= 2**20 // 65_536 - 1
