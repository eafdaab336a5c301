"""`Shutdown`: one deadline for all parts of a crawl."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock

from crawler.engine.shutdown import FINISH_GRACE, Shutdown


def made(grace: float = 10.0) -> tuple[Shutdown, list[bool]]:
    woken: list[bool] = []
    return Shutdown(grace, lambda: woken.append(True)), woken


async def test_before_a_stop_nothing_has_a_deadline() -> None:
    shutdown, woken = made()
    assert (shutdown.reason, shutdown.stop_at, woken) == (None, math.inf, [])
    assert not shutdown.stopping.is_set()
    assert shutdown.working().deadline == math.inf


async def test_the_first_reason_counts_and_wakes_the_scheduler_once() -> None:
    shutdown, woken = made()
    shutdown.stop("max_errors", by_limit=True)
    shutdown.stop("interrupted", interrupted=True)
    assert (shutdown.reason, shutdown.by_limit, shutdown.interrupted) == ("max_errors", True, False)
    assert shutdown.stopping.is_set()
    assert woken == [True]


async def test_workers_have_the_grace_and_the_writer_a_second_more(autojump_clock: MockClock) -> None:
    shutdown, _ = made(grace=5.0)
    started = trio.current_time()
    ended: dict[str, float] = {}

    async def work() -> None:
        with shutdown.working():
            await trio.sleep_forever()
        ended["worker"] = trio.current_time() - started

    async def write() -> None:
        with shutdown.finishing():
            await trio.sleep_forever()
        ended["writer"] = trio.current_time() - started

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        nursery.start_soon(write)
        await trio.sleep(2.0)
        shutdown.stop("max_pages")
    assert ended == {"worker": pytest.approx(7.0), "writer": pytest.approx(7.0 + FINISH_GRACE)}


async def test_a_scope_that_is_opened_after_the_stop_has_its_deadline_too(autojump_clock: MockClock) -> None:
    shutdown, _ = made(grace=5.0)
    shutdown.stop("max_pages")
    now = trio.current_time()
    assert shutdown.working().deadline == pytest.approx(now + 5.0)
    assert shutdown.around().deadline == pytest.approx(now + 5.0 + FINISH_GRACE)


async def test_the_second_stop_can_only_be_earlier(autojump_clock: MockClock) -> None:
    shutdown, _ = made(grace=5.0)
    scope = shutdown.working()
    shutdown.stop("interrupted", interrupted=True)
    await trio.sleep(1.0)
    shutdown.stop_now("interrupted", interrupted=True)
    assert scope.deadline == shutdown.stop_at == trio.current_time()
    await trio.sleep(1.0)
    shutdown.stop_now("again")
    assert scope.deadline == trio.current_time() - 1.0


async def test_an_error_of_the_writer_stops_the_others_and_passes(autojump_clock: MockClock) -> None:
    shutdown, _ = made()
    working = shutdown.working()
    with pytest.raises(OSError, match="disk"), shutdown.finishing():
        raise OSError("disk")
    assert shutdown.reason == "failed"
    assert working.deadline <= trio.current_time()


async def test_the_writer_is_shielded_and_the_lifespans_are_not(autojump_clock: MockClock) -> None:
    shutdown, _ = made()
    with shutdown.finishing() as scope:
        assert scope.shield
    assert not shutdown.around().shield
    assert not shutdown.working().shield
