"""`Wakeup`: each `set` wakes the tasks that wait, and none that waits later."""

from __future__ import annotations

import math
import signal

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from crawler.frontier.wakeup import Wakeup


async def test_all_waiting_tasks_wake_at_once(autojump_clock: trio.testing.MockClock) -> None:
    wakeup, woken = Wakeup(), []

    async def wait(name: str) -> None:
        await wakeup.wait()
        woken.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "a")
        nursery.start_soon(wait, "b")
        await wait_all_tasks_blocked()
        assert not woken
        wakeup.set()
    assert sorted(woken) == ["a", "b"]


async def test_a_set_before_the_wait_does_not_count(autojump_clock: trio.testing.MockClock) -> None:
    wakeup = Wakeup()
    wakeup.set()
    with trio.move_on_after(1) as scope:
        await wakeup.wait()
    assert scope.cancelled_caught


@pytest.mark.parametrize(("deadline", "woken_at"), [(1.0, 1.0), (9.0, 5.0), (math.inf, 5.0)])
async def test_a_wait_ends_at_a_set_or_at_its_deadline(
    deadline: float, woken_at: float, autojump_clock: trio.testing.MockClock
) -> None:
    wakeup, began = Wakeup(), trio.current_time()
    woken: list[float] = []

    async def wait() -> None:
        await wakeup.wait_until(began + deadline)
        woken.append(trio.current_time() - began)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(5)
        wakeup.set()
    assert woken == [woken_at]


async def test_a_cancelled_task_is_not_woken(autojump_clock: trio.testing.MockClock) -> None:
    wakeup = Wakeup()
    with trio.move_on_after(1):
        await wakeup.wait()
    wakeup.set()
    await trio.sleep(1)  # a second reschedule of this task would end the sleep, or the run


async def test_a_task_that_waits_again_at_once_is_woken_by_the_next_set(
    autojump_clock: trio.testing.MockClock,
) -> None:
    wakeup, turns = Wakeup(), []

    async def wait_twice() -> None:
        for turn in range(2):
            await wakeup.wait()
            turns.append(turn)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_twice)
        await wait_all_tasks_blocked()
        wakeup.set()
        wakeup.set()  # in the same turn of the event loop: the task has not run yet
        await wait_all_tasks_blocked()
        assert turns == [0]
        wakeup.set()
    assert turns == [0, 1]


class Interrupting(list[trio.lowlevel.Task]):
    """A list during whose change Ctrl-C is pressed."""

    def append(self, task: trio.lowlevel.Task) -> None:
        super().append(task)
        signal.raise_signal(signal.SIGINT)


def test_a_wait_that_ctrl_c_ends_is_forgotten() -> None:
    async def main() -> None:
        wakeup = Wakeup()
        wakeup._waiting = Interrupting()
        with pytest.raises(KeyboardInterrupt):
            await wakeup.wait()
        wakeup.set()  # which would reschedule a task that runs
        await trio.lowlevel.checkpoint()

    trio.run(main)
