"""`NoPeers`: a crawl that is the only one waits for nobody, and asks the store directly."""

from __future__ import annotations

import math
from typing import Any, cast

from crawler import Request
from crawler.engine.peers import NoPeers
from crawler.frontier import Frontier
from crawler.settings import Settings
from crawler.store import MemoryStore

A = "http://a.test"


async def test_the_only_worker_runs_start_and_counts_for_itself() -> None:
    peers = NoPeers(MemoryStore())
    assert peers.seeds.is_set()
    assert (dict(peers.counts), peers.has_left_items, peers.due_at()) == ({}, False, math.inf)
    await peers.run()
    await peers.ready()
    assert await peers.finish() is None


async def test_a_lane_that_is_given_back_keeps_its_limits() -> None:
    store = MemoryStore()
    peers = NoPeers(store)
    await store.ingest([Request(f"{A}/")])
    [group] = await peers.claim(1, 10)
    throttle = Frontier(Settings(delay=5.0)).throttle(A)
    throttle.block(7.0)
    await peers.release(group.name, group.epoch, throttle)
    [again] = await peers.claim(1, 10)
    assert again.state == throttle.state() != {}


def test_an_exchange_is_what_it_was() -> None:
    exchange = cast("Any", object())
    assert NoPeers(MemoryStore()).guard(exchange, cast("Any", None), lambda _: None) is exchange
