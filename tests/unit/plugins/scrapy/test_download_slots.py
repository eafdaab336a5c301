"""`DownloadSlots`: the slots that extensions and middlewares read, and whose delay they change."""

from __future__ import annotations

import pytest
import scrapy
import trio
from crawler_plugins.scrapy.download_slots import DownloadSlots
from scrapy import signals
from scrapy.extensions.throttle import AutoThrottle
from support.scrapy_site import SITE, run_scrapy

HOST = "site.test"
PAGES = {f"/{n}": "a" for n in range(5)}


class Pages(scrapy.Spider):
    name = "pages"
    start_urls = [f"{SITE}{path}" for path in PAGES]
    seen: list

    def parse(self, response):
        slots = self.crawler.engine.downloader.slots
        slot = slots[response.meta["download_slot"]]
        self.seen.append((list(slots), len(slots), slot.delay, slot.concurrency, len(slot.active) > 0))


async def test_a_slot_says_what_the_settings_say_of_it(autojump_clock):
    Pages.seen = seen = []
    await run_scrapy(Pages, PAGES, {"DOWNLOAD_DELAY": 0.5, "CONCURRENT_REQUESTS_PER_DOMAIN": 3})
    assert seen[0] == ([HOST], 1, 0.5, 3, True)
    seen.clear()
    await run_scrapy(Pages, PAGES, {"DOWNLOAD_SLOTS": {HOST: {"concurrency": 2, "delay": 0.25}}})
    assert seen[0][2:4] == (0.25, 2)


async def test_its_delay_is_the_pace_of_the_host(autojump_clock):
    times = []

    class Slower(Pages):
        def parse(self, response):
            times.append(trio.current_time())
            slot = self.crawler.engine.downloader.slots[HOST]
            slot.delay, slot.concurrency = 3, 1
            assert (slot.delay, slot.download_delay(), slot.concurrency) == (3, 3, 1)
            assert slot.free_transfer_slots() == 1 - len(slot.transferring)

    await run_scrapy(Slower, PAGES, {"RANDOMIZE_DOWNLOAD_DELAY": False})
    assert times[-1] - times[1] == pytest.approx(3 * (len(PAGES) - 2), abs=0.1)


async def test_a_throttle_of_the_project_finds_the_slots(autojump_clock):
    delays = []

    class Throttle(AutoThrottle):
        def _adjust_delay(self, slot, latency, response):
            delays.append((slot.delay, latency >= 0))
            slot.delay = 0.75

    settings = {"AUTOTHROTTLE_ENABLED": True, "EXTENSIONS": {Throttle: 0}}
    Pages.seen = []
    await run_scrapy(Pages, PAGES, settings)
    assert delays[1:] == [(0.75, True)] * (len(PAGES) - 1)


async def test_a_slot_of_the_project_is_found_by_its_name(autojump_clock):
    found = []

    class Named(scrapy.Spider):
        name = "named"

        async def start(self):
            yield scrapy.Request(f"{SITE}/1", meta={"download_slot": "mine"})

        def parse(self, response):
            slots = self.crawler.engine.downloader.slots
            found.append(("mine" in slots, slots.get("other"), response.meta["download_slot"]))

    await run_scrapy(Named, PAGES)
    assert found == [(True, None, "mine")]


def test_before_the_crawl_there_is_no_slot():
    def running():
        raise RuntimeError("not yet")

    with pytest.raises(RuntimeError, match="not yet"):
        DownloadSlots(scrapy.settings.Settings(), running).get(HOST)


async def test_middlewares_and_signals_are_told_the_slot_and_the_latency(autojump_clock):
    told = []

    class Reads:
        def process_response(self, request, response):
            told.append((request.meta["download_slot"], request.meta["download_latency"] >= 0))
            return response

    def prepare(spider):
        spider.scrapy.signals.connect(
            lambda request: told.append(request.meta["download_slot"]), signals.request_reached_downloader, weak=False
        )

    Pages.seen = []
    await run_scrapy(Pages, {"/1": "a"}, {"DOWNLOADER_MIDDLEWARES": {Reads: 500}}, prepare=prepare)
    assert told.count(HOST) == len(PAGES)
    assert told.count((HOST, True)) == len(PAGES)
