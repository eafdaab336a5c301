"""Which good pages are taken for walls: the pages of a folder, such as those of a public set for content extraction.

::

    python tests/bench/walls.py web-content-extraction-benchmark/dev/html

Prints each page that is accused, then how many there were, and how many were looked at closely.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

from crawler import Response
from crawler.walls.suspicion import may_be_wall


def main() -> None:
    """Look for walls and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="with files .html or .html.gz")
    pages = looked_at = accused = 0
    for path in sorted(parser.parse_args().folder.rglob("*.html*")):
        body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        pages += 1
        looked_at += may_be_wall(200, body, is_redirected=False)
        wall = Response("https://site.test/", 200, {"content-type": "text/html"}, body).wall
        if wall is not None:
            accused += 1
            print(path.name, wall.kind, wall.vendor)
    print(f"{pages} pages, {looked_at} looked at closely, {accused} accused")


if __name__ == "__main__":
    main()
