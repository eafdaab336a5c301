"""Which responses are looked at closely."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crawler.walls.suspicion import KnownPages, may_be_wall


def test_each_recorded_wall_is_looked_at() -> None:
    lines = Path(__file__).with_name("recorded.jsonl").read_text().splitlines()
    for found in map(json.loads, lines):
        assert may_be_wall(found["status"], found["body"].encode(), is_redirected=bool(found["redirects"])), found[
            "name"
        ]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>" + b"x" * 3000 + b"<li><a href=/>x</a></li>" * 100,
        b"<html>" + b"<p>x</p>" * 200,
        b"<html>" + b"x" * 40_000,
        b'{"a": "<p>"}',
        b"[1]",
    ],
    ids=["a menu", "much markup", "large", "an object", "an array"],
)
def test_a_page_like_most_is_not(body: bytes) -> None:
    assert not may_be_wall(200, body, is_redirected=False)


def test_redirects_never_are_and_other_statuses_always() -> None:
    assert not any(may_be_wall(status, b"", is_redirected=False) for status in (301, 302, 304, 307))
    assert all(may_be_wall(status, b"<p>" * 500, is_redirected=False) for status in (202, 401, 403, 405, 429, 503))


def test_a_page_that_ends_like_a_good_one_and_is_as_large_is_known() -> None:
    end, known = b"x" * 64, KnownPages()
    assert known.spare(b"some text" + end) < 0
    known.add(b"some text" + end)
    assert known.spare(b"other text" + end) == 1
    assert known.spare(b"less" + end) < 0
    known.add(b"less" + end)
    assert known.spare(b"less" + end) == 0
    assert known.spare(b"other text" + b"y" * 64) < 0


def test_ends_that_differ_each_time_take_no_memory() -> None:
    known = KnownPages()
    for n in range(5000):
        known.add(b"%064d" % n)
    assert sum(known.spare(b"%064d" % n) >= 0 for n in range(5000)) <= 1000
