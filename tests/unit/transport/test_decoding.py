"""Content codings decoded without a transport; test_bodies.py has one."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from itertools import pairwise

import brotli
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from crawler.transport.decoding import (
    MAX_CODINGS,
    MAX_PIECE,
    CodingError,
    make_decoder,
    parse_content_encoding,
)
from crawler.transport.wire import failure_of

TEXT = b"<p>hello</p>" * 50
PACKED = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}
MEMBERS = b"".join(gzip.compress(TEXT[at : at + 100]) for at in range(0, len(TEXT), 100))


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def decoded(body: bytes, *codings: str) -> bytes:
    decoder = make_decoder(list(codings))
    assert decoder is not None
    found = b"".join(decoder.feed(body))
    decoder.end(200)
    return found


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


@pytest.mark.parametrize("codings", [[], ["gzip", "utf-8"], ["gzip;q=1"]])
def test_no_and_unknown_codings_have_no_decoder(codings):
    assert make_decoder(codings) is None


def test_too_many_codings_are_an_error_that_no_attempt_cures():
    with pytest.raises(CodingError, match="exceed the limit of 5") as caught:
        decoded(b"x", *["gzip"] * (MAX_CODINGS + 1))
    assert not failure_of(caught.value).retryable


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
        (brotli.compress(TEXT), ["br"]),
        (brotli.compress(TEXT) + b"garbage", ["br"]),
        (zstd.compress(TEXT), ["zstd"]),
        (zstd.compress(TEXT[:9]) + b"\x50\x2a\x4d\x18\x01\0\0\0x" + zstd.compress(TEXT[9:]), ["zstd"]),
        (zstd.compress(TEXT) + b"garbage", ["zstd"]),
        (gzip.compress(zlib.compress(TEXT) + bytes(100_000)), ["deflate", "gzip"]),
    ],
    ids=range(14),  # a gzip file holds the time of its making
)
def test_a_body_is_decoded_to_its_end_and_no_further(body, codings):
    assert decoded(body, *codings) == TEXT


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("left", [1, 2, 4, 8, 9, 20])
def test_a_body_without_its_end_is_incomplete(coding, left):
    body = PACKED[coding](TEXT)
    with pytest.raises(CodingError, match=f"its coding {coding} has no end") as caught:
        decoded(body[:-left], coding)
    assert failure_of(caught.value).kind == "incomplete"


def test_a_body_whose_outer_coding_stops_is_incomplete():
    with pytest.raises(CodingError, match="its coding gzip has no end"):
        decoded(gzip.compress(MEMBERS)[:-1], "gzip", "gzip")
    with pytest.raises(CodingError, match="its coding gzip has no end"):
        decoded(gzip.compress(b"")[:-1], "deflate", "gzip")


def test_a_part_need_not_have_an_end():
    decoder = make_decoder(["gzip"])
    assert TEXT.startswith(b"".join(decoder.feed(gzip.compress(TEXT)[:-9])))
    decoder.end(206)


@pytest.mark.parametrize("coding", PACKED)
def test_bytes_that_mean_nothing_are_an_error(coding):
    with pytest.raises(CodingError, match=f"the body is not {coding}"):
        decoded(b"\xff" + TEXT, coding)


@pytest.mark.parametrize("coding", PACKED)
def test_nothing_is_decoded_to_nothing(coding):
    assert decoded(b"", coding) == b""


@pytest.mark.parametrize("coding", PACKED)
def test_a_bomb_is_unpacked_in_small_pieces(coding):
    packed = PACKED[coding](PACKED[coding](bytes(50_000_000)))
    decoder = make_decoder([coding, coding])
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


@given(st.lists(st.integers(1, 40)))
def test_members_are_whole_wherever_a_body_is_cut(cuts: list[int]) -> None:
    decoder = make_decoder(["gzip"])
    assert decoder is not None
    body, found = MEMBERS + b"\x1f\x8bnoise", b""
    for size in [*cuts, len(body)]:
        found += b"".join(decoder.feed(body[:size]))
        body = body[size:]
    assert found == TEXT


@given(st.binary(max_size=3000), st.lists(st.sampled_from(list(PACKED)), min_size=1, max_size=3), st.data())
def test_a_coded_body_is_decoded_in_pieces_of_any_size(content: bytes, codings: list[str], data: st.DataObject) -> None:
    body = content
    for coding in codings:
        pack = data.draw(st.sampled_from([zlib.compress, raw_deflate])) if coding == "deflate" else PACKED[coding]
        body = pack(body)
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6))), len(body)]
    decoder = make_decoder(parse_content_encoding([", ".join(codings)]))
    assert decoder is not None
    pieces = [body[start:end] for start, end in pairwise(cuts)]
    assert b"".join(found for piece in pieces for found in decoder.feed(piece)) == content
    assert decoder.received == len(body)
    decoder.end(200)
