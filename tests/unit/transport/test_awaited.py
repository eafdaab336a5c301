"""`Awaited`: one task waits until it is woken, or until the server was silent for too long."""

from __future__ import annotations

import httpx
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from crawler.transport.awaited import Awaited


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
