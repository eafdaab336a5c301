"""``crawler demo``."""

from __future__ import annotations

import json
import time

from crawler.testing.demo import BOOKS


def test_the_demo_needs_no_network_and_shows_what_happened(command, tmp_path):
    (tmp_path / "demo.jsonl").write_text("from an earlier demo\n")
    began = time.monotonic()
    code, out, err = command("demo", "--pages")
    assert (code, err) == (0, "")
    assert time.monotonic() - began < 10
    items = [json.loads(line) for line in (tmp_path / "demo.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(item["title"] for item in items) == sorted(book.title for book in BOOKS)
    for words in (
        "finished: 29 pages and 20 items",
        "/catalogue.html returned 301; the crawl followed it",
        "/lost returned 404",
        "/opening-hours took 1 s; ",
        "/offers returned 503, then 200; retried after 1.",
        "/private/orders is disallowed: links skipped: 1, requests received: 0",
        "pages fetched twice: 0",
        "503  /offers",  # --pages
        "crawler new shop",
    ):
        assert words in out
    assert f"  {json.dumps(items[0], ensure_ascii=False, separators=(',', ':'))[:60]}" in out


def test_the_items_can_go_to_standard_output_alone(command):
    code, out, err = command("demo", "-o", "-")
    assert code == 0
    assert len([json.loads(line) for line in out.splitlines()]) == 20
    assert "finished: 29 pages and 20 items" in err
