"""`KeyedLocks`: one lock for each key in use."""

from __future__ import annotations

import trio
from crawler_plugins.files.locks import KeyedLocks
from trio.testing import MockClock


async def test_tasks_with_one_key_wait_for_each_other_and_leave_nothing(autojump_clock: MockClock) -> None:
    locks, log = KeyedLocks(), []

    async def work(key: str) -> None:
        async with locks.hold(key):
            log.append(key)
            await trio.sleep(1)
            log.append(key)

    async with trio.open_nursery() as nursery:
        for key in "aba":
            nursery.start_soon(work, key)
    assert "".join(log).replace("b", "") == "aaaa"
    assert trio.current_time() == 2.0
    assert len(locks) == 0


async def test_a_task_that_is_cancelled_while_it_waits_leaves_nothing(autojump_clock: MockClock) -> None:
    locks = KeyedLocks()

    async def wait() -> None:
        with trio.move_on_after(1):
            async with locks.hold("a"):
                raise AssertionError

    async with trio.open_nursery() as nursery, locks.hold("a"):
        nursery.start_soon(wait)
        await trio.sleep(2)
        assert len(locks) == 1
    assert len(locks) == 0
