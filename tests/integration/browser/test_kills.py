"""No page is lost, and nothing is left, if tabs, browsers or the crawl itself are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from crawler_plugins.browser import Browser
from support.localsite import local_site

from crawler import Request, Response, Settings, Spider, crawl
from crawler.testing import FakeSite, Page

PAGE = """\
<title>shop</title><div id=app></div>
<script>fetch('/api').then(r => r.text()).then(t => app.innerHTML = t)</script>
"""
KILLS = 50


def processes(folder: str = "crawler-browser-") -> dict[int, str]:
    """Return the command lines of the running processes of browsers, by number."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if folder in line and path.with_name("stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found[int(path.parent.name)] = line
    return found


def profiles() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("crawler-browser-*"))


class Shop(Spider):
    """Keeps what is drawn on each of its pages."""

    settings = Settings(obey_robots=False, backoff_base=0.1)

    def __init__(self, pages: int) -> None:
        super().__init__()
        self.pages = pages
        self.drawn: dict[str, str | None] = {}

    def start(self) -> Iterator[Request]:
        for number in range(self.pages):
            yield Request(f"https://shop.test/{number}")

    def parse(self, response: Response) -> None:
        self.drawn[response.url] = response.css("b::text").get()


async def test_no_page_is_lost_by_fifty_kills_of_tabs_and_browsers() -> None:
    kills = 0
    kept = profiles()

    async def kill() -> None:
        nonlocal kills
        chance = random.Random(7)
        while kills < KILLS:
            await trio.sleep(chance.uniform(0.1, 0.6))
            if not plugin._pool.browsers:
                continue
            browser = plugin._pool.browsers[-1]
            mine = [number for number in processes() if _group(number) == browser.pid]
            tabs = [number for number in mine if "--type=renderer" in processes().get(number, "")]
            whole = chance.random() < 0.3 or not tabs
            with suppress(ProcessLookupError):
                os.kill(browser.pid if whole else chance.choice(tabs), signal.SIGKILL)
                if whole:
                    os.killpg(browser.pid, signal.SIGKILL)
            kills += 1
        killed.set()

    killed = trio.Event()

    def page(_: object) -> str:
        return PAGE

    site = FakeSite(
        {f"/{number}": page for number in range(400)} | {"/api": Page("<b>drawn</b>")}, host="https://shop.test"
    )
    spider, plugin = Shop(400), Browser(tabs=4, timeout=60)
    with trio.fail_after(400):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kill)
            report = await crawl(spider, plugins=[plugin], transport=site.transport, settings=Settings(attempts=10))
            nursery.cancel_scope.cancel()
    assert kills >= KILLS, f"only {kills} kills in {report.seconds:.0f} s"
    assert (report.pages, report.failed, report.kinds) == (400, 0, {})
    assert set(spider.drawn.values()) == {"drawn"}
    assert profiles() <= kept


def _group(number: int) -> int:
    with suppress(OSError):
        return os.getpgid(number)
    return 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_crawl_is_killed(how: signal.Signals, tmp_path: Path) -> None:
    kept, before = profiles(), processes()
    forever = "<title>x</title><script>setInterval(() => fetch('/api'), 50)</script>"
    with local_site({"/": forever, "/api": "x"}) as site:
        words = ["run", site.url, "-p", "browser", "-P", "browser.wait=#never", "-s", "grace=1", "--quiet"]
        crawl = subprocess.Popen([sys.executable, "-m", "crawler", *words], cwd=tmp_path, stderr=subprocess.DEVNULL)
        wait_until(lambda: site.asked("/api"))
        assert len(processes()) > len(before)
        crawl.send_signal(how)
        crawl.wait(30)
        wait_until(lambda: processes().keys() <= before.keys() and profiles() <= kept)


def wait_until(holds: object, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.05)
