"""`JsonLines`: one item per line, and appending to files."""

from __future__ import annotations

import json
import os

import pytest

from crawler.errors import ConfigError, CrawlFailed
from crawler.sinks import JsonLines, Stdout


async def test_an_item_is_a_line_and_can_be_read_at_once(tmp_path, keep):
    path = tmp_path / "items.jsonl"
    lengths = []
    positions = await keep(
        JsonLines(path),
        [{"a": 1}, {"b": "ü\n"}],
        [],
        [{"c": None}],
        after=lambda: lengths.append(path.stat().st_size),
    )
    assert path.read_text(encoding="utf-8") == '{"a":1}\n{"b":"ü\\n"}\n{"c":null}\n'
    assert [position["end"] for position in positions] == lengths


@pytest.mark.parametrize("old", ['{"n": 0}\n', '{"n": 0}', '{"n": 0}\r\n'])
async def test_appending_adds_lines(tmp_path, keep, old):
    path = tmp_path / "items.jsonl"
    path.write_bytes(old.encode())
    [position] = await keep(JsonLines(path, "append"), [{"n": 1}, {"n": 2}])
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [0, 1, 2]
    assert position["end"] == path.stat().st_size


async def test_a_last_line_of_any_length_is_found(tmp_path, keep):
    path = tmp_path / "items.jsonl"
    path.write_text('{"n": 0}\n{"n": "' + "x" * 200_000 + '"}')
    await keep(JsonLines(path, "append"), [{"n": 2}])
    assert [len(str(json.loads(line)["n"])) for line in path.read_text().splitlines()] == [1, 200_000, 1]


@pytest.mark.parametrize(
    ("old", "words"),
    [
        ("title,year\nEmma,1815\n", "first line is not JSON"),
        ('{"n": 0}\n{"n": ', "last line is not JSON"),
        ("\n", "first line is not JSON"),
    ],
)
def test_a_file_that_is_not_json_lines_is_not_appended_to(tmp_path, old, words):
    path = tmp_path / "items.jsonl"
    path.write_text(old)
    with pytest.raises(ConfigError, match=words):
        JsonLines(path, "append")
    assert path.read_text() == old


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
