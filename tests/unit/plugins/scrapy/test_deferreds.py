"""`result_of`: coroutines, Deferreds and plain values in a trio task."""

from __future__ import annotations

import asyncio

import pytest
import trio
from crawler_plugins.scrapy.deferreds import AsyncIterable, is_pending, iterate, result_of
from twisted.internet.defer import Deferred, fail, inlineCallbacks, succeed


async def test_a_plain_value_is_returned():
    assert await result_of({"a": 1}) == {"a": 1}
    assert not is_pending("text")


async def test_the_result_of_a_deferred_is_awaited(autojump_clock):
    deferred = Deferred()

    async def fire():
        await trio.sleep(1)
        deferred.callback(3)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fire)
        assert await result_of(deferred) == 3


async def test_the_failure_of_a_deferred_is_raised():
    with pytest.raises(ValueError, match="broken"):
        await result_of(fail(ValueError("broken")))


async def test_a_coroutine_may_await_deferreds_and_trio(autojump_clock):
    @inlineCallbacks
    def twisted():
        value = yield succeed(2)
        return value * 2

    async def mixed():
        await trio.sleep(1)
        await asyncio.sleep(0)
        return await twisted() + await succeed(1)

    assert await result_of(mixed()) == 5


async def test_a_coroutine_sees_the_exception_of_a_deferred():
    async def caught():
        try:
            await fail(KeyError("k"))
        except KeyError:
            return "caught"

    assert await result_of(caught()) == "caught"


async def test_a_future_of_another_event_loop_is_refused():
    loop = asyncio.new_event_loop()

    async def waits():
        await loop.create_future()

    try:
        with pytest.raises(RuntimeError, match="awaits a future of another asyncio event loop"):
            await result_of(waits())
    finally:
        loop.close()


async def test_both_kinds_of_iterables_are_iterated():
    async def numbers():
        yield await succeed(1)
        yield 2

    assert [value async for value in iterate(numbers())] == [1, 2]
    assert [value async for value in iterate([1, 2])] == [1, 2]
    assert [value async for value in iterate(None)] == []
    assert [value async for value in AsyncIterable([3])] == [3]
