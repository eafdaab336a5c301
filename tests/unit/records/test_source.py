"""The bytes of a file in chunks: gzip of any kind, whole or damaged, and never more than the limit."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.records import GunzippedBody

LIMIT = 1_000_000


def read(body: bytes, limit: int = LIMIT) -> tuple[bytes, str | None]:
    source = GunzippedBody(body, limit)
    return b"".join(source), source.fault


@given(st.binary())
def test_bytes_pass_and_gzip_is_decompressed(body):
    packed = gzip.compress(body)
    assert read(packed) == (body, None)
    assert read(packed + gzip.compress(b"x") + b"trailing") == (body + b"x", None)
    if not body.startswith(b"\x1f\x8b"):
        assert read(body) == (body, None)


def test_large_bodies_come_in_chunks():
    body = bytes(300_000)
    for sent in (body, gzip.compress(body)):
        chunks = list(GunzippedBody(sent, LIMIT))
        assert b"".join(chunks) == body
        assert max(map(len, chunks)) <= 65_536


def test_the_head_is_enough_to_know_the_format_and_leaves_the_body_to_be_read():
    body = b"a,b\n" * 40_000
    source = GunzippedBody(gzip.compress(body), LIMIT)
    assert 4096 <= len(source.head()) < len(body)
    assert body.startswith(source.head())
    assert b"".join(source) == body
    assert GunzippedBody(body, LIMIT).head() == body
    assert GunzippedBody(b"", LIMIT).head() == b""


def test_damaged_gzip_yields_its_readable_part_and_reports_the_fault():
    body = bytes(range(256)) * 2000
    packed = gzip.compress(body)
    cut, fault = read(packed[: len(packed) // 2])
    assert body.startswith(cut)
    assert cut
    assert fault == "truncated gzip"
    whole, fault = read(packed[:-8] + b"\0\0\0\0" + packed[-4:])
    assert body.startswith(whole)
    assert fault == "broken gzip"


def test_a_bomb_is_read_to_the_limit_only():
    bomb = gzip.compress(bytes(30_000_000))
    tracemalloc.start()
    with pytest.raises(ValueError, match="^the file decompresses to more than 100000 bytes$"):
        read(bomb, 100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@given(st.binary(max_size=60).map(lambda data: b"\x1f\x8b\x08" + data))
def test_data_that_only_begins_like_gzip_is_damaged_and_does_not_raise(body):
    assert read(body)[1] in ("truncated gzip", "broken gzip")
