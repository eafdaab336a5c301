"""`identity`: what makes a later run the same crawl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler import Settings, Spider
from crawler.engine.job import IDENTITY_SETTINGS, Job, identity


class Shop(Spider):
    name = "shop"

    def __init__(self, section: str = "books", **values: Any) -> None:
        super().__init__()
        self.section = section
        self.__dict__.update(values)


def test_a_job_is_named_by_its_folder() -> None:
    assert Job("some/folder").folder == Path("some/folder")  # type: ignore[arg-type]
    assert not Job(Path("x")).override


def test_the_identity_of_a_job_is_its_spider_arguments_and_scope_settings() -> None:
    found = identity(Shop("music", pages=(1, 2)), Settings(max_depth=3))
    assert found.crawl["spider"] == "shop (Shop)"
    assert found.crawl["arguments"] == {"section": "music", "pages": [1, 2]}
    assert set(found.crawl["settings"]) == set(IDENTITY_SETTINGS)
    assert found.crawl["settings"]["max_depth"] == 3


@pytest.mark.parametrize(
    "values",
    [
        {"_cache": 1},
        {"auth": {"https://site.test": "Bearer secret"}},
        {"settings": {"delay": 1}},
        {"state": {"page": 3}},
        {"position": 12, "resumes": True},
        {"client": object()},
    ],
)
def test_private_secret_and_unserialisable_attributes_are_not_arguments(values: dict[str, Any]) -> None:
    assert identity(Shop(**values), Settings()) == identity(Shop(), Settings())


class Api(Spider):
    name = "api"
    token: str = ""
    url: str = ""
    headers: dict[str, str] = {}

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.path = f"/{self.token}/pages" if self.token else ""


def test_secrets_may_change_between_runs() -> None:
    one = Api(token="abc-123", url="https://ada:abc@h.example/?sid=abc&page=1", headers={"X-Api-Key": "abc", "A": "b"})
    found = identity(one, Settings())
    assert found.crawl["arguments"] == {
        "url": "https://***@h.example/?sid=***&page=1",
        "headers": {"X-Api-Key": "***", "A": "b"},
        "path": "/***/pages",
    }
    assert found.secrets.keys() == {"token", "url", "headers", "path"}
    assert "abc" not in repr(found)
    other = Api(token="def-456", url="https://ada:def@h.example/?sid=def&page=1", headers={"X-Api-Key": "d", "A": "b"})
    assert identity(other, Settings()).crawl == found.crawl
    assert identity(Api(headers={"A": "c"}), Settings()).crawl != identity(Api(headers={"A": "b"}), Settings()).crawl


def test_a_secret_that_the_constructor_keeps_under_another_name_is_hidden() -> None:
    found = []
    for secret in ("abc-123", "def-456"):
        spider = Shop(section="books", header=f"Bearer {secret}")
        spider.given_secrets = frozenset({secret})
        found.append(identity(spider, Settings()))
        assert found[-1].crawl["arguments"] == {"section": "books", "header": "Bearer ***"}
        assert found[-1].secrets == {"header": f"Bearer {secret}"}
    assert found[0].crawl == found[1].crawl


def test_the_text_of_a_reference_to_the_environment_is_kept_instead_of_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "abc-123")
    spider = Api(token="env:SHOP_TOKEN", url="env:SHOP_TOKEN", headers={"A": "env:SHOP_TOKEN", "X-Key": "abc"})
    assert (spider.token, spider.headers["A"]) == ("abc-123", "abc-123")
    found = identity(spider, Settings())
    assert found.crawl["arguments"] == {
        "url": "env:SHOP_TOKEN",
        "headers": {"A": "env:SHOP_TOKEN", "X-Key": "***"},
        "path": "/***/pages",
    }
    assert found.references == {"token": "env:SHOP_TOKEN"}
    assert found.secrets.keys() == {"path"}


def test_settings_of_pace_may_change_from_run_to_run() -> None:
    assert identity(Shop(), Settings(delay=5.0, workers=1)) == identity(Shop(), Settings())
    assert identity(Shop(), Settings(obey_robots=False)) != identity(Shop(), Settings())
    assert identity(Shop("music"), Settings()) != identity(Shop(), Settings())
