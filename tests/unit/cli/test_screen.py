"""The live view of several crawls on one terminal. `test_progress.py` has that of one."""

from __future__ import annotations

import io
import sys
import time

import trio
from pytest import MonkeyPatch  # noqa: PT013 - an annotation

from crawler import Settings, Spider, crawl
from crawler.cli.progress import Progress
from crawler.cli.screen import Screen
from crawler.testing import FakeSite


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Short(Spider):
    start_urls = [f"https://short.test/{n}" for n in range(5)]
    settings = Settings(delay=1.0, obey_robots=False, problem_share=1)

    def parse(self, response):
        return None


class Long(Short):
    start_urls = [f"https://long.test/{n}" for n in range(15)]


SITE = FakeSite({f"https://{name}.test/{n}": "x" for name in ("short", "long") for n in range(15)})


async def test_the_crawls_are_shown_together_and_the_last_one_alone(autojump_clock, monkeypatch: MonkeyPatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(time, "thread_time", lambda: 0.0)
    terminal, screen = Terminal(), Screen()
    monkeypatch.setattr(sys, "stderr", terminal)
    async with trio.open_nursery() as nursery:
        for spider in (Short(), Long()):
            plugins = [Progress(shown=True, screen=screen)]
            nursery.start_soon(lambda s=spider, p=plugins: crawl(s, plugins=p, transport=SITE.transport))
    shown = terminal.getvalue()
    assert "short: 3 pages" in shown
    assert "long: 3 pages" in shown
    assert "12 pages" in shown.rpartition("short: ")[2], "the second crawl is drawn after the first has ended"
    assert shown.endswith("\x1b[2K")


async def test_the_cursor_waits_at_the_beginning_of_a_row_where_a_typed_character_begins_no_other(
    autojump_clock, monkeypatch: MonkeyPatch
):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(time, "thread_time", lambda: 0.0)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    seen = []
    with trio.move_on_after(1.1) as scope:

        async def watch():
            while True:
                await trio.sleep(0.3)
                seen.append(terminal.getvalue()[-1:])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await crawl(Long(), plugins=[Progress(shown=True)], transport=SITE.transport)
    assert scope.cancelled_caught
    assert seen
    assert set(seen) == {"\r"}


async def test_a_view_that_takes_long_is_drawn_less_often(autojump_clock, monkeypatch: MonkeyPatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal, times = Terminal(), iter(range(1000))
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(time, "thread_time", lambda: next(times) / 20)
    drawn = []
    monkeypatch.setattr(
        Screen, "_view", lambda self, width, height, view=Screen._view: drawn.append(0) or view(self, width, height)
    )
    await crawl(Long(), plugins=[Progress(shown=True)], transport=SITE.transport)
    assert len(drawn) == 8, (
        "50 ms for a view are 1 % of 5 s, but 2 s are the longest interval, and the crawl takes 14 s"
    )
