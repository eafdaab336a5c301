"""`PlaceQueue` gives each place to the task that has waited longest, and forgets a task that waits no longer."""

from __future__ import annotations

import random

import trio

from crawler.frontier.place_queue import PlaceQueue
from crawler.limits.pace import Pace
from crawler.limits.permit import Permit
from crawler.limits.throttle import Throttle

PACE = Pace(delay=0.0, jitter=0.0, rate=(), burst=1, concurrency=4, slow_start=False, mode="auto")


async def test_places_go_to_those_who_have_waited_longest(autojump_clock):
    queue, throttle = PlaceQueue(), Throttle("a", PACE, random.Random(1))
    served: list[int] = []

    async def wait(number: int) -> None:
        await trio.sleep(number)
        permit = Permit(throttle)
        with trio.move_on_at(10 if number == 2 else 100):
            await queue.wait(permit)
        if permit.is_in_flight:
            served.append(number)

    async with trio.open_nursery() as nursery:
        for number in (1, 2, 3):
            nursery.start_soon(wait, number)
        await trio.sleep(5)
        assert (len(queue), throttle.busy) == (3, 0)
        queue.grant()
        assert (len(queue), throttle.busy) == (2, 1)
        await trio.sleep(10)  # the second one gives up
        assert (served, len(queue)) == ([1], 1)
        queue.grant()
    assert (served, len(queue), throttle.busy) == ([1, 3], 0, 2)
