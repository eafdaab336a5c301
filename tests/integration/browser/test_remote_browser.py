"""Pages are rendered by a real Chromium that was started elsewhere."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from crawler_plugins.browser import Browser
from crawler_plugins.browser.chromium import find_executable
from integration.browser.site import HOST, SEEN, site
from integration.browser.test_pages import Visitor

from crawler import crawl


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a browser."""
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [find_executable(""), "--headless=new", "--disable-gpu", "--remote-debugging-port=0", *root]
    with subprocess.Popen(
        [*command, f"--user-data-dir={tmp_path}/profile"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until = time.monotonic() + 30
            note = tmp_path / "profile" / "DevToolsActivePort"
            while not (note.exists() and len(note.read_text().split()) == 2):
                assert time.monotonic() < until
                time.sleep(0.05)
            port, path = note.read_text().split()
            yield f"ws://127.0.0.1:{port}{path}"
        finally:
            process.terminate()


async def test_pages_are_rendered_by_a_browser_that_runs_elsewhere(address: str) -> None:
    class Few(Visitor):
        def start(self) -> object:
            wanted = [f"{HOST}{path}" for path in ("/fetch", "/more", "/frame", "/wall", "/worker")]
            return [request for request in super().start() if request.url in wanted]

    spider = Few()
    with trio.fail_after(60):
        report = await crawl(spider, plugins=[Browser(url=address, tabs=2)], transport=site().transport)
    assert (report.pages, report.failed) == (5, 0)
    for path, response in spider.responses.items():
        body = response.css("body").xpath("string()").get()
        assert all(text in body for text in SEEN[path].texts), path
