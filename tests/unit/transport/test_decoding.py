"""Content codings decoded without a transport; test_bodies.py has one."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from itertools import pairwise

import pycurl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.transport.decoding import (
    MAX_CODINGS,
    MAX_PIECE,
    libcurl_codings,
    make_decoder,
    parse_content_encoding,
)

TEXT = b"<p>hello</p>" * 50
MEMBERS = b"".join(gzip.compress(TEXT[at : at + 100]) for at in range(0, len(TEXT), 100))


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def decoded(body: bytes, *codings: str) -> bytes:
    decoder = make_decoder(list(codings))
    assert decoder is not None
    return b"".join(decoder.feed(body))


@pytest.mark.parametrize(
    ("fields", "codings"),
    [
        ([], []),
        (["gzip"], ["gzip"]),
        (["\t GZip  "], ["gzip"]),
        (["deflate, gzip"], ["deflate", "gzip"]),
        (["deflate", "gzip"], ["deflate", "gzip"]),
        ([", gzip ,,"], ["gzip"]),
        (["identity", "none", ""], []),
        (["gzip;q=1"], ["gzip;q=1"]),
        (["utf-8"], ["utf-8"]),
    ],
)
def test_codings_are_read_in_the_order_of_their_application(fields, codings):
    assert parse_content_encoding(fields) == codings


@pytest.mark.parametrize("codings", [[], ["br"], ["gzip", "utf-8"], ["gzip;q=1"], ["gzip"] * (MAX_CODINGS + 1)])
def test_no_too_many_and_unknown_codings_have_no_decoder(codings):
    assert make_decoder(codings) is None


@pytest.mark.parametrize(
    ("body", "codings"),
    [
        (gzip.compress(TEXT), ["gzip"]),
        (gzip.compress(TEXT), ["x-gzip"]),
        (zlib.compress(TEXT), ["deflate"]),
        (raw_deflate(TEXT), ["deflate"]),
        (gzip.compress(zlib.compress(TEXT)), ["deflate", "gzip"]),
        (MEMBERS, ["gzip"]),
        (gzip.compress(TEXT) + b"garbage", ["gzip"]),
        (zlib.compress(TEXT) + b"garbage", ["deflate"]),
        (gzip.compress(TEXT)[:-8], ["gzip"]),
    ],
    ids=range(9),  # a gzip file holds the time of its making
)
def test_a_body_is_decoded_to_its_end_and_no_further(body, codings):
    assert decoded(body, *codings) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bytes_that_mean_nothing_are_an_error(coding):
    with pytest.raises(zlib.error):
        decoded(b"\xff" + TEXT, coding)


@pytest.mark.parametrize(("coding", "size"), [("gzip", 0), ("deflate", 0), ("deflate", 1)])
def test_nothing_is_decoded_to_nothing(coding, size):
    assert decoded(b"x" * size, coding) == b""


def test_a_bomb_is_unpacked_in_small_pieces():
    packed = gzip.compress(gzip.compress(bytes(50_000_000)))
    decoder = make_decoder(["gzip", "gzip"])
    assert decoder is not None
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in decoder.feed(packed)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) == 50_000_000
    assert max(sizes) <= MAX_PIECE
    assert peak < 1_000_000


def test_the_codings_of_this_libcurl_are_those_it_was_built_with():
    assert {"gzip", "deflate"} <= libcurl_codings()
    assert ("br" in libcurl_codings()) is bool(pycurl.version_info()[4] & pycurl.VERSION_BROTLI)


@given(st.lists(st.integers(1, 40)))
def test_members_are_whole_wherever_a_body_is_cut(cuts: list[int]) -> None:
    decoder = make_decoder(["gzip"])
    assert decoder is not None
    body, found = MEMBERS + b"\x1f\x8bnoise", b""
    for size in [*cuts, len(body)]:
        found += b"".join(decoder.feed(body[:size]))
        body = body[size:]
    assert found == TEXT


@given(st.binary(max_size=3000), st.lists(st.sampled_from(["gzip", "deflate"]), min_size=1, max_size=3), st.data())
def test_a_coded_body_is_decoded_in_pieces_of_any_size(content: bytes, codings: list[str], data: st.DataObject) -> None:
    body = content
    for coding in codings:
        body = (
            gzip.compress(body) if coding == "gzip" else data.draw(st.sampled_from([zlib.compress, raw_deflate]))(body)
        )
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6))), len(body)]
    decoder = make_decoder(parse_content_encoding([", ".join(codings)]))
    assert decoder is not None
    pieces = [body[start:end] for start, end in pairwise(cuts)]
    assert b"".join(found for piece in pieces for found in decoder.feed(piece)) == content
    assert decoder.received == len(body)
