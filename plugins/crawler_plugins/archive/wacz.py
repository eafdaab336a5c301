"""WACZ 1.1.1: an archive with its index and its list of pages in one ZIP file, as ReplayWeb.page reads it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler_plugins.archive.cdxj import parse_line

__all__ = ["write_wacz"]

CHUNK: Final = 1_048_576


def write_wacz(path: Path, archives: Sequence[Path], index: Path, *, software: str, created: str) -> None:
    """Write a WACZ file in one step.

    Parameters:
        path: The WACZ file.
        archives: The WARC files.
        index: Their CDXJ index, sorted.
        software: Name and version of this program.
        created: The time, as a ``WARC-Date``.
    """
    beside = path.with_name(f"{path.name}.new")
    resources: list[dict[str, Any]] = []
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED, allowZip64=True) as package:
        resources += [_add_file(package, f"archive/{archive.name}", archive) for archive in archives]
        resources.append(_add_file(package, "indexes/index.cdxj", index))
        resources.append(_add(package, "pages/pages.jsonl", b"".join(_pages(index))))
        description = {
            "profile": "data-package",
            "wacz_version": "1.1.1",
            "created": created,
            "software": software,
            "resources": resources,
        }
        data = msgspec.json.format(msgspec.json.encode(description), indent=2)
        package.writestr("datapackage.json", data)
        digest = {"path": "datapackage.json", "hash": _sha256(data)}
        package.writestr("datapackage-digest.json", msgspec.json.encode(digest))
    beside.replace(path)


def _pages(index: Path) -> Iterator[bytes]:
    """Yield the lines of the list of pages: each HTML page once, as it was first seen."""
    yield b'{"format":"json-pages-1.0","id":"pages","title":"All Pages"}\n'
    seen: set[str] = set()
    with index.open("rb") as lines:
        for line in lines:
            entry, date = parse_line(line)
            if entry.mime == "text/html" and entry.status == "200" and entry.url not in seen:
                seen.add(entry.url)
                yield msgspec.json.encode({"url": entry.url, "ts": date}) + b"\n"


def _add_file(package: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file, package.open(name, "w", force_zip64=True) as target:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            target.write(chunk)
    return {"name": name.rpartition("/")[2], "path": name, "hash": f"sha256:{digest.hexdigest()}", "bytes": size}


def _add(package: zipfile.ZipFile, name: str, data: bytes) -> dict[str, Any]:
    package.writestr(name, data)
    return {"name": name.rpartition("/")[2], "path": name, "hash": _sha256(data), "bytes": len(data)}


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
