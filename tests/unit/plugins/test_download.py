"""`Download`: one file. Whole crawls that continue files are in test_files_plugin.py."""

from __future__ import annotations

from contextlib import closing

import pytest
from crawler_plugins.files.download import Checks, Download, validator_of
from crawler_plugins.files.index import FileIndex
from crawler_plugins.files.partial import PartialFile
from support.cases import each

from crawler import BodyTooLarge, Drop, Headers, Response

URL = "https://site.test/a"
DATE, SECOND_BEFORE = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT"


@each(
    ("fields", "validator"),
    [
        ({"ETag": '"x"'}, '"x"'),
        ({"ETag": 'W/"x"'}, ""),
        ({"ETag": "x"}, ""),
        ({"ETag": '"'}, ""),
        ({"ETag": 'W/"x"', "Last-Modified": SECOND_BEFORE, "Date": DATE}, SECOND_BEFORE),
        ({"Last-Modified": DATE, "Date": DATE}, ""),
        ({"Last-Modified": SECOND_BEFORE}, ""),
        ({"Last-Modified": "yesterday", "Date": DATE}, ""),
        ({"Last-Modified": "Sun, 06 Nov 1994 08:49:36 -0000", "Date": DATE}, ""),
        ({}, ""),
    ],
)
def test_only_strong_validators_continue_a_file(fields, validator):
    assert validator_of(Headers(fields)) == validator


@pytest.fixture
def download(tmp_path):
    with (
        closing(FileIndex(tmp_path / "index", sync=False)) as index,
        closing(PartialFile.open(tmp_path / "a.part")) as partial,
    ):
        yield Download(None, URL, partial, index, Checks(min_bytes=0, max_bytes=10, types=()))


def response(status, **fields):
    return Response(URL, status, {name.replace("_", "-"): value for name, value in fields.items()})


async def test_the_rest_of_a_file_is_requested(download):
    assert await download.range_fields() == []
    assert await download.receive(response(200, etag='"1"')) is download
    await download.write(b"abc")
    assert await download.range_fields() == [("Range", "bytes=3-"), ("If-Range", '"1"')]
    assert await download.receive(response(206, content_range="bytes 3-5/6")) is download
    await download.write(b"de")
    assert await download.finish("text/plain") == "incomplete: 5 of 6 bytes"
    await download.write(b"f")
    assert await download.finish("text/plain") == ""


async def test_an_error_page_leaves_the_file_as_it_is(download):
    await download.receive(response(200, etag='"1"'))
    await download.write(b"abc")
    assert await download.receive(response(503)) is None
    assert await download.receive(response(302, location="/b")) is None
    assert (await download.range_fields())[0] == ("Range", "bytes=3-")


async def test_a_whole_file_begins_again(download):
    await download.receive(response(200, etag='"1"'))
    await download.write(b"abc")
    await download.receive(response(200, content_length="2"))
    assert await download.range_fields() == []
    await download.write(b"xy")
    assert await download.finish("text/plain") == ""


async def test_sizes_are_checked_before_and_during_the_body(download):
    assert isinstance(await download.receive(response(200, content_length="11")), Drop)
    assert download.refusal == "it has 11 bytes, more than 10"
    assert await download.receive(response(200, content_length="9" * 6000)) is download
    assert await download.receive(response(200, content_length="11", content_encoding="gzip")) is download
    await download.write(b"x" * 10)
    with pytest.raises(BodyTooLarge, match="larger than 10 bytes"):
        await download.write(b"x")
    assert isinstance(await download.receive(response(206, content_range="bytes 10-10/11")), Drop)


async def test_a_coded_file_is_not_continued(download):
    await download.receive(response(200, etag='"1"', content_encoding="gzip"))
    await download.write(b"abc")
    assert await download.range_fields() == []
    assert isinstance(await download.receive(response(206, content_range="bytes 3-5/6", content_encoding="br")), Drop)
    assert download.restarts()
