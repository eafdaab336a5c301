"""What a crawl of a generated web has written: items of outputs, records of archives, and files."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow.parquet as pq
from backports import zstd
from fastwarc.warc import ArchiveIterator
from support.web import Web
from warcio.checker import Checker

from crawler.sinks.compression import Content, compression_of

__all__ = ["Item", "check_archive", "check_files", "content_of", "read_items", "read_output"]

Item: TypeAlias = tuple[str, int]
"""URL and number of a page."""
READ = "SELECT url, n FROM items ORDER BY rowid"


def content_of(path: Path) -> bytes:
    """Return the content of an output, decompressed. It may end within a member, if the process was just killed."""
    compression = compression_of(path.name)
    with path.open("rb") as file:
        return file.read() if compression is None else io.BufferedReader(Content(file, compression)).read()


def read_output(path: Path) -> list[Item]:
    """Return the items of an output; fail if it is not completely valid."""
    name, _, options = path.name.partition("?")
    if "%(n)" in name:  # the parts of a series
        parts = sorted(path.parent.glob(re.sub(r"%\(n\)\d*d", "*", name)))
        return [item for part in parts for item in read_output(part)]
    path = path.with_name(name) if options else path
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return database.execute(READ).fetchall()
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(READ).fetchall()
    return [(row["url"], int(row["n"])) for row in read_items(path)]


def read_items(path: Path) -> list[dict[str, Any]]:
    """Return the items of a file, or of a folder of Parquet files, with all fields; fail if it is not valid."""
    if path.suffix == ".parquet":
        parts = sorted(path.iterdir())
        assert all(part.match("part-*.parquet") for part in parts), parts
        return [row for part in parts for row in pq.read_table(part).to_pylist()]
    unpack = {".gz": gzip.decompress, ".zst": zstd.decompress}.get(path.suffix, bytes)
    content = unpack(path.read_bytes()).decode()
    rows: list[dict[str, Any]]
    if ".csv" in path.suffixes:
        rows = list(csv.DictReader(io.StringIO(content, newline="")))
        assert not any(None in row or None in row.values() for row in rows)
    elif ".json" in path.suffixes:
        rows = json.loads(content)
    else:
        assert content.endswith("\n") or not content
        rows = [json.loads(line) for line in content.splitlines()]
    return rows


def check_archive(folder: Path, ending: str, web: Web, pages: Sequence[str]) -> None:
    """Check the archive ``site.ENDING`` and its index: each page once, with the body that the web has.

    Parameters:
        folder: The folder of the archive.
        ending: ``warc``, ``warc.gz`` or ``warc.zst``.
        web: The web.
        pages: The URLs of all pages.
    """
    paths = sorted(folder.glob(f"site*.{ending}"))
    found: Counter[tuple[str, int]] = Counter()
    places = {}
    for path in paths:
        with path.open("rb") as file:
            for record in ArchiveIterator(file, verify_digests=True):
                kind, url = record.headers["WARC-Type"], record.headers.get("WARC-Target-URI", "")
                if kind not in ("response", "revisit"):
                    continue
                status = record.http_headers.status_code
                found[url, status] += 1
                places[path.name, record.stream_pos] = url
                if kind == "response" and status == 200 and "WARC-Truncated" not in record.headers:
                    assert record.reader.read() == web.page(url).body, url
    fetched = Counter(url for url, status in found.elements() if status == 200 and "/page/" in url)
    assert set(fetched) == set(pages)
    assert set(fetched.values()) == {1}
    if ending != "warc.zst":  # warcio does not read it
        checker = Checker(type("Options", (), {"inputs": list(map(str, paths)), "verbose": False}))
        checker.process_all()
        assert checker.exit_value == 0
    index = [json.loads(line.split(" ", 2)[2]) for line in (folder / "site.cdxj").read_text().splitlines()]
    assert Counter((entry["filename"], int(entry["offset"])) for entry in index) == Counter(places.keys())


def check_files(folder: Path, items: Sequence[dict[str, Any]], web: Web) -> None:
    """Check that a folder holds the file of each item, whole and once, and nothing else.

    Parameters:
        folder: The folder of the plugin `files`.
        items: The items of all pages.
        web: The web.
    """
    stored = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    stored = {name: path for name, path in stored.items() if not name.startswith(".files/")}
    for item in items:
        [file] = item["files"]
        body = web.page(file["url"]).body
        assert file["status"] in ("downloaded", "uptodate"), file
        assert (file["digest"], file["size"]) == (hashlib.sha256(body).hexdigest(), len(body))
        assert stored[file["path"]].read_bytes() == body
    assert set(stored) == {item["files"][0]["path"] for item in items}
    assert len({path.read_bytes() for path in stored.values()}) == len(stored)
    assert list((folder / ".files").glob("*.part*")) == []
