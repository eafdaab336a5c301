"""The plugin of the command line: the live line, and what it collects for the summary."""

from __future__ import annotations

import io
import sys

import httpx
import pytest
from support.internet import Internet, Pages, between

from crawler import Response, Settings, Spider, crawl
from crawler.cli.progress import Progress
from crawler.testing import FakeSite, Page


class Terminal(io.StringIO):
    """A standard error that says that it is a terminal."""

    def isatty(self):
        return True


class ClosedTerminal(Terminal):
    def write(self, text):
        raise OSError(5, "Input/output error")


class Books(Spider):
    start_urls = ["https://site.test/", "https://down.test/"]
    settings = Settings(attempts=1, outage_patience=0)

    def parse(self, response: Response):
        if response.url.endswith("bad"):
            raise ValueError(f"no shelf in {response.url}")
        yield {"url": response.url}
        yield from response.follow_all("a")


PAGES = {
    "/": "<a href='/slow'>x</a><a href='/bad'>x</a>",
    "/slow": Page("slow", delay=2.0),
    "/bad": "bad",
    "https://down.test/": httpx.ConnectError("refused"),
}


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")


async def test_the_line_shows_the_counts_and_is_removed_at_the_end(autojump_clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    await crawl(Books(), plugins=[Progress(live=True)], transport=FakeSite(PAGES).transport)
    shown = terminal.getvalue()
    assert "0 pages · " in shown
    assert "1 page · " in shown
    assert "1 in flight" in shown
    assert "2 failed" in shown
    assert shown.endswith("\x1b[2K")


@pytest.mark.parametrize("live", [True, False])
async def test_without_a_terminal_or_with_quiet_nothing_is_written(autojump_clock, monkeypatch, live):
    stream = io.StringIO() if live else Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    await crawl(Books(), plugins=[Progress(live=live)], transport=FakeSite(PAGES).transport)
    assert "pages" not in stream.getvalue()


async def test_a_terminal_that_is_closed_does_not_end_the_crawl(autojump_clock, monkeypatch):
    progress = Progress(live=True)
    monkeypatch.setattr(sys, "stderr", ClosedTerminal())
    report = await crawl(Books(), plugins=[progress], transport=FakeSite({"/": Page("x", delay=2.0)}).transport)
    assert (report.finished, report.pages) == ("finished", 1)


async def test_it_keeps_the_message_of_the_first_failure_of_each_kind(autojump_clock):
    progress = Progress(live=False)
    report = await crawl(Books(), plugins=[progress], transport=FakeSite(PAGES).transport)
    assert set(progress.causes) == set(report.kinds)
    assert progress.causes["hook_error"] == "books.parse: ValueError: no shelf in https://site.test/bad"


async def test_a_report_of_a_crawl_that_failed_has_its_counts(autojump_clock):
    progress = Progress(live=False)
    assert progress.report("failed") is None
    await crawl(Books(), plugins=[progress], transport=FakeSite({"/": "one"}).transport)
    report = progress.report("failed")
    assert (report.finished, report.spider, report.pages) == ("failed", "books", 1)


@pytest.mark.parametrize(
    ("hosts", "words"), [("h1.test", "h1.test down"), ("h1.test h2.test", "2 hosts down"), ("h", "network down")]
)
async def test_the_line_says_what_is_down(autojump_clock, monkeypatch, hosts, words):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    internet = Internet(between(1, 31), hosts=lambda host: host in hosts or hosts == "h")
    progress = Progress(live=True)
    await crawl(Pages(3, 40), settings=Settings(obey_robots=False), plugins=[progress], transport=internet)
    assert f" · {words} · " in terminal.getvalue()
