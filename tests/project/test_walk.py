"""The page `walk-of-one-request.md` is true: one page is traced, and the files that run are those that it names."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import trio

from crawler import Item, Plugin, Request, Response, Row, Settings, Spider, crawl
from crawler.engine import engine
from crawler.frontier import Pending
from crawler.frontier.ticket import Ticket
from crawler.store import Group, Outcome
from crawler.testing import FakeSite

ROOT = Path(__file__).parents[2]
CRAWLER = ROOT / "crawler"
ROOMS = (f"{CRAWLER / 'engine'}/", f"{CRAWLER / 'frontier'}/")
PAGE = (ROOT / "docs" / "explanation" / "walk-of-one-request.md").read_text(encoding="utf-8")
WALK, OTHER_WAYS = PAGE.split("\n## Other ways\n")
URL = "https://site.test/"


class Trace:
    """The functions of `engine` and `frontier` that run, and those among them that get the request in hand."""

    def __init__(self) -> None:
        self.files: dict[str, None] = {}
        self.hands: dict[str, None] = {}
        """Files by the first time that a function gets the request, its ticket, its response or its outcome."""

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        """A profile function, as `sys.setprofile` takes it."""
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(ROOMS):
            name = Path(file).relative_to(CRAWLER).as_posix()
            self.files.setdefault(name)
            if any(map(is_about_the_page, arguments(frame))):
                self.hands.setdefault(name)


def arguments(frame: FrameType) -> list[Any]:
    """The arguments of a call."""
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    values = frame.f_locals
    return [values[name] for name in names if name in values]


def is_about_the_page(value: Any) -> bool:
    """Whether a value is the request, or what became of it."""
    match value:
        case Request():
            return value.url == URL
        case list() | tuple():
            return any(map(is_about_the_page, value))
        case Ticket() | Pending() | Response():
            return is_about_the_page(value.request)
        case Outcome():
            return is_about_the_page(value.ticket)
        case Group():
            return is_about_the_page(value.head)
    return is_about_the_page(getattr(value, "requests", None) or [])


class OnePage(Spider):
    """Begins the trace with its start request."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    def start(self) -> Iterator[Request]:
        sys.setprofile(self._trace)
        yield Request(URL)

    def parse(self, response: Response) -> Item:
        return {"url": response.url}


class Sink(Plugin):
    """Ends the trace with the item."""

    name = "sink"

    async def persist(self, batch: list[Row]) -> None:
        sys.setprofile(None)


@pytest.fixture(scope="module")
def trace() -> Trace:
    """The trace of the only page of a site, with one worker and without robots.txt."""
    found, outer = Trace(), sys.getprofile()
    settings = Settings(obey_robots=False, workers=1)
    transport = FakeSite({"/": "x"}).transport

    async def one_page() -> None:
        with trio.fail_after(60):
            await crawl(OnePage(found), plugins=[Sink()], settings=settings, transport=transport)

    try:
        trio.run(one_page)
    finally:
        sys.setprofile(outer)
    return found


def named(text: str) -> set[str]:
    """The files of `engine` and `frontier` that a text names."""
    return set(re.findall(r"`((?:engine|frontier)/\w+\.py)`", text))


def headings() -> list[str]:
    """The files of the numbered headings, in their order."""
    return re.findall(r"^## \d\. `([\w/.]+)`", WALK, re.MULTILINE)


def test_a_request_passes_through_six_files() -> None:
    assert re.findall(r"^## (\d)\.", WALK, re.MULTILINE) == list("123456")
    assert len(set(headings())) == 6


def test_every_file_that_runs_for_a_page_is_named_and_every_file_that_is_named_runs(trace: Trace) -> None:
    # trio may run the task for `crawl.add` before `start()`, where the trace begins; the watchdog is a thread
    either_way = {"engine/crawl.py", "engine/background.py", "watchdog/watchdog.py"}
    assert set(trace.files) | either_way == named(WALK) | either_way


def test_the_request_meets_the_six_files_in_their_order(trace: Trace) -> None:
    assert [name for name in trace.hands if name in headings()] == headings()


def test_every_coroutine_on_the_way_is_in_one_of_the_six_files_or_in_a_named_helper(trace: Trace) -> None:
    """Files in which a request can wait: nothing else has `async def` functions that run."""
    waiting = {"engine/callbacks.py", "engine/commits.py", "engine/lane_loader.py", "engine/handler_results.py"}
    waiting |= {"engine/peers.py", "engine/scheduler.py", "engine/sinks.py", "frontier/wakeup.py"}
    elsewhere = {"engine/checkpointer.py", "engine/crawl_limits.py"}  # their `async def` are tasks of their own
    asynchronous = {name for name in trace.files if re.search(r"^\s*async def ", source(name), re.MULTILINE)}
    assert asynchronous - {"engine/background.py"} - elsewhere == waiting | set(headings()) - {"frontier/frontier.py"}


def source(name: str) -> str:
    return (CRAWLER / name).read_text(encoding="utf-8")


def test_the_other_ways_name_files_that_exist() -> None:
    names = re.findall(r"`(\w+/\w+\.py)`", PAGE)
    assert names
    assert [name for name in names if not name.startswith("tests/") and not (CRAWLER / name).is_file()] == []
    assert not named(OTHER_WAYS) & set(headings())


def test_the_picture_is_that_of_the_engine() -> None:
    picture = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert picture is not None
    drawn = inspect.cleandoc(engine.__doc__ or "")
    assert [line.strip() for line in picture[1].splitlines()] == [
        line.strip() for line in drawn.split("::\n\n")[1].split("\n\nThe number")[0].splitlines()
    ]
