"""Code for trio in asyncio: one line that says what to do."""

from __future__ import annotations

import asyncio
import threading

import pytest
import trio

from crawler import ConfigError, Spider, client, crawl, crawl_items, run, stream
from crawler.event_loop import require_trio
from crawler.testing import FakeSite


class Pages(Spider):
    start_urls = ["https://site.test/"]

    def parse(self, response):
        yield {"url": response.url}


async def enter(manager):
    async with manager:
        pass


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (lambda: crawl(Pages()), "crawl() needs the event loop of trio, and this is asyncio: call run("),
        (
            lambda: enter(stream(Pages())),
            "stream() needs the event loop of trio, and this is asyncio: call run(",
        ),
        (lambda: enter(client()), "client() needs the event loop of trio, and this is asyncio: in IPy"),
        (
            lambda: client().get("https://site.test/"),
            "client() needs the event loop of trio, and this is asyncio: in IPy",
        ),
    ],
    ids=["crawl", "stream", "client", "client without async with"],
)
def test_in_asyncio_each_entry_says_what_to_do(begin, words):
    async def main():
        await begin()

    with pytest.raises(ConfigError) as caught:
        asyncio.run(main())
    assert str(caught.value).startswith(words)
    assert "%autoawait trio" in str(caught.value)
    assert "asyncio.to_thread(" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_asyncio_program_can_run_a_crawl_in_a_thread():
    site = FakeSite({"/": "x", "/robots.txt": ""})

    async def main():
        return await asyncio.to_thread(run, Pages(), transport=site.transport)

    assert asyncio.run(main()).pages == 1


async def test_in_trio_nothing_is_raised():
    require_trio("it", "")


def test_run_in_a_trio_program_says_what_to_do():
    async def main():
        run(Pages())

    with pytest.raises(ConfigError, match=r"in a trio program write await crawl\(spider\)"):
        trio.run(main)


def test_without_any_event_loop_it_is_refused_too():
    with pytest.raises(ConfigError, match="needs the event loop of trio"):
        require_trio("crawl()", "call run()")


def test_items_can_be_crawled_in_any_thread():
    found = []
    site = FakeSite({"/": "x", "/robots.txt": ""})
    thread = threading.Thread(target=lambda: found.extend(crawl_items(Pages(), transport=site.transport)))
    thread.start()
    thread.join()
    assert found == [{"url": "https://site.test/"}]
