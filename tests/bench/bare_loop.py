"""The bare loop: libcurl, an HTML parser, URL joins and a set, without a framework; the minimum cost of a crawl.

::

    python tests/bench/bare_loop.py http://127.0.0.1:8080/ pages.jsonl [--concurrency 16] [--tight]

One process, one thread: a pycurl multi handle with a fixed number of requests in flight, turbohtml for the page,
``ada_url.join_url`` on every distinct ``href``, a set of known URLs, one JSON line per page: URL, title, number of
links. No robots.txt, retries, limits, cookies or durability; an error ends the program.

``--tight`` adds two shortcuts: one selector instead of a walk over attributes, and fragments dropped before the join
instead of after it, so that a table of contents costs one join instead of a thousand.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import ada_url
import msgspec
import pycurl
import turbohtml

HrefsOf = Callable[[Any], Iterable[str]]


def every_href(document: Any) -> set[str]:
    """Return the distinct values of ``<a href>``."""
    return {href for anchor in document.find_all("a") if (href := anchor.attrs.get("href")) is not None}


def every_target(document: Any) -> set[str]:
    """Return the same without fragments, with one selector."""
    return {anchor.attrs["href"].partition("#")[0] for anchor in document.select("a[href]")}


def crawl(front: str, output: Path, concurrency: int, hrefs_of: HrefsOf) -> int:
    """Crawl the site at `front`; return the number of pages.

    Raises:
        RuntimeError: libcurl failed.
    """
    multi = pycurl.CurlMulti()
    multi.setopt(pycurl.M_MAXCONNECTS, concurrency)
    idle = [_handle() for _ in range(concurrency)]
    bodies: dict[pycurl.Curl, list[bytes]] = {}
    seen, waiting, pages = {front}, [front], 0
    encode = msgspec.json.Encoder().encode
    with output.open("wb") as lines:
        while waiting or bodies:
            while waiting and idle:
                handle = idle.pop()
                body: list[bytes] = []
                bodies[handle] = body
                handle.setopt(pycurl.URL, waiting.pop())
                handle.setopt(pycurl.WRITEFUNCTION, body.append)
                multi.add_handle(handle)
            multi.perform()
            left, done, failed = multi.info_read(concurrency)
            for _, code, message in failed:
                raise RuntimeError(f"libcurl error {code}: {message}")
            for handle in done:
                multi.remove_handle(handle)
                idle.append(handle)
                content = b"".join(bodies.pop(handle))
                url = handle.getinfo(pycurl.EFFECTIVE_URL)
                known = handle.getinfo(pycurl.REDIRECT_COUNT) and url in seen
                if known or handle.getinfo(pycurl.RESPONSE_CODE) != 200:
                    continue
                seen.add(url)
                title, links = None, set[str]()
                if (handle.getinfo(pycurl.CONTENT_TYPE) or "").startswith("text/html"):
                    title, links = read(url, content, hrefs_of)
                lines.write(encode({"url": url, "title": title, "links": len(links)}) + b"\n")
                pages += 1
                fresh = {link for link in links if link.startswith(front)} - seen
                seen |= fresh
                waiting += fresh
            if not done and not left and bodies:
                multi.select(1.0)
    return pages


def read(url: str, body: bytes, hrefs_of: HrefsOf) -> tuple[str | None, set[str]]:
    """Return the title of an HTML page and the distinct web URLs that it links to."""
    document = turbohtml.parse(body, encoding="utf-8", positions=False)
    links: set[str] = set()
    for href in hrefs_of(document):
        try:
            link = ada_url.join_url(url, href).partition("#")[0]
        except ValueError:
            continue
        if link.startswith(("http://", "https://")):
            links.add(link)
    title = document.find("title")
    return (None if title is None else title.text), links


def _handle() -> pycurl.Curl:
    handle = pycurl.Curl()
    handle.setopt(pycurl.NOSIGNAL, 1)
    handle.setopt(pycurl.FOLLOWLOCATION, 1)
    handle.setopt(pycurl.ACCEPT_ENCODING, "")
    return handle


def main() -> None:
    """Crawl one site."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("front", help="the URL of the front page, ending in a slash")
    parser.add_argument("output", type=Path, help="the JSON Lines file to write")
    parser.add_argument("--concurrency", type=int, default=16, help="requests in flight (16)")
    parser.add_argument("--tight", action="store_true", help="use the two shortcuts")
    options = parser.parse_args()
    crawl(options.front, options.output, options.concurrency, every_target if options.tight else every_href)


if __name__ == "__main__":
    main()
