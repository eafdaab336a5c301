"""The base class of outputs, and how `persist` is called."""

from __future__ import annotations

import threading
from functools import partial

import pytest
import trio

from crawler.hooks.plugin import Plugin
from crawler.hooks.sink import Sink, call_sink
from crawler.messages import Row

ROWS = [Row(data=b"{}", key="1", page="https://site.test/")]


def test_a_new_sink_has_no_position():
    assert (Sink.resumes, Sink.position) == (False, None)


async def test_an_async_persist_runs_on_the_event_loop():
    class Counting(Sink):
        async def persist(self, batch):
            return [len(batch), threading.get_ident()]

    assert await call_sink(Counting().persist, ROWS) == [1, threading.get_ident()]


async def test_a_plain_persist_runs_in_a_worker_thread():
    class Counting(Plugin):
        def persist(self, batch):
            return [len(batch), threading.get_ident()]

    count, thread = await call_sink(Counting().persist, ROWS)
    assert count == 1
    assert thread != threading.get_ident()


@pytest.mark.parametrize("is_async", [True, False])
async def test_an_exception_of_persist_is_raised(is_async):
    class Failing(Sink):
        if is_async:

            async def persist(self, batch):
                raise OSError("disk full")
        else:

            def persist(self, batch):
                raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await call_sink(Failing().persist, ROWS)


async def test_a_cancelled_call_does_not_wait_for_its_thread():
    release = threading.Event()

    class Blocking(Sink):
        def persist(self, batch):
            release.wait(20)

    with trio.move_on_after(0.01) as scope:
        await call_sink(Blocking().persist, ROWS)
    release.set()
    assert scope.cancelled_caught


async def test_the_limiter_bounds_the_number_of_threads():
    limiter = trio.CapacityLimiter(1)
    active, most = 0, 0
    lock = threading.Lock()

    class Busy(Sink):
        def persist(self, batch):
            nonlocal active, most
            with lock:
                active += 1
                most = max(most, active)
            threading.Event().wait(0.01)
            with lock:
                active -= 1

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(partial(call_sink, Busy().persist, ROWS, limiter=limiter))
    assert most == 1
