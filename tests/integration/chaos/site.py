"""A site of which every page is known: what a visitor gets of each is a pure function of a seed, a number and visits.

::

    python tests/integration/chaos/site.py --seed 7 --sick walls --login 0 --late 2.0

It prints its two ports, then serves until its standard input is closed. The second one, a host of its own, accepts
connections only after `--late` seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import itertools
import random
import socket
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import brotli
from backports import zstd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support.processes import PIPE, Process

__all__ = ["SICK", "Page", "Site", "serve"]

PAGES: Final = 150
LATE_PAGES: Final = 8
"""Pages of the second host."""
LIST: Final = 10
"""Links of each list."""
SESSION: Final = 40
"""Pages that are served until a session ends."""
PACKED: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress
}  # fmt: skip

RETRIED: Final = (
    "reset",
    "closed",
    "garbage",
    "status_500",
    "status_502",
    "cut",
    "cut_chunks",
    *(f"cut_{coding}" for coding in PACKED),
)
"""Faults of a page that is served after one or two failures: nothing may be missing."""
LIMITED: Final = ("status_503", "status_429")
"""The same, with `Retry-After`, on every tenth site: from these a crawl learns a limit, and becomes slow."""
BROKEN: Final = {"reset": None, "closed": b"", "garbage": b"\0\1 this is no response\r\n\r\n"}
LOST: Final = ("cut_always", "broken", "gone", "forbidden", "wall", "loop", "moved", "silent", "empty", "raises")
"""Pages that give no item by their nature: each has to be named."""
SICK: Final = ("", "wall", "forbidden", "empty", "moved", "cut_always")
"""The fault of a quarter of the pages."""


@attrs.frozen
class Page:
    """A page of the site."""

    number: int
    kind: str
    failures: int
    """Visits that fail before it is served, if it is ever served."""
    links: tuple[int, ...]
    """Numbers of other pages that it links to."""

    @property
    def has_item(self) -> bool:
        """Whether it gives an item in the end."""
        return self.kind not in LOST


class Site:
    """The pages of a site, by a seed and the fault of a quarter of them."""

    def __init__(self, seed: int, sick: str = "") -> None:
        chance = random.Random(seed)
        self.seed, self.sick = seed, sick
        self.pages = [self._page(number, chance) for number in range(PAGES)]

    def _page(self, number: int, chance: random.Random) -> Page:
        rare = (*LOST, *LIMITED) if self.seed % 10 == 0 else LOST
        kind = chance.choices(("good", *RETRIED, *rare), (60, *[3] * len(RETRIED), *[1] * len(rare)))[0]
        if self.sick and chance.random() < 0.25:
            kind = self.sick
        links = tuple(chance.sample(range(PAGES), 4))
        return Page(number, kind, chance.choice((1, 2)), links)

    def count(self, kind: str) -> int:
        """Return the number of pages of a kind."""
        return sum(page.kind == kind for page in self.pages)

    def numbers(self) -> Iterator[int]:
        """Yield the number of each item, those of the second host included."""
        yield from (page.number for page in self.pages if page.has_item)
        yield from range(PAGES, PAGES + LATE_PAGES)


def _body(page: Page) -> bytes:
    links = "".join(f"<a href='/p/{to}#part{to % 3}'>{to}</a>" for to in page.links)
    return f"<title>Page {page.number}</title><h1>{page.number}</h1><p>{'words ' * 200}</p>{links}".encode()


WALL: Final = (
    b"<!doctype html><html lang='en'><head><title>Making sure you&#39;re not a bot!</title>"
    b"<script id='anubis_challenge' type='application/json'>{\"challenge\":\"ab\"}</script></head>"
    b"<body><h1>Making sure you&#39;re not a bot!</h1><script src='/.within.website/x/cmd/anubis/static/js/main.mjs'>"
    b"</script></body></html>"
)
FORM: Final = b"<form method=post action=/login><input name=user><input name=password type=password></form>"


def _response(status: int, body: bytes = b"", *fields: str) -> bytes:
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Content-Type: text/html", *fields]
    return "\r\n".join([*head, "", ""]).encode() + body


def _fault(kind: str, body: bytes) -> bytes | None:
    """Return the bytes of a failure before the connection is closed; `None` for a reset."""
    if kind in BROKEN:
        return BROKEN[kind]
    if kind.startswith("status_"):
        retry = ("Retry-After: 1",) if kind in ("status_503", "status_429") else ()
        return _response(int(kind[7:]), b"no", *retry)
    if kind == "cut_chunks":
        half = body[: len(body) // 2]
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(half), half)
    coding = kind.removeprefix("cut_")
    if coding in PACKED:  # whole by its framing
        packed = PACKED[coding](body)
        return _response(200, packed[: len(packed) * 2 // 3], f"Content-Encoding: {coding}")
    whole = _response(200, body)
    return whole[: -len(body) // 2]


def _lost(page: Page) -> bytes:
    """Return the response to each request for a page without an item."""
    status = {"gone": 404 if page.number % 2 else 410, "forbidden": 403, "broken": 500}.get(page.kind)
    if status is not None:
        return _response(status, b"no")
    if page.kind == "loop":  # to itself, or to a side of it that leads to the other one
        side = "" if page.number % 3 == 0 else "/b" if page.failures == 1 else "/a"
        return _response(302, b"", f"Location: /p/{page.number}{side}")
    if page.kind == "moved":
        return _response(301, b"", "Location: /")
    if page.kind == "wall":
        return _response(200, WALL)
    if page.kind == "empty":
        return _response(200)
    return _response(200, _body(page).replace(b"<h1>", b"<h1 class=raises>" if page.kind == "raises" else b"<h2>"))


class Server:
    """Serves a site."""

    def __init__(self, site: Site, *, needs_login: bool) -> None:
        self._site = site
        self._visits: Counter[int] = Counter()
        self._needs_login = needs_login
        self._sessions: Counter[str] = Counter()
        self._numbers = itertools.count()
        self._chance = random.Random(1)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                method, path, _ = first.split(" ")
                fields = dict(line.lower().split(": ", 1) for line in lines if line)
                await reader.readexactly(int(fields.get("content-length", 0)))
                await asyncio.sleep(self._chance.uniform(0.0, 0.03))
                answer, ends = self._answer(method, path, fields.get("cookie", ""))
                if answer is None:
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                    writer.transport.abort()
                    return
                writer.write(answer)
                await writer.drain()
                if ends:
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):  # the last: at the end
            return
        finally:
            writer.close()

    def _answer(self, method: str, path: str, cookie: str) -> tuple[bytes | None, bool]:
        """Return a response, and whether the connection ends with it; `None` for a reset."""
        if path == "/":
            lists = "".join(f"<a href='/list/{at}'>{at}</a>" for at in range(0, PAGES, LIST))
            return _response(200, f"<title>Lists</title>{lists}<a href='/late'>late</a>".encode()), False
        if path.startswith("/list/"):
            first = int(path[6:])
            links = "".join(f"<a href='/p/{at}'>{at}</a>" for at in range(first, first + LIST))
            return _response(200, f"<title>List {first}</title>{links}".encode()), False
        if path == "/login":
            if method != "POST":
                return _response(200, FORM), False
            return _response(200, b"<p>welcome</p>", f"Set-Cookie: sid=s{next(self._numbers)}-session; Path=/"), False
        if path.startswith("/p/"):
            return self._page(path, cookie)
        return _response(404, b"no"), False

    def _page(self, path: str, cookie: str) -> tuple[bytes | None, bool]:
        if self._needs_login:
            sid = cookie.rpartition("sid=")[2]
            self._sessions[sid] += 1
            if not sid or self._sessions[sid] > SESSION:
                return _response(302, b"", "Location: /login"), False
        name, _, side = path[3:].partition("/")
        page = self._site.pages[int(name)]
        if side:
            return _response(302, b"", f"Location: /p/{name}/{'b' if side == 'a' else 'a'}"), False
        if page.kind == "cut_always":
            return _fault("cut", _body(page)), True
        if page.kind in LOST:
            return _lost(page), False
        self._visits[page.number] += 1
        if page.kind != "good" and self._visits[page.number] <= page.failures:
            return _fault(page.kind, _body(page)), True
        return _response(200, _body(page)), False


async def _serve_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request of the second host."""
    try:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
        page = Page(int(path.rpartition("/")[2]), "good", 0, ()) if path.startswith("/p/") else None
        fields = "Connection: close"
        writer.write(_response(404, b"no", fields) if page is None else _response(200, _body(page), fields))
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):  # the last: at the end
        return
    finally:
        writer.close()


