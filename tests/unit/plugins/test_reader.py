"""Reading WARC files of this and other programs."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from crawler_plugins.archive.members import BrokenRecord
from crawler_plugins.archive.reader import records_of, to_response
from crawler_plugins.archive.records import encode

from crawler import Request

GET = Request("https://site.test/")


def message(body: bytes, *fields: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *fields]).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ([], b"text"),
        (["Transfer-Encoding: chunked"], b"2;x=y\r\nte\r\n2\r\nxt\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"text"),  # unframed, although the field was kept
        (["Content-Encoding: gzip"], gzip.compress(b"te", mtime=0) + gzip.compress(b"xt", mtime=0)),
        (["Content-Encoding: deflate"], zlib.compress(b"text")),
        (["Content-Encoding: deflate"], zlib.compress(b"text")[2:-4]),
        (["Content-Encoding: deflate, gzip"], gzip.compress(zlib.compress(b"text"), mtime=0)),
        (["Content-Encoding: odd"], b"text"),
        (["X-Archive-Orig-Content-Encoding: br", "X-Archive-Orig-Content-Length: 3", "Content-Length: 4"], b"text"),
    ],
)
def test_bodies_are_decoded_in_every_form(fields: list[str], body: bytes) -> None:
    response = to_response(GET, message(body, *fields))
    assert response.body == b"text"
    assert not any(name.startswith("X-Archive") for name in response.headers)
    assert response.headers.get("content-length") in (None, "3")


def test_a_revisit_has_its_own_fields_and_the_body_of_another_record() -> None:
    coded = message(gzip.compress(b"text", mtime=0), "Content-Encoding: gzip", "X-From: first")
    response = to_response(GET, message(b"", "Content-Encoding: gzip", "X-From: second"), coded)
    assert (response.body, response.headers["x-from"]) == (b"text", "second")


@pytest.mark.parametrize("block", [b"", b"\r\n\r\n", b"hello\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_an_http_response_is_refused(block: bytes) -> None:
    with pytest.raises(BrokenRecord):
        to_response(GET, block)


def test_a_body_that_cannot_be_decoded_is_refused() -> None:
    with pytest.raises(BrokenRecord, match="cannot be decoded"):
        to_response(GET, message(b"rubbish", "Content-Encoding: gzip"))


def test_a_file_that_is_compressed_as_a_whole_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "site.warc.gz"
    path.write_bytes(gzip.compress(encode([("WARC-Type", "x")], b"1") * 2))
    with pytest.raises(BrokenRecord, match="warcio recompress"):
        list(records_of(path, "gz"))
