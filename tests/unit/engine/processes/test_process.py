"""`Process`: which one gets a page, and how a page gets its messages."""

from __future__ import annotations

import mmap
import socket
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from crawler import Request, Response
from crawler.engine.processes import wire
from crawler.engine.processes.channel import Channel
from crawler.engine.processes.process import QUEUED, Page, Process, ProcessChoice

URL = "https://site.test/"


@pytest.fixture
def processes() -> Iterator[list[tuple[Process, Channel]]]:
    """Two processes that are ready, each with the other end of its channel."""
    pairs = [socket.socketpair() for _ in range(4)]
    made: list[tuple[Process, Channel]] = []
    for channel, calls in (pairs[:2], pairs[2:]):
        process = Process(channel[0], calls[0], mmap.mmap(-1, 4096))
        process.pid = len(made) + 1
        made.append((process, Channel(channel[1], wire.FROM_FIRST)))
    yield made
    for pair in pairs:
        for end in pair:
            end.close()


def give(process: Process, pages: int = 1) -> None:
    """Give pages to a process."""
    for _ in range(pages):
        process.send(len(process.pages) + 1, Response(URL, body=b"x"))


def test_pages_that_take_long_are_divided(processes: list[tuple[Process, Channel]]) -> None:
    both, choice = [process for process, _ in processes], ProcessChoice()
    for n in range(6):
        process = choice.choose(both)
        assert process is both[n % 2]
        give(process)


def test_pages_that_take_little_time_stay_together(processes: list[tuple[Process, Channel]]) -> None:
    both, choice = [process for process, _ in processes], ProcessChoice()
    for _ in range(100):
        choice.note(QUEUED / 4.5)
    for _ in range(5):
        assert choice.choose(both) is both[0]
        give(both[0])
    assert choice.choose(both) is both[1]
    give(both[1], pages=5)
    assert choice.choose(both) is both[0]  # both have enough: the one with fewer


def test_only_processes_that_are_ready_get_pages(processes: list[tuple[Process, Channel]]) -> None:
    both, choice = [process for process, _ in processes], ProcessChoice()
    both[0].pid = 0
    assert choice.choose(both) is both[1]
    both[1].pid = 0
    assert choice.choose(both) is None


async def test_a_body_without_room_in_shared_memory_is_part_of_the_message(
    processes: list[tuple[Process, Channel]],
) -> None:
    process, end = processes[0]
    for number, size in enumerate((3000, 2000, 10)):
        process.send(number, Response(URL, body=b"x" * size))
    process.channel.flush()
    found = [(page.shared, len(page.body)) for page in await end.receive()]
    assert found == [((0, 3000), 0), (None, 2000), ((3000, 10), 0)]


def test_a_page_that_cannot_be_sent_is_not_kept(processes: list[tuple[Process, Channel]]) -> None:
    request = Request(URL, meta={"a": 1})
    request.meta["a"] = object()
    with pytest.raises(ValueError, match="cannot be sent"):
        processes[0][0].send(1, Response(URL, request=request))
    assert processes[0][0].pages == {}


async def test_messages_of_a_page_wait_for_its_task_and_wake_it() -> None:
    page = Page(Response(URL))
    page.put(1)
    page.put(2)
    assert [await page.take(), await page.take()] == [1, 2]
    found: list[object] = []

    async def take() -> None:
        found.append(await page.take())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    page.put(None)  # no task waits now
    assert (found, await page.take()) == ([], None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await trio.testing.wait_all_tasks_blocked()
        page.put(3)
        page.put(4)
    assert (found, await page.take()) == ([3], 4)
