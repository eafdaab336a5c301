"""Kills crawls of Scrapy spiders with a job several times, and counts their items:

    PYTHONPATH=tests python -m integration.scrapy.kills

Each crawl is killed with SIGKILL after some more requests, and run again until it ends by itself. The exit code is 1 if
an item is missing, or is there twice.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from integration.scrapy import tutorial
from integration.scrapy.quotes_site import AUTHORS, PAGES, PER_PAGE, TAGS, quotes_site

FILE: Final = Path(tutorial.__file__)
EXPECTED: Final = {
    "Quotes": {f"“Quote {number}”" for number in range(PAGES * PER_PAGE)},
    "Authors": {f"Author {number}" for number in range(AUTHORS)},
    "Followed": {f"Tag t{number}" for number in range(TAGS)},
    "Loaded": {f"“Quote {number}”" for number in range(PER_PAGE, 2 * PER_PAGE)},
}
"""What the items of each spider have in the field of `FIELD`."""
FIELD: Final = {"Quotes": "text", "Authors": "name", "Followed": "title", "Loaded": "text"}
KILLS: Final = 3
EVERY: Final = 4
"""Requests between two kills."""
PATIENCE: Final = 120.0
"""Seconds for a crawl."""


def main() -> int:
    """Crawl, and print a line for each spider."""
    failed = 0
    for spider, expected in EXPECTED.items():
        with tempfile.TemporaryDirectory() as folder, quotes_site() as (front, site):
            output = Path(folder) / "items.jsonl"
            kills = 0
            while (code := crawl(spider, front, folder, site, kill=kills < KILLS)) < 0:
                kills += 1
            lines = output.read_text(encoding="utf-8").splitlines()
        found = Counter(value_of(json.loads(line)[FIELD[spider]]) for line in lines)
        is_good = code == 0 and found == Counter(expected)
        failed += not is_good
        wrong = dict((found - Counter(expected)) | (Counter(expected) - found))
        print(f"{spider}: {len(lines)} items after {kills} kills{'' if is_good else f', exit code {code}: {wrong}'}")
    return 1 if failed else 0


def value_of(field: Any) -> str:
    """Return the text of a field; loaders make lists."""
    return str(field[0] if isinstance(field, list) else field).strip()


def crawl(spider: str, front: str, folder: str, site: Any, *, kill: bool) -> int:
    """Run a crawl to its end, or kill it after some requests; return the exit code, which is negative then."""
    words = [sys.executable, "-m", "crawler", "run", f"{FILE}:{spider}", "--quiet", "-a", f"front={front}"]
    words += ["--job", f"{folder}/job", "-o", f"{folder}/items.jsonl", "--log-level", "error"]
    words += ["-s", "CONCURRENT_REQUESTS_PER_DOMAIN=2", "-s", "ROBOTSTXT_OBEY=False"]
    until = site.requested + EVERY
    end = time.monotonic() + PATIENCE
    process = subprocess.Popen(words, cwd=folder)
    while process.poll() is None:
        if time.monotonic() > end or (kill and site.requested >= until):
            process.kill()
        time.sleep(0.005)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
