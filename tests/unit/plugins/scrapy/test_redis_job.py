"""The settings of scrapy-redis name a job."""

from __future__ import annotations

import pytest
from crawler_plugins.scrapy.redis_job import redis_job
from crawler_plugins.scrapy.settings import SHARED, ignored_settings
from scrapy.settings import Settings

QUEUES = {"SCHEDULER": "scrapy_redis.scheduler.Scheduler"}


@pytest.mark.parametrize(
    ("settings", "spider", "job"),
    [
        ({}, "books", "redis://localhost:6379/0/books"),
        ({"REDIS_HOST": "cache.example", "REDIS_PORT": 7000}, "books", "redis://cache.example:7000/0/books"),
        ({"REDIS_URL": "redis://cache.example"}, "books", "redis://cache.example/0/books"),
        ({"REDIS_URL": "rediss://u:p@cache.example:1/3"}, "My-Books 2", "rediss://u:p@cache.example:1/3/my_books_2"),
        ({"REDIS_PARAMS": {"password": "a/b@c", "db": 4}}, "2026", "redis://:a%2Fb%40c@localhost:6379/4/_026"),
        ({"REDIS_PARAMS": {"url": "redis://cache.example/5"}}, "b" * 60, f"redis://cache.example/5/{'b' * 48}"),
    ],
)
def test_the_job_is_on_the_server_of_the_queues(settings, spider, job):
    assert redis_job(Settings(QUEUES | settings), spider) == job


def test_a_project_without_scrapy_redis_has_none():
    assert redis_job(Settings({"REDIS_URL": "redis://cache.example"}), "books") == ""


@pytest.mark.parametrize("url", ["unix:///redis.sock", "cache.example:6379", "redis:///0"])
def test_a_url_without_a_server_is_refused_without_its_secrets(url):
    with pytest.raises(
        ValueError, match=r"REDIS_URL is not a URL of the form redis://host:port/database: [a-z.]*://…$"
    ):
        redis_job(Settings(QUEUES | {"REDIS_URL": url}), "books")


def test_the_settings_name_their_replacements():
    settings = Settings()
    settings.setdict(QUEUES, priority="project")
    assert dict(ignored_settings(settings)) == {"SCHEDULER": SHARED}
