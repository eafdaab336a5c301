"""`Retries`: which statuses are followed by another attempt."""

from __future__ import annotations

import httpx
import pytest
import scrapy
from crawler_plugins.scrapy.retries import Retries, StatusRetryPolicy
from scrapy.settings import Settings
from support.scrapy_site import SITE, run_scrapy

import crawler


class One(scrapy.Spider):
    name = "one"
    start_urls = [f"{SITE}/"]

    def parse(self, response):
        yield {"status": response.status, "tries": response.meta.get("retry_times", 0)}


def failing(status, times):
    left = [status] * times
    return lambda _: httpx.Response(left.pop()) if left else "<p>a</p>"


@pytest.mark.parametrize(
    ("settings", "status", "times", "items"),
    [
        ({}, 500, 2, [{"status": 200, "tries": 2}]),
        ({}, 500, 3, []),
        ({"RETRY_TIMES": 3}, 500, 3, [{"status": 200, "tries": 3}]),
        ({"RETRY_HTTP_CODES": [403]}, 403, 1, [{"status": 200, "tries": 1}]),
        ({"RETRY_HTTP_CODES": [502]}, 500, 1, []),
        ({"RETRY_ENABLED": False}, 500, 1, []),
    ],
)
async def test_statuses_are_retried_as_scrapy_does(settings, status, times, items, autojump_clock):
    assert (await run_scrapy(One, {"/": failing(status, times)}, settings)).items == items


async def test_a_status_that_the_spider_handles_is_retried_first(autojump_clock):
    class Handles(One):
        handle_httpstatus_list = [500, 404]

    assert (await run_scrapy(Handles, {"/": failing(500, 9)})).items == [{"status": 500, "tries": 2}]
    assert (await run_scrapy(Handles, {"/": failing(404, 9)})).items == [{"status": 404, "tries": 0}]


async def test_dont_retry_gives_the_first_response(autojump_clock):
    class Once(One):
        def start_requests(self):
            yield scrapy.Request(f"{SITE}/", meta={"dont_retry": True, "handle_httpstatus_all": True})

    assert (await run_scrapy(Once, {"/": failing(500, 9)})).items == [{"status": 500, "tries": 0}]


def test_a_status_that_the_crawl_retries_itself_is_left_to_it():
    retries = Retries(Settings())
    response = crawler.Response(f"{SITE}/", 500)
    assert retries.after(response, lambda _: False) is None
    assert retries.after(response, lambda status: status == 500) == crawler.Retry("status 500")


def test_the_policy_retries_listed_statuses_only():
    policy = StatusRetryPolicy(crawler.Settings(), frozenset({500}))
    request = crawler.Request(f"{SITE}/")
    errors = [crawler.BadStatus("x", status=status) for status in (500, 502)]
    for error in errors:
        error.retryable = True
    assert policy.wait(request, 1, errors[0]) is not None
    assert policy.wait(request, 1, errors[1]) is None
