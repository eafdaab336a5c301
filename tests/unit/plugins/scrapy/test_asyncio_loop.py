"""`TimerLoop`: async code of a project that uses asyncio runs on trio."""

from __future__ import annotations

import asyncio
import threading

import pytest
import scrapy
import trio
from crawler_plugins.scrapy.asyncio_loop import TimerLoop
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


async def test_sockets_of_asyncio_are_not_there():
    async def connects():
        await asyncio.open_connection("127.0.0.1", 9)

    TrioReactor.install()
    try:
        with pytest.raises(NotImplementedError):
            await result_of(connects())
    finally:
        TrioReactor.uninstall()


async def test_a_cancelled_task_cancels_the_future_that_it_awaits(autojump_clock):
    reactor = TrioReactor.install()
    future = reactor.asyncio.create_future()

    async def waits():
        await future

    try:
        with trio.move_on_after(1):
            await result_of(waits())
    finally:
        TrioReactor.uninstall()
    assert future.cancelled()


def test_an_exception_that_no_code_awaits_is_logged(caplog):
    TimerLoop(None).call_exception_handler({"message": "lost", "exception": ValueError("x")})
    assert "lost" in caplog.text
