"""Memory of a crawl of large bodies: kept in memory by a plain spider, or streamed to files.

::

    apt-get install nginx-light
    python tests/bench/large_bodies.py [--bodies 100] [--megabytes 20] [--workers 32] [--files]

nginx on loopback serves the bodies. The crawl runs as a child process, by the command line; its peak includes Python.
With ``--files`` the plugin *files* stores each body.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import ROOT, build
from measure import serve as serve_folders

SPIDER = """
from crawler import Request, Settings, Spider

class Bodies(Spider):
    settings = Settings(obey_robots=False, max_body=512 * 1024 * 1024)

    def __init__(self, base: str, bodies: int, streams: bool = False) -> None:
        super().__init__()
        self.base, self.bodies, self.streams = base, bodies, streams

    def start(self):
        page, callback = ("index.html", self.download) if self.streams else ("body.bin", self.parse)
        return [Request(f"{self.base}{page}?{number}", callback) for number in range(self.bodies)]

    def parse(self, response):
        return {"url": response.url, "size": len(response.body)}

    def download(self, response):
        return {"file_urls": [response.url.replace("index.html", "body.bin")]}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bodies", type=int, default=100, help="number of bodies (100)")
    parser.add_argument("--megabytes", type=int, default=20, help="megabytes of each (20)")
    parser.add_argument("--workers", type=int, default=32, help="requests in flight (32)")
    parser.add_argument("--files", action="store_true", help="let the plugin files store the bodies")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="large-bodies-") as name:
        folder = Path(name)
        site = folder / "site"
        site.mkdir()
        (site / "index.html").write_text("<!doctype html><title>The list</title>")
        with (site / "body.bin").open("wb") as file:
            file.truncate(options.megabytes * 1_000_000)
        (folder / "spider.py").write_text(SPIDER)
        with serve_folders({"site": site}) as urls:
            words = [sys.executable, "-m", "crawler", "run", "spider.py", "--quiet", "-o", "items.jsonl"]
            words += ["-a", f"base={urls['site']}", "-a", f"bodies={options.bodies}", "--report", "report.json"]
            words += ["-s", f"workers={options.workers}", "-s", f"per_host={options.workers}"]
            if options.files:
                words += ["-a", "streams=true", "-p", "files", "-P", "files.folder=files"]
                words += ["-P", f"files.max_bytes={2 * options.megabytes * 1_000_000}"]
            subprocess.run(words, cwd=folder, check=True)
        report = json.loads((folder / "report.json").read_text())
        items = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    assert len(items) == options.bodies
    assert options.files or {item["size"] for item in items} == {options.megabytes * 1_000_000}
    print(build())
    print(f"{options.bodies} bodies of {options.megabytes} MB, {options.workers} workers, in {ROOT.name}:")
    print(f"peak {report['peak_rss'] / 1e6:.0f} MB, {report['cpu_seconds']:.2f} CPU-s, {report['retries']} retries")


if __name__ == "__main__":
    main()
