"""Formats of parts: the same rows make the same bytes, and the first Parquet part gets new columns."""

from __future__ import annotations

import gzip
import io

import msgspec
import pyarrow.parquet as pq
import pytest
from crawler_plugins.outputs.formats import JsonLinesParts, ParquetParts

from crawler import Row


def rows(*items):
    return [Row(msgspec.json.encode(item), str(n), "http://site.test/") for n, item in enumerate(items)]


def test_lines_are_compressed_if_the_suffix_says_so_and_are_always_the_same_bytes():
    plain, _ = JsonLinesParts(".jsonl").encode(rows({"a": 1}, {"a": 2}))
    packed, _ = JsonLinesParts(".jsonl.gz").encode(rows({"a": 1}, {"a": 2}))
    assert plain == gzip.decompress(packed) == b'{"a":1}\n{"a":2}\n'
    assert packed == JsonLinesParts(".jsonl.gz").encode(rows({"a": 1}, {"a": 2}))[0]


def test_the_first_parquet_part_gets_the_columns_of_later_ones():
    form = ParquetParts("zstd")
    first, form.state = form.encode(rows({"a": 1}))
    _, state = form.encode(rows({"a": 1.5, "b": "x"}))
    adapted = form.adapt(first, state)
    assert pq.read_table(io.BytesIO(adapted)).to_pylist() == [{"a": 1.0, "b": None}]
    assert form.adapt(adapted, state) is None


def test_the_first_part_keeps_the_columns_that_a_killed_run_gave_it():
    form = ParquetParts("none")
    first, _ = form.encode(rows({"a": 1, "b": "x"}))
    assert form.adapt(first, {"a": "int64"}) is None


def test_the_columns_are_learned_from_a_part_of_another_crawl():
    first, state = ParquetParts("none").encode(rows({"a": 1, "b": ["x"]}))
    other = ParquetParts("none")
    other.learn(first)
    assert other.state == state
    with pytest.raises(ValueError, match="Parquet"):
        other.learn(b"no table")
