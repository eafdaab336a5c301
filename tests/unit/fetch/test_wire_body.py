"""`Response.wire` of real exchanges: fields, address and coded body."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import httpx
import pytest
from support.rawserver import answers

from crawler import Request, Settings
from crawler.fetch.body_reader import BodyHandling
from crawler.fetch.downloader import Downloader

PAGE = b"<p>page</p>" * 100
BR = bytes.fromhex("1b5702f81da7c19a9b1f53cdc3f606a75ed0caa72c0a8c0534c0d630")
SETTINGS = Settings(private_network=True)


def message(body: bytes, *fields: str) -> bytes:
    head = ["HTTP/1.1 200 Quite OK", f"CONTENT-length: {len(body)}", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def loader(transport: Any, *, wants_wire: bool = True) -> Downloader:
    return Downloader(transport, SETTINGS, lambda: 0.0, wants_wire=wants_wire)


async def test_fields_reason_and_address_are_known_without_a_wish(serve, transport):
    server = await serve(answers(message(PAGE, "b: 1", "A: 2", "B: 3")))
    response = await loader(transport, wants_wire=False).fetch(Request(server.url, headers={"X-Own": "1"}))
    wire = response.wire
    assert wire is not None
    assert response.wire is wire
    assert (wire.http_version, wire.status, wire.reason, wire.address) == ("HTTP/1.1", 200, "Quite OK", "127.0.0.1")
    assert wire.fields == (("CONTENT-length", str(len(PAGE))), ("b", "1"), ("A", "2"), ("B", "3"))
    assert ("X-Own", "1") in wire.request_fields
    assert wire.body is None


@pytest.mark.parametrize(
    ("coding", "coded"), [("gzip", gzip.compress(PAGE, mtime=0)), ("deflate", zlib.compress(PAGE))]
)
async def test_wants_wire_keeps_the_coded_body_in_addition_to_the_decoded_one(serve, transport, coding, coded):
    server = await serve(answers(message(coded, f"Content-Encoding: {coding}")))
    response = await loader(transport).fetch(Request(server.url))
    assert response.body == PAGE
    assert response.wire.body == coded
    assert response.wire.is_complete
    assert b"Accept-Encoding: gzip, deflate\r\n" in server.head + b"\r\n"
    assert ("Accept-Encoding", "gzip, deflate") in response.wire.request_fields


async def test_a_chunked_body_is_kept_without_its_chunks(serve, transport):
    server = await serve(answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
    response = await loader(transport).fetch(Request(server.url))
    assert response.body == response.wire.body == b"abc"


async def test_a_body_that_is_cut_is_not_complete(serve, transport):
    server = await serve(answers(message(PAGE)))
    response = await loader(transport).fetch(Request(server.url), body=BodyHandling(truncate_at=10))
    assert not response.wire.is_complete
    response = await loader(transport).fetch(Request(server.url), body=BodyHandling(truncate_at=len(PAGE)))
    assert response.wire.is_complete


async def test_a_coding_that_was_not_asked_for_is_decoded_and_kept_too(serve, transport):
    server = await serve(answers(message(BR, "Content-Encoding: br")))
    response = await loader(transport).fetch(Request(server.url))
    assert response.body == b"<p>hello</p>" * 50
    assert response.wire.body == BR


async def test_an_unknown_coding_is_delivered_and_kept_as_it_came(serve, transport):
    server = await serve(answers(message(b"xyz", "Content-Encoding: odd")))
    response = await loader(transport).fetch(Request(server.url))
    assert response.body == response.wire.body == b"xyz"


async def test_a_body_that_another_transport_has_decoded_is_not_the_coded_one():
    def site(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=gzip.compress(PAGE, mtime=0))

    response = await loader(httpx.MockTransport(site)).fetch(Request("https://site.test/"))
    assert response.body == PAGE
    assert response.wire.body is None
    assert response.wire.reason == "OK"


async def test_a_copy_keeps_the_exchange(serve, transport):
    server = await serve(answers(message(PAGE)))
    response = await loader(transport).fetch(Request(server.url))
    assert response.replace(body=b"other", status=299).wire.status == 200
