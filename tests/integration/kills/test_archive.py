"""The archive of a durable crawl has each settled request exactly once, however often the crawl is killed."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator
from integration.kills.harness import durable
from warcio.checker import Checker


def responses(folder: Path) -> Counter[tuple[str, int]]:
    """Return how often the archive has each URL with each status."""
    found: Counter[tuple[str, int]] = Counter()
    for path in sorted(folder.glob("site*.warc*")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                if record.headers["WARC-Type"] in ("response", "revisit"):
                    found[record.headers["WARC-Target-URI"], record.http_headers.status_code] += 1
    return found


@pytest.mark.parametrize("ending", ["warc.gz", "warc"])
def test_an_archive_of_a_killed_crawl_has_each_page_once(tmp_path: Path, ending: str) -> None:
    (tmp_path / "crawler.toml").write_text(f'[plugins.warc]\npath = "site.{ending}"\nmax_size = 20000\n')
    with durable(tmp_path, seed=3, hosts=6, pages=200, settings={"workers": 16, "delay": 0.01}) as crawl:
        crawl.run_with_kills(5, random.Random(3))
        assert crawl.figures().holds()
        pages = set(crawl.plan.pages(crawl.web))
    found = responses(tmp_path)
    fetched = Counter(url for url, status in found.elements() if status == 200 and not url.endswith("/robots.txt"))
    assert set(fetched) == pages
    assert set(fetched.values()) == {1}
    paths = [str(path) for path in tmp_path.glob("site*.warc*")]
    assert len(paths) > 2
    checker = Checker(type("Options", (), {"inputs": paths, "verbose": False}))
    checker.process_all()
    assert checker.exit_value == 0
