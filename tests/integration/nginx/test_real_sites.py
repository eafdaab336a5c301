"""The command line against two real sites: a crawl finds the pages of the files, with any number of workers."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from html import escape
from pathlib import Path

import pytest
from integration.nginx.documents import FOLDERS, expected, expected_with_forms, folder
from integration.nginx.nginx import read_log, serve
from integration.nginx.reachable import Found


@pytest.mark.parametrize("workers", [1, 8, 64])
@pytest.mark.parametrize("package", FOLDERS)
def test_a_crawl_finds_exactly_the_reachable_pages_each_once(package: str, workers: int, tmp_path: Path) -> None:
    output, log = tmp_path / "out.jsonl", tmp_path / "access.log"
    with serve({"site": folder(package)}, log=log) as urls:
        front = urls["site"]
        command = [sys.executable, "-m", "crawler", "run", front, "-o", str(output)]
        command += ["-s", f"workers={workers}", "-s", f"per_host={workers}"]
        done = subprocess.run(command, check=False, cwd=tmp_path, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    items = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    pages = expected_with_forms(package)
    assert {tuple(item) for item in items} == {("url", "status", "title", "depth", "links")}
    assert all(item["url"].startswith(front) for item in items)
    paths = [item["url"].removeprefix(front) for item in items]
    assert sorted(paths) == sorted(pages)
    assert {item["status"] for item in items} == {200}
    assert {path for path, item in zip(paths, items, strict=True) if item["depth"] == 0} == {""}
    found = {path: Found(title=item["title"], links=item["links"]) for path, item in zip(paths, items, strict=True)}
    assert found == pages

    asked = Counter(hit.uri for hit in read_log(log))
    assert [uri for uri, times in asked.items() if times > 1] == []


SPIDER = """
from crawler import SitemapSpider


class Pages(SitemapSpider):
    def parse(self, response):
        return {"url": response.url, "title": response.css("title::text").get()}
"""


@pytest.mark.parametrize("package", FOLDERS)
def test_a_sitemap_of_a_site_leads_to_the_same_pages_as_its_links(package: str, tmp_path: Path) -> None:
    root, output, spider = tmp_path / "root", tmp_path / "out.jsonl", tmp_path / "pages.py"
    maps = root / "maps of this test"  # a copy of the folder: the files are links to originals that must not be changed
    maps.mkdir(parents=True)
    for entry in folder(package).iterdir():
        (root / entry.name).symlink_to(entry)
    spider.write_text(SPIDER, encoding="utf-8")
    pages = expected(package)
    with serve({"site": root}) as urls:
        front = urls["site"]
        half = len(pages) // 2
        parts = {"one.xml": sorted(pages)[:half], "two.xml.gz": sorted(pages)[half:]}
        for name, paths in parts.items():
            listed = "".join(f"<url><loc>{escape(front + path)}</loc></url>" for path in paths)
            body = f"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{listed}</urlset>".encode()
            (maps / name).write_bytes(gzip.compress(body) if name.endswith(".gz") else body)
        index = "".join(f"<sitemap><loc>{name}</loc></sitemap>" for name in parts)
        (maps / "index.xml").write_text(f"<sitemapindex>{index}</sitemapindex>", encoding="utf-8")
        start = f"sitemap_urls={front}maps%20of%20this%20test/index.xml"
        command = [sys.executable, "-m", "crawler", "run", str(spider), "-a", start, "-o", str(output)]
        done = subprocess.run(command, check=False, cwd=tmp_path, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    items = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert sorted(item["url"].removeprefix(front) for item in items) == sorted(pages)


LISTED = """
from pathlib import Path
from crawler import Request, Spider


class Listed(Spider):
    file: str

    def start(self):
        with Path(self.file).open(encoding="utf-8") as lines:
            for line in lines:
                yield Request(line.strip())

    def parse(self, response):
        return {"url": response.url}
"""


@pytest.mark.parametrize("package", FOLDERS)
def test_a_list_of_its_urls_leads_to_the_same_pages(package: str, tmp_path: Path) -> None:
    spider, output, listed = tmp_path / "listed.py", tmp_path / "out.jsonl", tmp_path / "urls.txt"
    spider.write_text(LISTED, encoding="utf-8")
    pages = expected(package)
    with serve({"site": folder(package)}) as urls:
        front = urls["site"]
        listed.write_text("".join(f"{front}{path}\n" for path in pages), encoding="utf-8")
        command = [sys.executable, "-m", "crawler", "run", str(spider), "-a", f"file={listed}", "-o", str(output)]
        done = subprocess.run(command, check=False, cwd=tmp_path, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    items = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert sorted(item["url"].removeprefix(front) for item in items) == sorted(pages)
