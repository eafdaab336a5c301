"""WARC records as bytes."""

from __future__ import annotations

import pytest
from crawler_plugins.archive.records import digest_of, encode, is_compressed, new_id, request_message, warc_date

from crawler import Request, Response


def test_a_record_has_its_fields_its_length_and_two_line_breaks() -> None:
    assert encode([("WARC-Type", "metadata")], b"abc") == (
        b"WARC/1.1\r\nWARC-Type: metadata\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n"
    )


def test_a_digest_is_a_sha1_in_base32() -> None:
    assert digest_of(b"") == "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ"


def test_dates_are_utc_and_ids_differ() -> None:
    assert warc_date(0.9) == "1970-01-01T00:00:00Z"
    assert new_id() != new_id()


def test_a_request_is_written_as_http_1_1_without_credentials() -> None:
    request = Request("https://site.test:8080/a?b=1", method="POST", body=b"x")
    sent = [("X-A", "1\r\nX-Evil: 2"), ("Cookie", "id=1"), ("X-Api-Key", "k")]
    assert request_message(request, sent, credentials=False) == (
        b"POST /a?b=1 HTTP/1.1\r\nHost: site.test:8080\r\nX-A: 1 X-Evil: 2\r\nContent-Length: 1\r\n\r\nx"
    )
    assert b"Cookie: id=1\r\nX-Api-Key: k" in request_message(request, sent, credentials=True)


@pytest.mark.parametrize(("kind", "compressed"), [("image/png", True), ("image/svg+xml", False), ("text/html", False)])
def test_images_are_not_compressed_again(kind: str, compressed: bool) -> None:
    assert is_compressed(Response("https://site.test/", headers={"Content-Type": kind})) is compressed
