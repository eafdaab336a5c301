"""Real sites, archived and replayed: the same items, and nothing is sent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import pytest
import trustme
from fastwarc.warc import ArchiveIterator
from integration.nginx.documents import folder
from integration.nginx.nginx import read_log, serve
from warcio.checker import Checker

CRAWLS = [
    ("debian-handbook", 50, "HTTP/1.1", "warc.gz"),
    ("debian-handbook", 50, "HTTP/2", "warc.zst"),
    ("git-doc", 100, "HTTP/1.1", "warc.zst"),
    ("git-doc", 100, "HTTP/2", "warc.gz"),
    ("sqlite3-doc", 100, "HTTP/2", "warc.gz"),
]
"""Documentation packages, pages that each has at least, and how they are sent and archived."""
NO_NETWORK = """
import socket

def refuse(*_args, **_kwargs):
    raise AssertionError("the network is forbidden")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
"""
"""Code that a Python process runs at its start; libcurl is refused by the server, which has ended."""


def crawl(
    site: str, output: Path, *options: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crawler", "run", site, "-o", str(output), "-s", "per_host=1", *options]
    return subprocess.run(
        command, check=False, timeout=120, capture_output=True, text=True, env={**os.environ, **(env or {})}
    )


@pytest.mark.parametrize(("package", "least", "version", "ending"), CRAWLS)
def test_a_replayed_site_yields_the_same_items_byte_for_byte(
    tmp_path: Path, package: str, least: int, version: str, ending: str
) -> None:
    """The second crawl runs where there is no network: any address that it asks for is refused."""
    authority = trustme.CA() if version == "HTTP/2" else None
    env = {}
    if authority is not None:
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        env["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
    archive, log = tmp_path / f"site.{ending}", tmp_path / "access.log"
    with serve({"site": folder(package)}, log=log, coded=True, http2=authority) as urls:
        done = crawl(urls["site"], tmp_path / "one.jsonl", "-p", "warc", "-P", f"warc.path={archive}", env=env)
        assert done.returncode == 0, done.stderr
        asked = len(read_log(log))
        assert asked > least
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK)
    env["PYTHONPATH"] = str(tmp_path)
    done = crawl(urls["site"], tmp_path / "two.jsonl", "-p", "replay", "-P", f"replay.path={archive}", env=env)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()

    if ending == "warc.gz":  # warcio does not read zstd
        checker = Checker(type("Options", (), {"inputs": [str(archive)], "verbose": False}))
        checker.process_all()
        assert checker.exit_value == 0
    pages, read, protocols, codings = folder(package), 0, set(), set()
    with archive.open("rb") as file:
        for record in ArchiveIterator(file, auto_decode="all", verify_digests=False):
            if record.headers["WARC-Type"] == "response" and record.http_headers.status_code == 200:
                path = unquote(record.headers["WARC-Target-URI"].removeprefix(urls["site"])) or "index.html"
                path = path + "index.html" if path.endswith("/") else path
                assert record.reader.read() == (pages / path).read_bytes()
                read += 1
                protocols.add(record.headers.get("WARC-Protocol", "http/1.1"))
                codings.add(record.http_headers.get("Content-Encoding"))
    assert read > least
    assert protocols == {"h2" if version == "HTTP/2" else "http/1.1"}
    assert "gzip" in codings


def test_a_site_that_was_not_archived_fails_with_exit_code_4(tmp_path: Path) -> None:
    archive = tmp_path / "site.warc.gz"
    with serve({"site": folder("debian-handbook")}, log=tmp_path / "access.log") as urls:
        crawl(urls["site"], tmp_path / "one.jsonl", "-p", "warc", "-P", f"warc.path={archive}", "-s", "max_pages=1")
        done = crawl(urls["site"], tmp_path / "two.jsonl", "-p", "replay", "-P", f"replay.path={archive}")
    assert done.returncode == 4, done.stderr
    assert "request_error" in done.stderr


def test_a_missing_archive_is_refused_before_the_first_request(tmp_path: Path) -> None:
    done = crawl("https://site.test/", tmp_path / "x.jsonl", "-p", "replay", "-P", "replay.path=none.warc.gz")
    assert done.returncode == 2
    assert "replay: no such file: none.warc.gz" in done.stderr
