"""CPU seconds that the framework's own operations take on pages made to be slow, each of nearly `max_body`.

``python tests/bench/hostile_pages.py [--megabytes 32] [NAME ...]``. Each page runs in a process of its own. A second is
the bound for a step of a site's crawl, between which other tasks run; further columns name the operations above
`--least` seconds.
"""

# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import gc
import logging
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from crawler import Response
from crawler.html import nofollow_urls
from crawler.html.link_regions import links_in_regions
from crawler.spiders.site import title_of
from crawler.spiders.site_links import form_targets, linked_urls

URL: Final = "https://hostile.test/"
NAMES: Final = ("b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
FORMATTING: Final = "<p>" + "".join(f"<{name}>" * 3 for name in NAMES)
UNITS: Final = {
    "anchors": "<a>", "links": "<a href={n}>", "closed links": "<a href='/{n}'>x</a>", "escapes": "<a href=%e4{n}>",
    "hosts": "<a href=http://h{n}.test/>", "names": "<a href=http://é{n}.test/>",
    "nofollow": "<a rel=nofollow href={n}>",
    "paragraphs": "<p>", "blocks": "<div>", "text in blocks": "<div>text", "lists": "<ul><li>",
    "headings": "<h1>x</h1>",
    "formatting": "<b {n}><p>", "plain formatting": "<b><i><u><p>", "reopened": "<p>x", "fonts": "<font {n}>",
    "tables": "<table><td>", "foster parents": "<table><b>x", "links in tables": "<table><a href={n}>",
    "bodies": "<html a{n}>", "attributes": "a{n}=b ", "entities": "&notit;", "comments": "<!---->", "brackets": "<",
    "nulls": "\0", "templates": "<template>", "drawings": "<svg><a href={n}>", "formulas": "<math><mi>",
    "scripts": "<script></script>", "areas": "<textarea>", "forms": "<form></form>", "inputs": "<input name=a{n}>",
    "forms in tables": "<table><form><tr><td><input name=a>", "buttons": "<button name=a{n}>x</button>",
    "images": "<img src={n}>", "candidates": "a{n} 1x, ", "sources": "<img srcset='a{n} 1x, b 2x'>",
    "metadata": "<meta name=robots content=a{n}>", "properties": "<meta property=og:image content={n}>",
    "refreshes": "<meta http-equiv=refresh content='5;url={n}'>", "relations": "<link rel=next href={n}>",
    "languages": "<link rel=alternate hreflang=a{n} href=b>", "areas of maps": "<area href={n}>",
    "frames": "<iframe src={n}>",
    "microdata": "<div itemscope itemprop=a>", "RDFa": "<div typeof=a property=b>", "preformatted": "<pre>",
    "main": "<main>",
}  # fmt: skip
FRAMES: Final = {
    "reopened": (FORMATTING, ""), "attributes": ("<p ", ">"), "candidates": ("<img srcset='", "'>"),
    "buttons": ("<form>", ""),
}  # fmt: skip
OPERATIONS: Final[dict[str, Callable[[Response], Any]]] = {
    "parse and hrefs": lambda page: longest(page.hrefs_in_steps()),
    "title": title_of,
    "links of a site": lambda page: longest(linked_urls(page)),
    "forms of a site": lambda page: form_targets(page, skip_nofollow=True),
    "robots": lambda page: page.robots,
    "nofollow": lambda page: nofollow_urls(page.document, URL),
    "links": lambda page: page.links(),
    "media": lambda page: page.media(),
    "relations": lambda page: (page.canonical, page.next_page, page.alternates),
    "regions": lambda page: links_in_regions(page.document, URL, css=("nav",)),
    "form": lambda page: page.form(),
    "article": lambda page: page.article(),
    "markdown": lambda page: page.markdown(),
    "data": lambda page: page.data(),
}


class Steps(float):
    """The CPU seconds of the longest step of an operation that lets other tasks run."""


def longest(steps: Iterator[None]) -> Steps:
    """Return the CPU seconds of the longest step."""
    most, began = 0.0, time.process_time()
    while True:
        ended = next(steps, steps) is steps
        most = max(most, time.process_time() - began)
        if ended:
            return Steps(most)
        began = time.process_time()


def hostile_page(name: str, size: int) -> bytes:
    """Return a page of a size in bytes."""
    before, after = FRAMES.get(name, ("", ""))
    unit = UNITS[name]
    step = len(unit.replace("{n}", "123456").encode())
    numbers = range((size - len(before)) // step)
    body = "".join(unit.replace("{n}", f"{n:06}") for n in numbers) if "{n}" in unit else unit * len(numbers)
    return f"<!doctype html>{before}{body}{after}".encode()


def measure(name: str, size: int, least: float) -> None:
    """Print the seconds of each operation on one page."""
    logging.disable(logging.WARNING)
    page = Response(URL, 200, {"Content-Type": "text/html; charset=utf-8"}, hostile_page(name, size))
    seconds: dict[str, float] = {}
    steps: dict[str, float] = {}
    gc.disable()
    for operation, call in OPERATIONS.items():
        began = time.process_time()
        with suppress(ValueError):  # there is no form
            made = call(page)
            seconds[operation] = time.process_time() - began
            if isinstance(made, Steps):
                steps[operation] = made
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    site = sum(list(seconds.values())[:4])
    step = max((seconds | steps)[operation] for operation in list(seconds)[:4])
    slow = ", ".join(f"{operation} {spent:.1f}" for operation, spent in seconds.items() if spent > least)
    print(f"{name:20}{site:6.2f} s for a site, {step:.2f} in one step{memory:7,} MB  {slow}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *UNITS])
    parser.add_argument("--megabytes", type=float, default=31.9)
    parser.add_argument("--least", type=float, default=0.7)
    options = parser.parse_args()
    for name in options.names or UNITS:
        child = os.fork()
        if not child:
            measure(name, int(options.megabytes * 2**20), options.least)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
