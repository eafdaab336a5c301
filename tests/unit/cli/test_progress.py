"""The plugin of the command line: the live line, and what it collects for the summary."""

from __future__ import annotations

import io
import itertools
import sys

import httpx
import pytest
from rich.console import ConsoleDimensions
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
    monkeypatch.setattr("crawler.cli.screen.time.thread_time", lambda: 0.0)  # a slow machine draws less often


async def test_the_line_shows_the_counts_and_is_removed_at_the_end(autojump_clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    await crawl(Books(), plugins=[Progress(shown=True)], transport=FakeSite(PAGES).transport)
    shown = terminal.getvalue()
    assert "0 pages · " in shown
    assert "1 page · " in shown
    assert "1 in flight" in shown
    assert "2 failed" in shown
    assert shown.endswith("\x1b[2K")


class Slow(Spider):
    start_urls = [f"https://site.test/{n}" for n in range(100)]
    settings = Settings(delay=1.0, obey_robots=False, problem_share=1)

    def parse(self, response: Response):
        return None


@pytest.mark.parametrize("term", ["xterm", "dumb"])
async def test_without_a_terminal_there_is_a_line_every_half_minute(autojump_clock, monkeypatch, term):
    monkeypatch.setenv("TERM", term)
    stream = Terminal() if term == "dumb" else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    site = FakeSite({f"/{n}": "x" for n in range(100)})
    await crawl(Slow(), plugins=[Progress(shown=True)], transport=site.transport)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("30 pages · 1.0/s · 0 items") or lines[0].startswith("31 pages · 1.0/s · 0 items")
    assert "\x1b" not in stream.getvalue()


async def test_a_terminal_that_becomes_narrower_is_cleared_of_wrapped_lines(autojump_clock, monkeypatch):
    terminal, widths = Terminal(), itertools.chain([200] * 40, itertools.repeat(20))
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("rich.console.Console.size", property(lambda self: ConsoleDimensions(next(widths), 24)))
    site = FakeSite({f"/{n}": "x" for n in range(100)})
    await crawl(Slow(), plugins=[Progress(shown=True)], transport=site.transport)
    assert "\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[1A" in terminal.getvalue()


@pytest.mark.parametrize("live", [True, False])
async def test_a_short_crawl_without_a_terminal_or_with_quiet_writes_nothing(autojump_clock, monkeypatch, live):
    stream = io.StringIO() if live else Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    await crawl(Books(), plugins=[Progress(shown=live)], transport=FakeSite(PAGES).transport)
    assert "pages" not in stream.getvalue()


async def test_a_terminal_that_is_closed_does_not_end_the_crawl(autojump_clock, monkeypatch):
    progress = Progress(shown=True)
    monkeypatch.setattr(sys, "stderr", ClosedTerminal())
    report = await crawl(Books(), plugins=[progress], transport=FakeSite({"/": Page("x", delay=2.0)}).transport)
    assert (report.finished, report.pages) == ("finished", 1)


async def test_progress_keeps_the_message_of_the_first_failure_of_each_kind(autojump_clock):
    progress = Progress(shown=False)
    report = await crawl(Books(), plugins=[progress], transport=FakeSite(PAGES).transport)
    assert set(progress.causes) == set(report.kinds)
    assert progress.causes["callback_error.parse"] == "ValueError: no shelf in https://site.test/bad"


@pytest.mark.parametrize(
    ("hosts", "words"), [("h1.test", "h1.test down"), ("h1.test h2.test", "2 hosts down"), ("h", "network down for")]
)
async def test_the_line_names_hosts_that_are_down(autojump_clock, monkeypatch, hosts, words):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    internet = Internet(between(1, 31), hosts=lambda host: host in hosts or hosts == "h")
    progress = Progress(shown=True)
    await crawl(Pages(3, 40), settings=Settings(obey_robots=False), plugins=[progress], transport=internet)
    assert f" · {words} " in terminal.getvalue()
