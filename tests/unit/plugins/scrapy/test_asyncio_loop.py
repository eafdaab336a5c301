"""`GuestLoop`: async code of a project that uses asyncio runs on trio."""

from __future__ import annotations

import asyncio
import threading

import pytest
import scrapy
import trio
from crawler_plugins.scrapy.asyncio_loop import GuestLoop
from crawler_plugins.scrapy.deferreds import result_of
from crawler_plugins.scrapy.reactor import TrioReactor
from support.scrapy_site import SITE, run_scrapy


class Waits(scrapy.Spider):
    name = "waits"
    start_urls = [f"{SITE}/"]

    async def parse(self, response):
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(30)
        found = await asyncio.gather(self.later(2, "a"), self.later(1, "b"))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(100), 5)
        seconds = round(loop.time() - before)  # threads take no virtual time
        thread = await asyncio.to_thread(threading.get_ident)
        await loop.run_in_executor(None, int, "1")
        with pytest.raises(ValueError, match="invalid literal"):
            await asyncio.to_thread(int, "x")
        yield {
            "names": found,
            "is_other_thread": thread != threading.get_ident(),
            "seconds": seconds,
        }

    async def later(self, seconds, name):
        await asyncio.sleep(seconds)
        return name


async def test_a_callback_may_sleep_gather_and_use_threads(autojump_clock):
    ran = await run_scrapy(Waits, {"/": "a"})
    assert ran.items == [{"names": ["a", "b"], "is_other_thread": True, "seconds": 37}]


async def test_components_may_sleep_too(autojump_clock):
    class Delays:
        async def process_request(self, request):
            await asyncio.sleep(request.meta.get("delay", 3))

    class Plain(scrapy.Spider):
        name = "plain"
        start_urls = [f"{SITE}/"]

        def parse(self, response):
            yield {"n": 1}

    began = trio.current_time()
    ran = await run_scrapy(Plain, {"/": "a"}, {"DOWNLOADER_MIDDLEWARES": {Delays: 1}})
    assert ran.items == [{"n": 1}]
    assert trio.current_time() - began >= 3


@pytest.fixture
async def loop(nursery):
    installed = TrioReactor.install()
    await nursery.start(installed.keep)
    yield installed.loop
    nursery.cancel_scope.cancel()
    await trio.sleep(0)
    TrioReactor.uninstall()


async def test_sockets_of_asyncio_are_served(loop):
    async def echo(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    async def asks():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        found = await reader.read()
        writer.close()
        server.close()
        return found

    assert await result_of(asks()) == b"hello\n"


async def test_a_subprocess_of_asyncio_is_awaited(loop):
    async def prints():
        process = await asyncio.create_subprocess_exec("echo", "hello", stdout=asyncio.subprocess.PIPE)
        return await process.communicate()

    assert await result_of(prints()) == (b"hello\n", None)


async def test_a_function_that_another_thread_calls_wakes_the_loop(loop):
    called = asyncio.Event()
    await trio.to_thread.run_sync(loop.call_soon_threadsafe, called.set)
    with trio.fail_after(5):
        await result_of(called.wait())


async def test_a_task_of_asyncio_has_a_timeout(loop, autojump_clock):
    async def late():
        async with asyncio.timeout(3):
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        await result_of(loop.create_task(late()))
    assert 3 <= loop.time() < 9


async def test_the_time_of_the_loop_stands_still_between_crawls(autojump_clock):
    loop, called = GuestLoop(), []
    loop.call_later(5, called.append, 1)
    for _ in range(2):
        await trio.sleep(100)
        with trio.move_on_after(3):
            await loop.keep()
    loop.close()
    assert called == [1]


async def test_a_cancelled_task_cancels_the_future_that_it_awaits(autojump_clock):
    future = TrioReactor.install().loop.create_future()

    async def waits():
        await future

    try:
        with trio.move_on_after(1):
            await result_of(waits())
    finally:
        TrioReactor.uninstall()
    assert future.cancelled()


def test_an_exception_that_no_code_awaits_is_logged(caplog):
    loop = GuestLoop()
    loop.call_exception_handler({"message": "lost", "exception": ValueError("x")})
    loop.close()
    assert "lost" in caplog.text
