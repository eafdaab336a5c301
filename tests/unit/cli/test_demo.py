"""``crawler demo``, and the site that it crawls."""

from __future__ import annotations

import json
import re
import socket
import time

import pytest

from crawler.cli import main
from crawler.testing.demo import BOOKS, PAGES, demo_site


def test_the_demo_needs_nothing_and_tells_what_happened(command, tmp_path):
    (tmp_path / "demo.jsonl").write_text("of an earlier demo\n")
    began = time.monotonic()
    code, out, err = command("demo", "--pages")
    assert (code, err) == (0, "")
    assert time.monotonic() - began < 10
    items = [json.loads(line) for line in (tmp_path / "demo.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(item["title"] for item in items) == sorted(book.title for book in BOOKS)
    for words in (
        "finished: 29 pages and 20 items",
        "/catalogue.html answered 301; it was followed",
        "/lost answered 404",
        "/opening-hours took 1 s; meanwhile",
        "/offers answered 503, then 200; asked again after 1.",
        "/private/orders is closed to robots: links left out 1, requests seen 0",
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


def test_the_site_closes_its_port():
    with demo_site() as site:
        host, _, port = site.url.removeprefix("http://").rstrip("/").partition(":")
        socket.create_connection((host, int(port))).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_the_site_survives_what_is_no_http():
    with demo_site() as site:
        host, _, port = site.url.removeprefix("http://").rstrip("/").partition(":")
        for sent in (b"hello\r\n\r\n", b"", b"GET / HTTP/1.1\r\n"):
            with socket.create_connection((host, int(port))) as broken:
                broken.sendall(sent)
        with socket.create_connection((host, int(port))) as client:
            client.sendall(
                b"HEAD /books/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /lost HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            answers = b""
            while chunk := client.recv(65536):
                answers += chunk
        head, _, rest = answers.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert rest.startswith(b"HTTP/1.1 404 Not Found")
        assert rest.endswith(site.answer("/lost").body.encode())
        assert [(hit.path, hit.status) for hit in site.hits] == [("/books/1", 200), ("/lost", 404)]


def test_every_link_of_the_site_leads_somewhere_but_the_lost_one():
    linked = {href for page in PAGES.values() for href in re.findall(r'href="([^"]+)"', page.body)}
    assert linked - set(PAGES) == {"/lost"}
    assert set(PAGES) - linked == {"/robots.txt"}


def test_the_help_of_every_command_fits_a_terminal(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in (
        [],
        ["--help"],
        *([name, "--help"] for name in ("run", "fetch", "links", "new", "plugins", "demo")),
    ):
        assert main(arguments) == 0
        out, err = capfd.readouterr()
        assert err == ""
        assert out.startswith("Usage: crawler")
        assert max(map(len, out.splitlines())) <= 80
    assert main(["--version"]) == 0
    assert capfd.readouterr().out.startswith("crawler 0.")
