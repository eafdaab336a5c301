"""`crawl_settings`: settings of Scrapy as settings of the crawl."""

from __future__ import annotations

import pytest
from crawler_plugins.scrapy.settings import crawl_settings, ignored_settings, is_given, request_headers
from scrapy.settings import Settings
from support.cases import each

from crawler import ConfigError, Pace


@each(
    ("given", "expected"),
    [
        ({"CONCURRENT_REQUESTS": 4}, {"workers": 4}),
        ({"CONCURRENT_REQUESTS_PER_DOMAIN": 2}, {"per_host": 2}),
        ({"DOWNLOAD_DELAY": "2.5"}, {"delay": 2.5, "jitter": 0.5}),
        ({"DOWNLOAD_DELAY": 1, "RANDOMIZE_DOWNLOAD_DELAY": False}, {"delay": 1.0, "jitter": 0.0}),
        ({"ROBOTSTXT_OBEY": True}, {"obey_robots": True}),
        ({"USER_AGENT": "MyBot/1"}, {"user_agent": "MyBot/1"}),
        ({"DEFAULT_REQUEST_HEADERS": {"User-Agent": "Other/1", "X-A": "1"}}, {"user_agent": "Other/1"}),
        ({"COOKIES_ENABLED": False}, {"cookies": False}),
        ({"RETRY_TIMES": 5}, {"attempts": 6}),
        ({"RETRY_ENABLED": False}, {"attempts": 1}),
        ({"DOWNLOAD_MAXSIZE": 1000}, {"max_body": 1000}),
        ({"DOWNLOAD_FAIL_ON_DATALOSS": False}, {"incomplete": "keep"}),
        ({"DOWNLOAD_FAIL_ON_DATALOSS": True}, {"incomplete": "fail"}),
        ({"DOWNLOAD_VERIFY_CERTIFICATES": False}, {"tls_verify": False}),
        ({}, {"incomplete": "fail", "tls_verify": True}),
        ({"DOWNLOAD_TIMEOUT": 9}, {"request_deadline": 9.0}),
        ({"URLLENGTH_LIMIT": 100}, {"max_url_length": 100}),
        ({"HTTPPROXY_ENABLED": False}, {"proxy_env": False}),
        ({"SCRAPER_SLOT_MAX_ACTIVE_SIZE": 99}, {"max_active_size": 99}),
        (
            {"AUTOTHROTTLE_ENABLED": True, "AUTOTHROTTLE_TARGET_CONCURRENCY": 1.5, "AUTOTHROTTLE_MAX_DELAY": 9},
            {"slow_start": True, "per_host": 2, "backoff_max": 9.0},
        ),
        (
            {"DOWNLOAD_SLOTS": {"books.test": {"concurrency": 1, "delay": 2}}},
            {"pacing": {"books.test": Pace(concurrency=1, delay=2.0, jitter=0.5)}},
        ),
        (
            {"DOWNLOAD_SLOTS": {"books.test": {"delay": 2, "jitter": 0}}},
            {"pacing": {"books.test": Pace(delay=2.0, jitter=0.0)}},
        ),
    ],
)
def test_a_setting_is_taken_over(given, expected):
    settings = crawl_settings(Settings(given))
    assert {name: getattr(settings, name) for name in expected} == expected


def test_defaults_let_hosts_start_slowly():
    assert "per_host" not in crawl_settings(Settings()).given


def test_default_headers_that_a_crawl_cannot_have_are_left_out():
    given = {"Host": "other.test", "Connection": "close", "Authorization": "Bearer x", "Accept": "a", "X-None": None}
    settings = Settings({"DEFAULT_REQUEST_HEADERS": given})
    headers = crawl_settings(settings).headers
    assert headers["Authorization"] == "Bearer x"
    assert {"Host", "Connection", "X-None"} & headers.keys() == set()
    assert request_headers(settings) == {"Host": "other.test"}


def test_settings_without_effect_are_listed_with_the_reason():
    [(name, reason)] = ignored_settings(Settings({"COOKIES_DEBUG": True, "CONCURRENT_REQUESTS": 1}))
    assert (name, "standard error" in reason) == ("COOKIES_DEBUG", True)


@pytest.mark.parametrize(
    "given",
    [
        {"COMPRESSION_ENABLED": False},
        {"DOWNLOADER_MIDDLEWARES": {"scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware": None}},
    ],
)
def test_without_compression_no_coding_is_asked_for(given):
    own = {"DEFAULT_REQUEST_HEADERS": {"Accept-Encoding": "br"}}
    assert crawl_settings(Settings(given)).headers["Accept-Encoding"] == ""
    assert crawl_settings(Settings(given | own)).headers["Accept-Encoding"] == "br"
    assert "Accept-Encoding" not in crawl_settings(Settings()).headers


def test_a_setting_is_given_or_a_default():
    settings = Settings({"BOT_NAME": "x"})
    assert is_given(settings, "BOT_NAME")
    assert not is_given(settings, "CONCURRENT_REQUESTS")


@pytest.mark.parametrize(("name", "value"), [("DEPTH_LIMIT", "x"), ("RETRY_TIMES", "many"), ("LOG_LEVEL", "FOO")])
def test_a_value_that_a_setting_cannot_have_is_named(name, value):
    with pytest.raises(ConfigError, match=f"setting {name}: .*'{value}'"):
        crawl_settings(Settings({name: value}))
