"""The crawl whose writes are recorded, and the run that continues it: in virtual time, on a site in memory.

::

    python crawled.py FOLDER DURABILITY
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import trio
from backports import zstd
from trio.testing import MockClock

from crawler import Produced, Response, Settings, Spider, crawl
from crawler.testing import FakeSite

__all__ = ["OUTPUTS", "URLS", "read", "run"]

PAGES = 24
URLS = [f"https://site.test/{n}" for n in range(PAGES)]
OUTPUTS = (
    "items.jsonl",
    "items.json",
    "items.csv",
    "items.jsonl.gz",
    "items.json.zst",
    "items.csv.zst",
    "part-%(n)02d.jsonl",
)


class Numbers(Spider):
    """Yields one item per page: small ones, some that are larger than a block, and a new field in the middle."""

    start_urls = URLS
    settings = Settings(obey_robots=False, delay=0.5, per_host=1, slow_start=False)

    def parse(self, response: Response) -> Produced:
        number = int(response.url.rpartition("/")[2])
        item = {"url": response.url, "text": "x" * (10_000 if number % 8 == 3 else 100)}
        yield item | ({"late": number} if number >= PAGES // 2 else {})


def run(folder: Path, durability: str = "process", outputs: Sequence[str] = OUTPUTS) -> int:
    """Run or continue the crawl in a folder, and return the number of requests."""
    site = FakeSite(dict.fromkeys((f"/{n}" for n in range(PAGES)), "x"))

    async def main() -> None:
        await crawl(
            Numbers(),
            settings=Settings(durability=durability),
            outputs=[f"{folder}/{name}{'?max_rows=7' if '%' in name else ''}" for name in outputs],
            job=folder / "job",
            transport=site.transport,
        )

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return len(site.log)


def read(path: Path) -> list[str]:
    """Return the URLs in an output."""
    if "%" in path.name:
        return [url for part in sorted(path.parent.glob(path.name.replace("%(n)02d", "*"))) for url in read(part)]
    unpack = {".gz": gzip.decompress, ".zst": zstd.decompress}.get(path.suffix, bytes)
    text = unpack(path.read_bytes()).decode()
    if ".csv" in path.suffixes:
        return [row["url"] for row in csv.DictReader(text.splitlines())]
    items = json.loads(text) if ".json" in path.suffixes else [json.loads(line) for line in text.splitlines()]
    return [item["url"] for item in items]


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2])
