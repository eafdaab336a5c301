"""A real site, archived and replayed: the same items, and nothing is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fastwarc.warc import ArchiveIterator
from integration.nginx.documents import folder
from integration.nginx.nginx import read_log, serve
from warcio.checker import Checker


def crawl(site: str, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crawler", "run", site, "-o", str(output), "-s", "per_host=1", *options]
    return subprocess.run(command, check=False, timeout=120, capture_output=True, text=True)


def test_a_replayed_site_gives_the_same_bytes_of_items(tmp_path: Path) -> None:
    archive, log = tmp_path / "site.warc.gz", tmp_path / "access.log"
    with serve({"site": folder("debian-handbook")}, log=log) as urls:
        done = crawl(urls["site"], tmp_path / "one.jsonl", "-p", "warc", "-P", f"warc.path={archive}")
        assert done.returncode == 0, done.stderr
        asked = len(read_log(log))
        done = crawl(urls["site"], tmp_path / "two.jsonl", "-p", "replay", "-P", f"replay.path={archive}")
        assert done.returncode == 0, done.stderr
        assert len(read_log(log)) == asked
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()

    checker = Checker(type("Options", (), {"inputs": [str(archive)], "verbose": False}))
    checker.process_all()
    assert checker.exit_value == 0
    pages = folder("debian-handbook")
    read = 0
    with archive.open("rb") as file:
        for record in ArchiveIterator(file, auto_decode="all", verify_digests=False):
            if record.headers["WARC-Type"] == "response" and record.http_headers.status_code == 200:
                path = record.headers["WARC-Target-URI"].removeprefix(urls["site"]) or "index.html"
                assert record.reader.read() == (pages / path).read_bytes()
                read += 1
    assert read > 50


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
