"""The content of a file of items, and its last line."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.sinks.compression import compression_of
from crawler.sinks.content import last_line, open_content


@pytest.mark.parametrize("name", ["items.jsonl", "items.jsonl.gz"])
def test_a_file_is_read_decompressed(tmp_path, name):
    content = b"one\ntwo\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with open_content(tmp_path / name, compression_of(name)) as file:
        assert last_line(file) == b"two\n"


@given(content=st.lists(st.text("ab", max_size=200), max_size=4).map(lambda lines: "\n".join(lines).encode()))
def test_the_last_line_agrees_with_splitlines(content):
    expected = content.splitlines(keepends=True)[-1] if content else b""
    assert last_line(io.BytesIO(content)) == expected


@pytest.mark.parametrize("size", [65_534, 65_535, 65_536, 65_537, 200_000])
def test_the_last_line_may_be_longer_than_a_read(size):
    line = b"x" * size
    assert last_line(io.BytesIO(b"first\n" + line)) == line
    assert last_line(io.BytesIO(b"first\n" + line + b"\n")) == line + b"\n"
    assert last_line(io.BytesIO(line)) == line
