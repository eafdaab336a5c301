"""Take the pictures of terminals in the README and the manual: ``python docs/screens.py``.

Each picture is a real run of a command in a pseudo-terminal, against sites that this program serves on loopback. The
terminal is emulated by pyte, and rich draws what it shows. Figures differ from run to run.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import attrs
import pyte
from rich.console import Console
from rich.text import Text

PICTURES = Path(__file__).parent / "_static"
WIDTH, HEIGHT = 102, 40
PROMPT = "$ "
FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
SPIDER = '''\
from crawler import Spider


class Books(Spider):
    """Pages of three sites."""

    def parse(self, response):
        yield {"url": response.url, "title": response.css("h1::text").get()}
        yield from response.follow_all("a")
'''


@attrs.frozen
class Site:
    """A site whose page ``/N`` links to the pages ``/2N`` and ``/2N+1``."""

    pages: int
    quota: int = 0
    """Requests in each 20 seconds, declared as `RateLimit`; 0: unlimited."""
    refused: int = 0
    """The number of the request that is refused with a `Retry-After`; 0: none."""


SITES = {
    "books.example": Site(pages=20_000),
    "reviews.example": Site(pages=400, quota=40),
    "prices.example": Site(pages=400, refused=30),
}
SECONDS = 0.05
"""Response time of the sites."""
WINDOW = 20
"""Length of the window of a quota in seconds."""


class Server(ThreadingHTTPServer):
    """The server of the proxy: it counts the requests of each site."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Proxy)
        self.opened = time.monotonic()
        self._counts: Counter[str] = Counter()

    def count(self, name: str) -> int:
        """Return the number of this request among those of a site, from 1."""
        self._counts[name] += 1
        return self._counts[name]

    def handle_error(self, *_: object) -> None:
        """Ignore connections that the killed command has reset."""


class Proxy(BaseHTTPRequestHandler):
    """A proxy that answers for all sites by itself, so that they have names of their own."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer a request."""
        url = urlsplit(self.path)
        site, number = SITES[url.netloc], url.path.strip("/") or "1"
        if not number.isdecimal():  # robots.txt
            self.answer(404, "")
            return
        count = self.server.count(url.netloc)
        time.sleep(SECONDS)
        links = [2 * int(number), 2 * int(number) + 1]
        body = f"<h1>Book {number}</h1>" + "".join(f"<a href=/{link}>next</a>" for link in links if link <= site.pages)
        if count == site.refused:
            self.answer(503, "busy", {"Retry-After": "30"})
        elif site.quota:
            left, reset = max(0, site.quota - count), WINDOW - int(time.monotonic() - self.server.opened) % WINDOW
            policy = f'"burst";q={site.quota};w={WINDOW}'
            self.answer(200, body, {"RateLimit-Policy": policy, "RateLimit": f'"burst";r={left};t={reset}'})
        else:
            self.answer(200, body)

    def answer(self, status: int, body: str, fields: Mapping[str, str] = MappingProxyType({})) -> None:
        """Send a response."""
        content = body.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/html", "Content-Length": str(len(content)), **fields}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serve() -> Iterator[str]:
    """Serve the sites while the block runs, and return the URL of the proxy."""
    server = Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def record(command: Sequence[str], folder: Path, *, until: float | None = None) -> pyte.Screen:
    """Return the screen of a terminal after a command has ended.

    Parameters:
        command: The words of the command.
        folder: The working directory.
        until: Seconds after which the screen is returned, and the command is killed. `None`: not before its end.
    """
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
    env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs)  # noqa: S603
    os.close(theirs)
    end = float("inf") if until is None else time.monotonic() + until
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    data = os.read(ours, 65_536)
                except OSError:  # the command has closed the terminal
                    break
                if not data:
                    break
                stream.feed(data)
    finally:
        if until is not None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(ours)
    return screen


def lines_of(screen: pyte.Screen) -> list[Text]:
    """Return the lines of a screen with their colours, without the empty ones at the end."""
    lines = []
    for row in range(screen.lines):
        line = Text()
        cells = (screen.buffer[row][column] for column in range(screen.columns))
        for style, run in groupby(cells, key=style_of):
            line.append("".join(cell.data for cell in run), style=style)
        line.rstrip()
        lines.append(line)
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def style_of(cell: pyte.screens.Char) -> str:
    """Return the style of a character in the words of rich."""
    colour = {"brown": "yellow", "default": ""}.get(cell.fg, cell.fg)
    colour = f"#{colour}" if re.fullmatch(r"[0-9a-f]{6}", colour) else colour.replace("bright", "bright_")
    return " ".join(word for word in ("bold" if cell.bold else "", colour) if word)


def picture(title: str, lines: Sequence[Text]) -> str:
    """Return an SVG of a terminal with these lines. It loads no font from elsewhere."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    for line in lines:
        console.print(line, no_wrap=True, overflow="crop")
    return FONT_FACE.sub("", console.export_svg(title=title, unique_id="terminal")).replace("Fira Code", "monospace")


def typed(command: Sequence[str]) -> Text:
    """Return the line in which a command was typed."""
    return Text(PROMPT, style="green") + Text(" ".join(command), style="bold")


def crawl(folder: Path) -> list[Text]:
    """Return the terminal of a crawl of three sites: its live view after some seconds."""
    (folder / "books.py").write_text(SPIDER)
    starts = [f"http://{name}/" for name in SITES]
    with serve() as proxy:
        configuration = f"[settings]\nproxies = [{json.dumps(proxy)}]\n[arguments]\nstart_urls = {json.dumps(starts)}\n"
        (folder / "crawler.toml").write_text(configuration)
        command = ["crawler", "run", "books.py", "-o", "books.jsonl", "--job", "books.job"]
        return [typed(command), *lines_of(record(command, folder, until=7))]


def demo(folder: Path) -> list[Text]:
    """Return the terminal of ``crawler demo``."""
    command = ["crawler", "demo"]
    return [typed(command), *lines_of(record(command, folder))]


SCREENS = {"crawl": crawl, "demo": demo}
"""The pictures, by the names of their files."""


def main() -> None:
    """Take all pictures."""
    PICTURES.mkdir(exist_ok=True)
    for name, take in SCREENS.items():
        with tempfile.TemporaryDirectory() as folder:
            lines = take(Path(folder))
        for line in lines:
            print(line.plain)  # noqa: T201 - to look at
        (PICTURES / f"{name}.svg").write_text(picture("trio-crawler", lines), encoding="utf-8")


if __name__ == "__main__":
    main()
