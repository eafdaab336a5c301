"""The site of the demo."""

from __future__ import annotations

import re
import socket

import pytest

from crawler.testing.demo import PAGES, demo_site


def test_the_site_closes_its_port():
    with demo_site() as site:
        host, _, port = site.url.removeprefix("http://").rstrip("/").partition(":")
        socket.create_connection((host, int(port))).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_the_site_survives_bytes_that_are_not_http():
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


def test_every_link_of_the_site_leads_to_a_page_but_the_lost_one():
    linked = {href for page in PAGES.values() for href in re.findall(r'href="([^"]+)"', page.body)}
    assert linked - set(PAGES) == {"/lost"}
    assert set(PAGES) - linked == {"/robots.txt", "/quotes/"}
