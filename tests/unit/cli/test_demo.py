"""``crawler demo``."""

from __future__ import annotations

import json
import re
import signal

import httpx
import pytest

from crawler.testing.demo import BOOKS


def test_the_demo_needs_no_network_and_shows_what_happened(command, tmp_path):
    (tmp_path / "demo.jsonl").write_text("from an earlier demo\n")
    code, out, err = command("demo", "--pages")
    assert (code, err) == (0, "")
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_site_can_be_served_until_a_signal_ends_it_quietly(start, number):
    process = start("demo", "--serve", "--port", "0")
    url = re.search(r"http://127.0.0.1:[0-9]+/", process.stdout.readline())[0]
    page = httpx.get(f"{url}quotes/")
    assert page.text.count('<div class="quote">') == 10
    assert httpx.get(f"{url}quotes/2").text.count('<div class="quote">') == 10
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert f"crawler run {url} -o pages.jsonl" in out


def test_a_port_that_is_in_use_is_refused(command, site):
    port = site.url.removesuffix("/").rpartition(":")[2]
    code, out, err = command("demo", "--serve", "--port", port)
    assert (code, out) == (2, "")
    assert err == f"crawler: --port {port}: address already in use; --port 0 takes a free one\n"
