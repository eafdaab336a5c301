"""Peak memory of each reader on two gigabytes of zeros, compressed to two megabytes, and on a record without end.

::

    python tests/bench/reader_memory.py

Each case runs in a process of its own. The figures are the growth of its peak above its size before the file is read;
the program ends with an error if one grows by more than 100 MB.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import resource
import subprocess
import sys
import zlib
from typing import Any, Final

from crawler import Response
from crawler.feeds import read_feed
from crawler.spiders.feed import FeedSpider
from crawler.spiders.sitemap import SitemapSpider

MOST: Final = 100.0
"""Megabytes."""
SIZE: Final = 2 * 1024**3
"""Bytes of each unpacked file."""
BEGINNINGS: Final = {
    "zeros": b"",
    "one line": b'{"a": "',
    "one element": b'["',
    "one row": b'a,b\n1,"',
    "one tag": b"<r><item a='",
    "one text": b"<r><item>",
}
FORMATS: Final = ("jsonl", "json", "csv", "xml", "big5", "feed", "sitemap")


def packed(beginning: bytes) -> bytes:
    """Return a gzip file that begins in some way and has nothing but one character after that."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    piece = (b"x" if beginning else b"\0") * (16 * 1024**2)
    parts = [packer.compress(beginning), *(packer.compress(piece) for _ in range(SIZE // len(piece))), packer.flush()]
    return b"".join(parts)


def read(kind: str, body: bytes) -> None:
    """Read a file to its end, as the ready-made spiders do."""
    response = Response("https://a.test/file.gz", 200, {}, body)
    try:
        if kind == "feed":
            read_feed(body, response.url)
        elif kind == "sitemap":
            list(SitemapSpider(sitemap_urls=[response.url]).parse(response) or ())  # type: ignore[call-overload]
        else:
            options: dict[str, Any] = {"encoding": "big5", "format": "csv"} if kind == "big5" else {"format": kind}
            for _ in FeedSpider(start_urls=[response.url], **options).parse(response):
                pass
    except Exception as error:
        print(f"({type(error).__name__}: {str(error)[:60]})", end=" ")


def peak() -> float:
    """Return the largest memory of this process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure all cases, or the one of the arguments."""
    if len(sys.argv) == 3:
        body = packed(BEGINNINGS[sys.argv[2]])
        before = peak()
        read(sys.argv[1], body)
        print(f"{peak() - before:.0f}")
        return
    worst = 0.0
    for kind in FORMATS:
        for beginning in BEGINNINGS:
            command = [sys.executable, __file__, kind, beginning]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            grown = float(done.stdout.split()[-1])
            worst = max(worst, grown)
            print(f"{kind:8} {beginning:12} {grown:6.0f} MB  {done.stdout.rpartition(' ')[0]}", flush=True)
    print(f"most: {worst:.0f} MB")
    if worst > MOST:
        raise SystemExit(f"more than {MOST:.0f} MB")


if __name__ == "__main__":
    main()
