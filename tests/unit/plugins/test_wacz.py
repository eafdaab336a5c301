"""WACZ files."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

from crawler_plugins.archive.wacz import write_wacz


def test_every_resource_is_listed_with_its_hash(tmp_path: Path) -> None:
    archive, index = tmp_path / "site.warc.gz", tmp_path / "site.cdxj"
    archive.write_bytes(b"archive")
    index.write_bytes(b"")
    write_wacz(tmp_path / "site.wacz", [archive], index, software="x/1", created="2026-01-02T03:04:05Z")
    with zipfile.ZipFile(tmp_path / "site.wacz") as package:
        description = json.loads(package.read("datapackage.json"))
        for resource in description["resources"]:
            data = package.read(resource["path"])
            assert resource["hash"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
            assert resource["bytes"] == len(data)
        assert {info.compress_type for info in package.infolist()} == {zipfile.ZIP_STORED}
    assert [resource["path"] for resource in description["resources"]] == [
        "archive/site.warc.gz", "indexes/index.cdxj", "pages/pages.jsonl",
    ]  # fmt: skip
