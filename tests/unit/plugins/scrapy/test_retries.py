"""`Retries`: which statuses are followed by another attempt."""

from __future__ import annotations

from types import SimpleNamespace

import httpx
import pytest
import scrapy
from crawler_plugins.scrapy import ScrapySpider
from crawler_plugins.scrapy.retries import Retries, StatusRetryPolicy
from scrapy.settings import Settings
from support.scrapy_site import SITE, run_scrapy

import crawler
from crawler import ConfigError
from crawler.transport.errors import transport_error


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


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_robots_txt_is_asked_for_again_after_a_transient_status(status, autojump_clock):
    pages = {"/": "a", "/robots.txt": failing(status, 1)}
    assert (await run_scrapy(One, pages, {"ROBOTSTXT_OBEY": True})).paths == ["/"]


async def test_a_status_that_the_spider_handles_is_retried_first(autojump_clock):
    class Handles(One):
        handle_httpstatus_list = [500, 404]

    assert (await run_scrapy(Handles, {"/": failing(500, 9)})).items == [{"status": 500, "tries": 2}]
    assert (await run_scrapy(Handles, {"/": failing(404, 9)})).items == [{"status": 404, "tries": 0}]


async def test_dont_retry_returns_the_first_response(autojump_clock):
    class Once(One):
        def start_requests(self):
            yield scrapy.Request(f"{SITE}/", meta={"dont_retry": True, "handle_httpstatus_all": True})

    assert (await run_scrapy(Once, {"/": failing(500, 9)})).items == [{"status": 500, "tries": 0}]


def test_a_code_that_is_not_a_number_is_named():
    with pytest.raises(crawler.ConfigError, match="setting RETRY_HTTP_CODES: invalid literal"):
        ScrapySpider.of(One, settings={"RETRY_HTTP_CODES": ["x"]})


@pytest.mark.parametrize("name", ["nope.Missing", "builtins.Missing", "Missing", 3])
def test_an_exception_that_does_not_exist_is_an_error_of_the_settings(name):
    with pytest.raises(crawler.ConfigError, match=r"setting RETRY_EXCEPTIONS: .*"):
        ScrapySpider.of(One, settings={"RETRY_EXCEPTIONS": [name]})


@pytest.mark.parametrize(
    ("status", "fields", "is_accepted", "expected"),
    [
        (429, {}, False, True),
        (503, {"retry-after": "9"}, False, True),
        (503, {}, False, False),  # the page may be broken
        (500, {"retry-after": "9"}, False, False),
        (429, {}, True, False),
    ],
)
def test_a_refusal_by_the_server_is_left_to_the_crawl(status, fields, is_accepted, expected):
    response = crawler.Response(f"{SITE}/", status, fields)
    assert Retries.is_up_to_the_crawl(response, lambda _: is_accepted) is expected


def test_the_policy_leaves_statuses_to_the_middleware():
    policy = StatusRetryPolicy(crawler.Settings())
    request = crawler.Request(f"{SITE}/")
    refused, silent, broken = (crawler.BadStatus("x", status=status) for status in (429, 503, 500))
    broken.retryable = True
    assert policy.wait(request, 1, broken) is None
    assert policy.wait(request, 1, crawler.Retry("x")) is not None
    assert policy.goes_back(request, refused, 0)
    assert not policy.goes_back(request, silent, 0)


def test_the_policy_repeats_nothing_but_what_a_plugin_asks_for_if_retries_are_off():
    policy = StatusRetryPolicy(crawler.Settings(), are_on=False)
    cut = crawler.BrokenExchange("cut")
    cut.retryable = True
    assert policy.wait(crawler.Request(f"{SITE}/", attempts=9), 1, cut) is None
    assert policy.wait(crawler.Request(f"{SITE}/robots.txt"), 1, cut) is not None
    assert policy.wait(crawler.Request(f"{SITE}/"), 1, crawler.Retry("x")) is not None


async def test_a_post_is_retried_too_as_in_scrapy(autojump_clock):
    class Posts(One):
        def start_requests(self):
            yield scrapy.Request(f"{SITE}/", method="POST", body="x")

    ran = await run_scrapy(Posts, {"/": failing(500, 2)})
    assert ran.items == [{"status": 200, "tries": 2}]


async def test_a_refused_request_is_repeated_when_the_server_allows_it(autojump_clock):
    ran = await run_scrapy(One, {"/": failing(429, 6)})
    assert ran.items == [{"status": 200, "tries": 0}]


def raising(error, times):
    left = [error] * times

    def answer(_):
        if left:
            raise left.pop()
        return "<p>a</p>"

    return answer


@pytest.mark.parametrize(
    ("settings", "error", "items"),
    [
        ({}, httpx.ConnectError("no such name"), [{"status": 200, "tries": 2}]),
        ({}, httpx.ReadTimeout("late"), [{"status": 200, "tries": 2}]),
        ({"RETRY_EXCEPTIONS": ["builtins.KeyError"]}, httpx.ReadTimeout("late"), []),
        ({"RETRY_TIMES": 1}, httpx.ConnectError("no such name"), []),
    ],
)
async def test_network_errors_are_retried_as_retry_exceptions_says(settings, error, items, autojump_clock):
    if isinstance(error, httpx.ConnectError):
        request = httpx.Request("GET", f"{SITE}/")
        error = transport_error(
            httpx.ConnectError, "no such name", request=request, sent=False, retryable=False, kind="dns"
        )
    ran = await run_scrapy(One, {"/": raising(error, 2)}, settings)
    assert ran.items == items


async def test_retries_are_logged_as_by_the_middleware_of_scrapy(autojump_clock, caplog):
    class Retried(scrapy.Spider):
        name = "retried"
        custom_settings = {"RETRY_TIMES": 1, "RETRY_GIVE_UP_LOG_LEVEL": "WARNING"}
        start_urls = [f"{SITE}/503", f"{SITE}/refused"]

    def refuse(request):
        raise httpx.ConnectError("no", request=request) from ConnectionRefusedError()

    caplog.set_level("DEBUG")
    ran = await run_scrapy(Retried, {"/503": lambda _: httpx.Response(503), "/refused": refuse})
    logged = [record for record in caplog.records if record.name == "scrapy.downloadermiddlewares.retry"]
    for path, reason in (("503", "503 Service Unavailable"), ("refused", "")):
        found = [record for record in logged if f"{SITE}/{path}>" in record.getMessage()]
        assert [record.levelname for record in found] == ["DEBUG", "WARNING"]
        assert found[0].getMessage().startswith(f"Retrying <GET {SITE}/{path}> (failed 1 times): {reason}")
        assert found[1].getMessage().startswith(f"Gave up retrying <GET {SITE}/{path}> (failed 2 times): {reason}")
        assert all(record.spider is ran.spider for record in found)


def test_an_unknown_level_of_the_log_is_refused():
    with pytest.raises(ConfigError, match="RETRY_GIVE_UP_LOG_LEVEL: no level 'LOUD'"):
        Retries(SimpleNamespace(settings=Settings({"RETRY_GIVE_UP_LOG_LEVEL": "LOUD"})))
