"""`LongCalls`: which hooks are named because they do not return."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from crawler.engine.long_calls import MAX_NAMED, LongCalls, fetching

URL = "https://site.test/"


async def test_a_call_is_named_once_after_a_minute(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    long = LongCalls()
    with long.call("cache", "answer", URL):
        await trio.sleep(59)
        long.look()
        assert caplog.messages == []
        await trio.sleep(2)
        long.look()
        long.look()
    with long.call("cache", "answer", URL + "b"):
        await trio.sleep(100)
        long.look()
    assert caplog.messages == [f"cache.answer has not returned for 61 s for {URL}; the crawl waits for it"]
    assert long.running == {}


async def test_the_next_look_is_due_when_the_next_call_has_run_for_a_minute(autojump_clock: MockClock) -> None:
    long = LongCalls()
    assert long.look() == 60
    with long.call("cache", "answer", URL):
        await trio.sleep(20)
        assert long.look() == 40
        with fetching():
            assert long.look() == 60
        await trio.sleep(60)
        assert long.look() == 60  # it is named, and not again


async def test_a_call_that_is_cancelled_late_is_named(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    long = LongCalls()
    for seconds in (4, 6, 8):
        with trio.move_on_after(seconds), long.call("slow", "refine"):
            await trio.sleep_forever()
    assert caplog.messages == ["slow.refine was cancelled after 6 s"]


async def test_waits_for_the_network_do_not_count(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    long = LongCalls()

    async def fetch(seconds: float) -> None:
        with fetching():
            await trio.sleep(seconds)

    with long.call("files", "refine", URL):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fetch, 50)
            nursery.start_soon(fetch, 500)
        long.look()
        assert caplog.messages == []
        await trio.sleep(60)
        long.look()
    assert len(caplog.messages) == 1
    with fetching():  # outside of hooks
        pass


async def test_the_number_of_remembered_names_is_bounded(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    long = LongCalls()
    for number in range(MAX_NAMED + 5):
        with long.call("spider", f"parse{number}"):
            await trio.sleep(61)
            long.look()
    assert len(caplog.messages) == MAX_NAMED
