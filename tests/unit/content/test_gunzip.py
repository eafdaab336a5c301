"""Gzip in chunks: members, trailing bytes, damage, and memory that does not grow with the content."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.content import gunzip
from crawler.content.gunzip import Gunzipped


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # without the time, which would differ between processes


def read(body) -> tuple[bytes, str | None]:
    stream = Gunzipped(body)
    return b"".join(stream), stream.fault


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (b"", b""),
        (b"\x1f", b"\x1f"),
        (b"plain", b"plain"),
        (packed(b""), b""),
        (packed(b"a"), b"a"),
        (packed(b"a") + packed(b"") + packed(b"b"), b"ab"),
        (packed(b"a") + bytes(600), b"a"),
        (packed(b"a") + b"garbage", b"a"),
        (packed(packed(b"a")), packed(b"a")),
    ],
)
def test_the_content_of_a_body(body, content):
    for given_ in (body, bytearray(body), memoryview(body), [body], [body[at : at + 1] for at in range(len(body))]):
        assert read(given_) == (content, None)


@pytest.mark.parametrize("size", [2, 12, 18, 60_000])
def test_truncated_gzip_yields_the_data_before_its_end(size):
    content = b"".join(b"%d " % (number * number) for number in range(20_000))
    found, fault = read(packed(content)[:size])
    assert (content.startswith(found), fault) == (True, "truncated gzip")
    assert (len(found) > 100_000) == (size == 60_000)


def test_broken_gzip_yields_the_data_before_the_damage():
    content = b"".join(b"%d " % (number * number) for number in range(20_000))
    body = bytearray(packed(content))
    body[30_000:30_100] = bytes(100)
    found, fault = read(bytes(body))
    assert (found[:50_000], fault) == (content[:50_000], "broken gzip")
    wrong_checksum, fault = read(packed(content)[:-8] + bytes(8))
    assert content.startswith(wrong_checksum)
    assert fault == "broken gzip"


def test_a_bomb_is_decompressed_in_chunks():
    bomb = packed(bytes(20_000_000))
    tracemalloc.start()
    largest, size = 0, 0
    for chunk in Gunzipped(bomb):
        largest, size = max(largest, len(chunk)), size + len(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (size, largest) == (20_000_000, gunzip.CHUNK_SIZE)
    assert peak < 1_000_000


CONTENT = st.binary(max_size=200)


@given(st.lists(CONTENT, min_size=1, max_size=3), st.integers(1, 50))
def test_members_that_were_compressed_come_back_however_they_are_cut(contents, size):
    body = b"".join(map(packed, contents))
    assert read([body[at : at + size] for at in range(0, len(body), size)]) == (b"".join(contents), None)


@given(
    CONTENT
    | CONTENT.map(lambda tail: b"\x1f\x8b\x08" + tail)
    | CONTENT.map(lambda data: zlib.compress(data, wbits=31)[:-3])
)
def test_no_bytes_raise(body):
    content, fault = read(body)
    assert (content, fault) == (body, None) or fault in ("truncated gzip", "broken gzip")
