"""A program that crawls one page on loopback and prints, as JSON, what runs for it: ``one_page.py plain|refused``.

The page is crawled twice by one worker, with an output. The first crawl tells which modules a plain crawl imports; the
second, in which these are warm, is traced from `Spider.start` to the write of the item.
"""
# ruff: noqa: E402, T201  # modules are counted from before the import; a program that prints

from __future__ import annotations

import http.server
import json
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

BEFORE = set(sys.modules)

from crawler import Request, Response, Settings, Spider, run
from crawler.store import Outcome

PACKAGE = f"{Path(sys.modules['crawler'].__file__ or '').parent}/"
IS_REFUSED_ONCE = sys.argv[1:] == ["refused"]


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with a page; with 429 first, if that is asked for."""

    protocol_version = "HTTP/1.1"
    refusals = 0

    def do_GET(self) -> None:
        status, fields, body = 200, {"Content-Type": "text/html"}, b"<html><body><p class=a>hello</p></body></html>"
        if Page.refusals:
            Page.refusals -= 1
            status, fields, body = 429, {"Retry-After": "1"}, b""
        self.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Trace:
    """Files of the package in which functions run, and those in which one has the request in hand."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.hands: set[str] = set()
        self.has_begun = False

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(PACKAGE):
            return
        name = code.co_filename.removeprefix(PACKAGE)
        self.has_begun = self.has_begun or code.co_qualname == "Spider.start"
        if not self.has_begun:
            return
        self.files.add(name)
        arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if any(is_about_a_page(frame.f_locals.get(argument)) for argument in arguments):
            self.hands.add(name)
        if name.startswith("sinks/") and "write" in code.co_qualname:
            sys.setprofile(None)


def is_about_a_page(value: Any) -> bool:
    """Whether an argument is a request, or what became of it."""
    if isinstance(value, (list, tuple)):
        return any(map(is_about_a_page, value[:5]))
    return isinstance(value, (Request, Response, Outcome)) or type(value).__name__.endswith(("Pending", "Ticket"))


def main() -> None:
    """Crawl twice, and print what was counted."""
    trace = Trace()
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"

        class One(Spider):
            start_urls = [url]

            def parse(self, response: Response) -> object:
                return {"text": response.css("p.a::text").get()}

        def crawl(name: str) -> None:
            Page.refusals = IS_REFUSED_ONCE
            report = run(One(), settings=Settings(obey_robots=False, workers=1), outputs=[Path(folder) / name])
            assert report.items == 1

        crawl("first.jsonl")
        own = [module for name, module in sys.modules.items() if name.split(".")[0] == "crawler" and name not in BEFORE]
        lines = sum(len(Path(module.__file__).read_text(encoding="utf-8").splitlines()) for module in own)
        sys.setprofile(trace)
        crawl("second.jsonl")
        sys.setprofile(None)
        server.shutdown()
    print(json.dumps({"modules": len(own), "lines": lines, "files": len(trace.files), "hands": len(trace.hands)}))


if __name__ == "__main__":
    main()