async def _run(site: Site, *, needs_login: bool, late: float) -> None:
    server = Server(site, needs_login=needs_login)
    first = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=200)
    second = socket.socket()
    second.bind(("127.0.0.1", 0))  # it refuses connections until it listens
    print(first.sockets[0].getsockname()[1], second.getsockname()[1], flush=True)  # noqa: T201 - for the parent
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait([ended], timeout=late)
    async with first:
        if ended.done():
            second.close()
            return
        async with await asyncio.start_server(_serve_late, sock=second, backlog=50):
            await ended


@contextmanager
def serve(seed: int, sick: str, *, needs_login: bool, late: float) -> Iterator[tuple[str, str]]:
    """Serve a site in a process of its own; yield the URLs of its two hosts."""
    words: list[Any] = [Path(__file__), "--seed", seed, "--sick", sick, "--login", int(needs_login), "--late", late]
    process = Process(list(map(str, words)), cwd=Path.cwd(), env={}, stdin=PIPE, stdout=PIPE)
    try:
        assert process.stdout is not None
        one, two = process.stdout.readline().split()
        yield f"http://127.0.0.1:{one}", f"http://127.0.0.1:{two}"
    finally:
        process.communicate(timeout=30)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, kind in {"seed": int, "sick": str, "login": int, "late": float}.items():
        parser.add_argument(f"--{name}", type=kind)
    given = parser.parse_args()
    asyncio.run(_run(Site(given.seed, given.sick), needs_login=bool(given.login), late=given.late))
