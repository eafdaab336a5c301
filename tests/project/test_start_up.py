"""A plain crawl imports only what it uses: importing is most of the run time of a short crawl."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

LIST = Path(__file__).with_name("start_up_modules.txt")
RARE = {"asyncio", "concurrent.futures", "csv", "difflib", "multiprocessing", "pickle", "sqlite3", "unittest", "xml"}
"""Modules of the standard library that only some crawls need."""
LIBRARIES = {
    "ada_url", "attr", "attrs", "certifi", "httpx", "idna", "msgspec", "outcome",
    "publicsuffixlist", "pycurl", "sniffio", "sortedcontainers", "trio", "turbohtml", "typing_extensions",
}  # fmt: skip
"""Packages that a plain crawl imports, those that its libraries import included."""
IF_INSTALLED = {"brotli", "zstandard"}
"""Packages that httpx imports where they are installed."""
SPIDER = """
from crawler import Spider

class Plain(Spider):
    start_urls = [{url!r}]

    def parse(self, response):
        yield {{"title": response.css("title::text").get()}}
        yield from response.follow_all("a")
"""
PROGRAM = """
import sys
from crawler.__main__ import main
sys.argv[0] = "crawler"
assert main() == 0
print(*sorted(sys.modules), sep="\\n", file=sys.stderr)
"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>T</title><a href='/'>home</a>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def modules(url: str, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules that are imported when a crawl of one page has ended."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "plain_spider.py").write_text(SPIDER.format(url=url), encoding="utf-8")
    words = [sys.executable, "-c", PROGRAM, "run", "plain_spider.py", "-o", "items.jsonl", "--quiet"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(words, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (folder / "items.jsonl").read_text(encoding="utf-8") == '{"title":"T"}\n'
    return set(done.stderr.split())


def test_a_plain_crawl_imports_the_listed_modules_of_the_package(modules: set[str]) -> None:
    own = {name for name in modules if name.startswith("crawler.")}
    listed = set(LIST.read_text(encoding="utf-8").split())
    new, gone = sorted(own - listed), sorted(listed - own)
    assert not new, (
        f"a plain crawl imports {', '.join(new)}: if few crawls need it, import it in the function that uses it; "
        f"if each crawl does, add it to {LIST.name}"
    )
    assert not gone, f"a plain crawl does not import {', '.join(gone)} any more: remove it from {LIST.name}"


def test_a_plain_crawl_imports_no_other_library(modules: set[str]) -> None:
    standard = sys.stdlib_module_names | {"crawler", "plain_spider", "__editable__", "_virtualenv"}
    packages = {name.partition(".")[0] for name in modules}
    others = {
        name for name in packages - standard - LIBRARIES - IF_INSTALLED if not name.startswith(("_", "sitecustomize"))
    }
    assert not others, f"a plain crawl imports {', '.join(sorted(others))}: import it in the function that uses it"


def test_a_plain_crawl_imports_no_module_of_the_standard_library_that_few_crawls_need(modules: set[str]) -> None:
    assert not modules & RARE, f"import {', '.join(sorted(modules & RARE))} in the function that uses it"
