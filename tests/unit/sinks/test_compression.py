"""Compressed files: members, where they end, and files that end within one."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.sinks.compression import COMPRESSIONS, BrokenMember, Content, compression_of, first_lost_block

KINDS = [load() for load in COMPRESSIONS.values()]
kinds = st.sampled_from(KINDS)
contents = st.lists(st.binary(max_size=50) | st.binary(max_size=50).map(lambda part: part * 3000), max_size=6)


def pack(kind, parts):
    return b"".join(kind.compress(part) for part in parts)


@given(kinds, contents, st.integers(1, 100_000))
def test_members_are_read_as_one_content_and_their_ends_are_known(kind, parts, size):
    file = io.BytesIO(b"head" + pack(kind, parts))
    file.seek(4)
    content = Content(file, kind)
    reader = io.BufferedReader(content, size)
    length, end = 0, 4
    for part in parts:
        assert reader.read(len(part)) == part
        length, end = length + len(part), end + len(kind.compress(part))
        if part:
            assert content.end_at(length) == end
    assert reader.read() == b""
    assert content.is_whole
    assert content.end_at(length + 1) is None


@given(kinds, contents, st.data())
def test_a_file_that_ends_within_a_member_has_the_content_before(kind, parts, data):
    packed = pack(kind, parts)
    torn = packed[: data.draw(st.integers(0, len(packed)))]
    found = io.BufferedReader(Content(io.BytesIO(torn), kind)).read()
    assert b"".join(parts).startswith(found)
    whole = [part for n, part in enumerate(parts, 1) if len(pack(kind, parts[:n])) <= len(torn)]
    assert found.startswith(b"".join(whole))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.ending)
def test_bytes_that_are_not_a_member_are_found(kind):
    packed = kind.compress(b"text") + b"more than that"
    with pytest.raises(BrokenMember):
        io.BufferedReader(Content(io.BytesIO(packed), kind)).read()
    with pytest.raises(BrokenMember):
        io.BufferedReader(Content(io.BytesIO(packed[:6] + b"??" + packed[6:]), kind)).read()


def test_a_content_stops_before_an_offset():
    [kind] = [kind for kind in KINDS if kind.ending == ".gz"]
    packed = gzip.compress(b"one")
    assert io.BufferedReader(Content(io.BytesIO(packed + b"?" * 9), kind, len(packed))).read() == b"one"


def test_the_extension_selects_the_compression(monkeypatch):
    assert [compression_of(name) and compression_of(name).ending for name in ("a.gz", "A.ZST", "a.gz.csv")] == [
        ".gz",
        ".zst",
        None,
    ]


def test_blocks_that_were_not_written_are_found_from_a_start_and_at_block_borders():
    lost = bytes(4096)
    assert first_lost_block(io.BytesIO(b"x" * 5000), 0) is None
    assert first_lost_block(io.BytesIO(b"x" * 4096 + lost + b"x"), 100) == 4096
    assert first_lost_block(io.BytesIO(b"x" * 100 + bytes(50)), 100) == 100
    assert first_lost_block(io.BytesIO(b"x" * 100 + bytes(3996) + b"x"), 100) == 100
    assert first_lost_block(io.BytesIO(b"x" * 100 + bytes(9000) + b"x"), 50) == 4096
