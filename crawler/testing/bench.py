"""``python -m crawler.testing.bench PAGES``: a site on loopback for measuring a crawl, in a process of its own.

It prints its port, serves until its standard input ends, and prints the CPU seconds that this took. Page n links to
pages 4n + 1 to 4n + 4, so that every page can be reached, and to pages that are known already, like the menus of real
sites. There are no limits and no errors.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from functools import partial
from typing import Final

import trio

__all__ = ["LINKS", "SIZE", "page"]

FAN: Final = 4
"""Number of new pages that a page links to."""
LINKS: Final = 60
"""Number of links on a page."""
SIZE: Final = 20_000
"""Approximate size of a page in bytes."""
TEXT: Final = "<p>It was the best of times, it was the worst of times, it was the age of <b>wisdom</b>.</p>\n"


def page(n: int, pages: int) -> bytes:
    """Return the HTML of a page."""
    children = [FAN * n + k for k in range(1, FAN + 1) if FAN * n + k < pages]
    others = [(7 * n + 13 * k) % pages for k in range(LINKS - len(children))]
    links = "".join(f'<li><a href="{_path(target)}">Page {target}</a>\n' for target in children + others)
    body = f"<!doctype html><title>Page {n}</title><h1>Page {n}</h1>\n<ul>{links}</ul>\n"
    return (body + TEXT * ((SIZE - len(body)) // len(TEXT))).encode()


def _path(n: int) -> str:
    return f"/page/{n}" if n else "/"


def _response(path: bytes, pages: int) -> bytes:
    """Return the complete response to a request for a path."""
    name = path.removeprefix(b"/page/") if path != b"/" else b"0"
    found = name.isdigit() and int(name) < pages
    body = page(int(name), pages) if found else b"there is no such page"
    head = f"HTTP/1.1 {'200 OK' if found else '404 Not Found'}\r\nContent-Type: text/html; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _serve(pages: int, stream: trio.SocketStream) -> None:
    """Serve one connection. All requests are taken for GET."""
    rest = b""
    async for data in stream:
        *heads, rest = (rest + data).split(b"\r\n\r\n")
        for head in heads:
            await stream.send_all(_response(head.split(b" ", 2)[1], pages))


async def _main(pages: int) -> None:
    async with trio.open_nursery() as nursery:
        began = time.process_time()
        listeners = await nursery.start(partial(trio.serve_tcp, partial(_quietly, pages), 0, host="127.0.0.1"))
        print(listeners[0].socket.getsockname()[1], flush=True)  # noqa: T201 - for the parent process
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        print(time.process_time() - began, flush=True)  # noqa: T201
        nursery.cancel_scope.cancel()


async def _quietly(pages: int, stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):  # the client has closed the connection
        await _serve(pages, stream)


if __name__ == "__main__":
    trio.run(_main, int(sys.argv[1]))
