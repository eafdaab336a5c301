"""JSON Lines on standard output."""

from __future__ import annotations

import os

import pytest

from crawler.errors import CrawlFailed
from crawler.sinks import Stdout


async def test_each_item_is_written_as_a_line_at_once(capfd, keep):
    seen = []
    await keep(Stdout(), [{"a": 1}, {"b": "ü"}], [{"c": 2}], after=lambda: seen.append(capfd.readouterr().out))
    assert seen == ['{"a":1}\n{"b":"ü"}\n', '{"c":2}\n']


async def test_a_closed_reader_ends_the_crawl(capfd, rows):
    saved = os.dup(1)
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 1)
    os.close(writer)
    try:
        with pytest.raises(CrawlFailed, match="the reader closed standard output"):
            Stdout().persist(rows([{"a": 1}]))
    finally:
        os.dup2(saved, 1)
        os.close(saved)
