"""Lanes enter and leave memory while others continue: every step of the store may take some time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import trio
from trio.testing import MockClock

from crawler.clock import Clock
from crawler.engine.lane_loader import LaneLoader
from crawler.engine.peers import NoPeers
from crawler.frontier import Frontier, Pending
from crawler.frontier.ticket import Order
from crawler.messages import Request
from crawler.settings import Settings
from crawler.store import MemoryStore

HOST = "http://a.test"


class Slow(MemoryStore):
    """Lets other tasks run during each step of the store."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Pending]:
        await trio.lowlevel.checkpoint()
        self.meanwhile()
        return await super().more(group, epoch, after, n)

    async def release(self, group: str, epoch: int, state: dict[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        self.meanwhile()
        await super().release(group, epoch, state)


def frontier(**options: Any) -> Frontier:
    return Frontier(Settings(obey_robots=False, slow_start=False, workers=8), **options)


def requests(numbers: Sequence[int], host: str = HOST) -> list[Request]:
    return [Request(f"{host}/{n}") for n in numbers]


async def test_a_window_that_is_reloaded_while_it_is_refilled_loses_nothing(autojump_clock: MockClock) -> None:
    made, clock = frontier(window=8), Clock()
    store = Slow()
    loader = LaneLoader(made, store, NoPeers(store), clock)
    seen: list[str] = []
    await store.ingest(requests(range(12)))
    await loader.keep_up()
    while (ticket := made.pop(clock())[0]) is not None:
        seen.append(ticket.request.url)
        made.settle(ticket)
        store._lanes[HOST].remove(ticket.pending.order)
        if len(seen) == 7:  # one request is left in the window, and a large page has added others to this lane
            store.meanwhile = lambda: (setattr(store, "meanwhile", lambda: None), made.reload([HOST]))
        await loader.keep_up()
    assert seen == [request.url for request in requests(range(12))]


async def test_a_lane_that_is_loaded_while_another_leaves_stays(autojump_clock: MockClock) -> None:
    made, clock = frontier(max_lanes=2), Clock()
    store = Slow(lambda: made.push(late))
    late: list[Pending] = []
    loader = LaneLoader(made, store, NoPeers(store), clock)
    await store.ingest([Request("http://a.test/"), Request("http://b.test/"), Request("http://c.test/")])
    await loader.keep_up()
    for _ in range(2):
        ticket, _ = made.pop(clock())
        assert ticket is not None
        made.settle(ticket)
        store._lanes[ticket.lane.name].remove(ticket.pending.order)
    late += (await store.ingest([Request("http://b.test/late")])).fresh
    assert await loader.make_room() < math.inf
    assert list(made.lanes) == ["http://b.test"]
