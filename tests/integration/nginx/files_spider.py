"""A spider whose one item names the files that a list on its start page names. Run as a program, it reports its memory:

python files_spider.py URL FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crawler_plugins.files import Files

from crawler import Response, Spider, run


class Listed(Spider):
    """Yields the files of a list."""

    def parse(self, response: Response) -> Iterator[dict[str, Any]]:
        yield {"file_urls": response.text.split()}


def peak() -> int:
    """Return the largest size of this program in memory so far, in bytes: `getrusage` includes that of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024


if __name__ == "__main__":
    url, folder = sys.argv[1:]
    one, many = (Listed(start_urls=[f"{url}{name}.txt"]) for name in ("one", "many"))
    files = Files(folder=Path(folder), max_bytes=32 * 1024 * 1024)
    run(one, plugins=[files])  # everything is imported
    before = peak()
    report = run(many, plugins=[files])
    sys.stdout.write(json.dumps({"growth": peak() - before, "peak": peak(), "counters": report.counters}))
