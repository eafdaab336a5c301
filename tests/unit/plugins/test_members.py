"""Compression of WARC files record by record."""

from __future__ import annotations

import io
from typing import Any

import pytest
from crawler_plugins.archive.members import BrokenRecord, compressor, read_member
from crawler_plugins.archive.records import encode

RECORD = encode([("WARC-Type", "metadata")], b"text " * 50_000)


@pytest.mark.parametrize("compression", ["", "gz", "zst"])
def test_each_record_can_be_read_alone(compression: Any) -> None:
    compress = compressor(compression, 1)
    first, second = compress(RECORD, False), compress(RECORD, True)
    file = io.BytesIO(first + second)
    assert read_member(file, 0, compression) == (RECORD, len(first))
    assert read_member(file, len(first), compression) == (RECORD, len(first + second))
    assert read_member(file, len(first + second), compression) == (b"", len(first + second))


@pytest.mark.parametrize("compression", ["", "gz", "zst"])
def test_a_record_that_is_cut_is_broken(compression: Any) -> None:
    data = compressor(compression, 1)(RECORD, False)
    for size in (10, len(data) // 2, len(data) - 1):
        with pytest.raises(BrokenRecord):
            read_member(io.BytesIO(data[:size]), 0, compression)


@pytest.mark.parametrize("compression", ["", "gz", "zst"])
@pytest.mark.parametrize("data", [b"<html>" * 100, b"WARC/1.1\r\nContent-Length: x\r\n\r\n", b"\x1f\x8b\x08rubbish"])
def test_other_content_is_not_a_record(compression: Any, data: bytes) -> None:
    with pytest.raises(BrokenRecord):
        read_member(io.BytesIO(data), 0, compression)
