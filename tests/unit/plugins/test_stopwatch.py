"""`Stopwatch`."""

from __future__ import annotations

import trio
from crawler_plugins.browser.stopwatch import Stopwatch
from trio.testing import MockClock


async def test_a_limit_ends_its_block(autojump_clock: MockClock) -> None:
    watch = Stopwatch()
    with watch.limit(5) as scope:
        await trio.sleep(10)
    assert scope.cancelled_caught
    assert trio.current_time() == 5


async def test_a_paused_watch_stops_for_all_its_limits(autojump_clock: MockClock) -> None:
    watch = Stopwatch()
    with watch.limit(10) as outer, watch.limit(5) as inner:
        await trio.sleep(2)
        watch.pause()
        watch.pause()
        await trio.sleep(100)
        watch.resume()
        await trio.sleep(100)
        watch.resume()
        await trio.sleep(100)
    assert inner.cancelled_caught
    assert not outer.cancelled_caught
    assert trio.current_time() == 205


async def test_a_limit_that_begins_during_a_pause_waits_for_its_end(autojump_clock: MockClock) -> None:
    watch = Stopwatch()
    watch.pause()
    with watch.limit(1) as scope:
        await trio.sleep(50)
        watch.resume()
        await trio.sleep(50)
    assert scope.cancelled_caught
    assert trio.current_time() == 51
