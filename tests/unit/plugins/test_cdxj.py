"""The index of an archive."""

from __future__ import annotations

from pathlib import Path

import pytest
from crawler_plugins.archive.cdxj import Entry, line_of, parse_line, sort_file, url_key

ENTRY = Entry(
    url="https://site.test/", mime="text/html", status="200", digest="d", length="1", offset="2", filename="f"
)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://www.Site.test/Path?b=2&a=1", "test,site)/path?a=1&b=2"),
        ("http://site.test", "test,site)/"),
        ("http://127.0.0.1:8080/x", "127.0.0.1:8080)/x"),
    ],
)
def test_keys_sort_by_domain(url: str, key: str) -> None:
    assert url_key(url) == key


def test_a_line_is_read_back() -> None:
    line = line_of(ENTRY, "2026-01-02T03:04:05Z")
    assert line.startswith(b'test,site)/ 20260102030405 {"url":')
    assert parse_line(line) == (ENTRY, "2026-01-02T03:04:05Z")


def test_sorting_keeps_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.cdxj"
    path.write_bytes(b"b\na\nb\n")
    sort_file(path)
    assert path.read_bytes() == b"a\nb\nb\n"
    assert list(tmp_path.iterdir()) == [path]
