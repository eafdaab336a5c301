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
MOST = 100_000


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
    response = to_response(GET, message(body, *fields), max_size=MOST)
    assert response.body == b"text"
    assert not any(name.startswith("X-Archive") for name in response.headers)
    assert response.headers.get("content-length") in (None, "3")


def test_a_revisit_has_its_own_fields_and_the_body_of_another_record() -> None:
    coded = message(gzip.compress(b"text", mtime=0), "Content-Encoding: gzip", "X-From: first")
    response = to_response(GET, message(b"", "Content-Encoding: gzip", "X-From: second"), coded, max_size=MOST)
    assert (response.body, response.headers["x-from"]) == (b"text", "second")


@pytest.mark.parametrize(
    "block", [b"", b"\r\n\r\n", b"hello\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 ²²².\r\n\r\n".encode("latin-1")]
)
def test_a_record_that_is_not_an_http_response_is_refused(block: bytes) -> None:
    with pytest.raises(BrokenRecord):
        to_response(GET, block, max_size=MOST)


def test_a_body_that_cannot_be_decoded_is_refused() -> None:
    with pytest.raises(BrokenRecord, match="cannot be decoded"):
        to_response(GET, message(b"rubbish", "Content-Encoding: gzip"), max_size=MOST)


@pytest.mark.parametrize("size", ["-6", "-4", "+4", "0x4", "4_0", "f" * 17, ""])
def test_an_invalid_chunk_size_ends_no_chunk(size: str) -> None:
    body = f"{size}\r\ntext\r\n0\r\n\r\n".encode()
    assert to_response(GET, message(body, "Transfer-Encoding: chunked"), max_size=MOST).body == body


BOMB = bytes(1_000_000)
BOMBS = {
    "gzip": gzip.compress(BOMB),
    "gzip of members": gzip.compress(BOMB[:5_000]) * 200,
    "deflate": zlib.compress(BOMB),
    "gzip, gzip": gzip.compress(gzip.compress(BOMB)),
    "br": bytes.fromhex("5b3f428f7f02201e0b04f2731e00"),
}


@pytest.mark.parametrize("coding", BOMBS)
def test_a_decompression_bomb_in_an_archive_is_refused(coding: str) -> None:
    field = f"Content-Encoding: {coding.partition(' of ')[0]}"
    with pytest.raises(BrokenRecord, match="larger than 100000 bytes"):
        to_response(GET, message(BOMBS[coding], field), max_size=MOST)
    assert to_response(GET, message(BOMBS[coding], field), max_size=len(BOMB)).body == BOMB


def test_a_body_with_very_many_codings_is_refused() -> None:
    with pytest.raises(BrokenRecord, match="has 6 content codings"):
        to_response(GET, message(b"x", "Content-Encoding: " + "gzip," * 5), max_size=MOST)


def test_folded_lines_are_joined() -> None:
    response = to_response(GET, message(b"", "A: b", " c", "\td", "E: f\x85g"), max_size=MOST)
    assert (response.headers["a"], response.headers["e"]) == ("b c d", "f\xc2\x85g")


@pytest.mark.parametrize("size", ["²", "9" * 5_000, "-1", ""])
def test_a_record_without_a_valid_length_is_refused(tmp_path: Path, size: str) -> None:
    path = tmp_path / "site.warc.gz"
    record = f"WARC/1.1\r\nWARC-Type: x\r\nContent-Length: {size}\r\n\r\n\r\n\r\n".encode()
    for name, data in (("site.warc.gz", gzip.compress(record)), ("site.warc", record)):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(BrokenRecord):
            list(records_of(path, "gz" if name.endswith("gz") else ""))


def test_a_file_that_is_compressed_as_a_whole_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "site.warc.gz"
    path.write_bytes(gzip.compress(encode([("WARC-Type", "x")], b"1") * 2))
    with pytest.raises(BrokenRecord, match="warcio recompress"):
        list(records_of(path, "gz"))
