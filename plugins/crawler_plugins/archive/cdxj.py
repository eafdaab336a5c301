"""CDXJ: the index of an archive, one line a response: key, time, and JSON with the place of its record."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

__all__ = ["Entry", "line_of", "parse_line", "sort_file", "url_key"]

NOT_DIGIT: Final = re.compile(r"\D")


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The JSON of a line."""

    url: str
    mime: str
    status: str
    digest: str
    length: str
    offset: str
    filename: str
    method: str = "GET"


def url_key(url: str) -> str:
    """Return the sort key of a URL (SURT): ``com,example)/path?a=1&b=2``."""
    parts = urlsplit(url.lower())
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        host = ",".join(reversed(host.removeprefix("www.").split(".")))
    port = f":{parts.port}" if parts.port else ""
    query = "&".join(sorted(parts.query.split("&"))) if parts.query else ""
    return f"{host}{port}){parts.path or '/'}" + (f"?{query}" if query else "")


def line_of(entry: Entry, date: str) -> bytes:
    """Return the line of a record, with its end.

    Parameters:
        entry: The JSON.
        date: The ``WARC-Date`` of the record.
    """
    key = url_key(entry.url).replace(" ", "%20")
    return f"{key} {NOT_DIGIT.sub('', date)} ".encode() + msgspec.json.encode(entry) + b"\n"


def parse_line(line: bytes) -> tuple[Entry, str]:
    """Return the entry of a line, and the ``WARC-Date`` of its record."""
    _, stamp, data = line.split(b" ", 2)
    t = stamp.decode("ascii")
    date = f"{t[:4]}-{t[4:6]}-{t[6:8]}T{t[8:10]}:{t[10:12]}:{t[12:14]}Z"
    return msgspec.json.decode(data, type=Entry), date


def sort_file(path: Path) -> None:
    """Sort the lines of an index, in one step for its readers. Its length stays the same."""
    lines = path.read_bytes().splitlines(keepends=True)
    beside = path.with_name(f"{path.name}.sorted")
    beside.write_bytes(b"".join(sorted(lines)))
    beside.replace(path)
