"""`RepeatedEvent` wakes those who wait when it is set, and nobody else."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from crawler.frontier.repeated_event import RepeatedEvent


async def test_each_set_wakes_all_tasks_that_wait(autojump_clock):
    event, woken = RepeatedEvent(), []

    async def listen(name):
        while True:
            await event.wait()
            woken.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen, "a")
        nursery.start_soon(listen, "b")
        for _ in range(2):
            await trio.testing.wait_all_tasks_blocked()
            event.set()
            event.set()  # while nobody waits
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert sorted(woken) == ["a", "a", "b", "b"]


async def test_it_does_not_stay_set(autojump_clock):
    event = RepeatedEvent()
    event.set()
    with pytest.raises(trio.TooSlowError), trio.fail_after(1):
        await event.wait()


async def test_a_cancelled_wait_leaves_the_others_waiting(autojump_clock):
    event, woken = RepeatedEvent(), []

    async def listen():
        await event.wait()
        woken.append(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        with trio.move_on_after(1):
            await event.wait()
        event.set()
    assert woken == [1]
