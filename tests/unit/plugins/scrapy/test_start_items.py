"""`StartItems`: items of the start pass the pipelines and reach the outputs, once."""

from __future__ import annotations

import pytest
import scrapy
from crawler_plugins.scrapy.start_items import StartItems
from support.scrapy_site import SITE, run_scrapy


class Numbers(scrapy.Spider):
    name = "numbers"

    async def start(self):
        yield {"n": 1}
        yield {"n": 1}
        yield scrapy.Request(f"{SITE}/")
        yield {"n": 2}

    def parse(self, response):
        yield {"n": 3}


class Doubles:
    def process_item(self, item):
        if item["n"] == 2:
            raise scrapy.exceptions.DropItem("two")
        return item | {"n": item["n"] * 2}


@pytest.mark.parametrize(("settings", "requests"), [({}, 1), ({"ROBOTSTXT_OBEY": True}, 2)])
async def test_items_of_the_start_pass_the_pipelines_and_reach_outputs(settings, requests):
    ran = await run_scrapy(Numbers, {"/": "a"}, settings | {"ITEM_PIPELINES": {Doubles: 1}})
    assert sorted(item["n"] for item in ran.items) == [2, 2, 6]
    assert ran.paths == ["/"]
    assert ran.stats["item_scraped_count"] == 3
    assert ran.stats["downloader/request_count"] == requests  # a robots.txt is one as well


async def test_a_job_has_each_item_of_the_start_once(tmp_path):
    items = []
    for path in ("/", "/"):
        items += (await run_scrapy(Numbers, {path: "a"}, job=tmp_path / "job")).items
    assert sorted(item["n"] for item in items) == [1, 1, 2, 3]


def test_an_item_of_a_job_has_the_same_url_in_each_run():
    urls = []
    for _ in range(2):
        items = StartItems()
        items.durable = True
        requests = [items.carry(item) for item in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2})]
        urls.append([request.url for request in requests])
        assert items.item_of(requests[0]) == {"a": 1, "b": 2}
    assert urls[0] == urls[1]
    assert len(set(urls[0])) == 3
