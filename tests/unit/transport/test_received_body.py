"""`ReceivedBody`: a body waits for its reader in pieces or as a whole, and libcurl pauses if too much of it waits."""

from __future__ import annotations

import math

import httpx
import pycurl
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from crawler.transport.received_body import MAX_WHOLE, Awaited, ReceivedBody


class Answer(Awaited):
    """Allows a server two seconds of silence."""

    def _silence_allowed(self) -> float:
        return 2.0

    def _silence_error(self) -> httpx.RequestError:
        return httpx.ReadTimeout("silent")

    def arrive(self) -> None:
        self._wake()

    def show_life(self) -> None:
        self._note_sign_of_life()


async def test_one_task_at_a_time_waits_until_it_is_woken(autojump_clock: MockClock) -> None:
    answer = Answer(is_timed=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer.wait)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await answer.wait()
        answer.arrive()
    answer.arrive()  # nobody waits


async def test_a_server_that_is_silent_for_too_long_is_an_error_and_a_sign_of_life_gives_it_more_time(
    autojump_clock: MockClock,
) -> None:
    answer, began = Answer(is_timed=True), trio.current_time()
    with pytest.raises(httpx.ReadTimeout, match="^silent$"):
        await answer.wait()
    assert trio.current_time() - began == 2.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer.wait)
        await trio.sleep(1.5)
        answer.show_life()
        await trio.sleep(1.5)
        answer.arrive()


async def test_a_wait_that_is_cancelled_leaves_room_for_another(autojump_clock: MockClock) -> None:
    answer = Answer(is_timed=False)
    with trio.move_on_after(1):
        await answer.wait()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer.wait)
        await wait_all_tasks_blocked()
        answer.arrive()


class Body(ReceivedBody):
    """A body of a server that may be silent, with room for ten bytes."""

    def __init__(self, *, whole: bool = False, max_size: float = math.inf) -> None:
        super().__init__(buffer=10, max_size=max_size, is_timed=False)
        if whole:
            self._gather()

    def _silence_allowed(self) -> float:
        return math.inf

    def _silence_error(self) -> httpx.RequestError:
        raise AssertionError

    def _unpause(self) -> None:
        self._paused = False

    def end(self, error: Exception | None = None) -> None:
        self._error = error
        self._finish()


async def test_pieces_are_read_in_their_order_and_libcurl_pauses_until_half_is_read() -> None:
    body = Body()
    assert body.on_body(b"12345") is None
    assert body.on_body(b"67890") is None
    assert body.on_body(b"x") == pycurl.WRITEFUNC_PAUSE
    assert body.is_paused
    assert await anext(body) == b"12345"
    assert not body.is_paused
    body.end()
    assert [piece async for piece in body] == [b"67890"]
    assert body.take_body() is None


async def test_a_reader_waits_for_the_next_piece(autojump_clock: MockClock) -> None:
    body, read = Body(), list[bytes]()

    async def reader() -> None:
        read.extend([piece async for piece in body])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        for piece in (b"1", b"2"):
            await trio.sleep(1)
            body.on_body(piece)
        await trio.sleep(1)
        body.end()
    assert read == [b"1", b"2"]


def test_a_gathered_body_is_taken_once_and_only_if_it_is_complete() -> None:
    body = Body(whole=True)
    body.on_body(b"12345")
    body.on_body(b"67890 and more")
    assert body.take_body() is None
    body.end()
    assert body.take_body() == b"1234567890 and more"
    assert body.take_body() is None


async def test_a_large_gathered_body_is_delivered_in_pieces() -> None:
    body = Body(whole=True)
    assert body.on_body(bytes(MAX_WHOLE)) is None
    assert not body.has_response
    assert body.on_body(b"x") is None
    assert body.has_response
    assert len(await anext(body)) == MAX_WHOLE + 1


async def test_a_body_that_is_too_large_or_broken_is_an_error() -> None:
    body = Body(whole=True, max_size=4)
    assert body.on_body(b"12345") == -1
    broken = Body()
    broken.on_body(b"1")
    broken.end(httpx.ReadError("broken"))
    assert await anext(broken) == b"1"
    with pytest.raises(httpx.ReadError, match="broken"):
        await anext(broken)
