"""Which store a URL names."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest
from crawler_plugins.stores.postgres import PostgreSQL
from crawler_plugins.stores.redis import Redis

from crawler import ConfigError, PluginError
from crawler.store import registry
from crawler.store.registry import find_store, is_url


def test_places_with_a_scheme_are_urls() -> None:
    assert is_url("postgresql://db.test/crawls/books")
    assert not is_url("books.job")
    assert not is_url("./a://b")


def test_postgresql_is_found_by_its_scheme() -> None:
    assert find_store("postgresql://db.test/crawls/books") is PostgreSQL


def test_an_unknown_scheme_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match=r"unknown scheme 'postgres' \(did you mean postgresql\?\): use postgresql:"):
        find_store("postgres://me:secret@db.test/crawls/books")


def test_the_url_is_checked() -> None:
    with pytest.raises(ConfigError, match="names no database and job"):
        find_store("postgresql://db.test/crawls")


@pytest.mark.parametrize(
    ("store", "url"), [(PostgreSQL, "postgresql://db.test/crawls/books"), (Redis, "redis://cache.test/books")]
)
def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, store: Any, url: str) -> None:
    [extra] = store.requires.values()
    monkeypatch.setattr(store, "requires", {"no_such_driver": extra})
    with pytest.raises(ConfigError) as caught:
        find_store(url)
    assert f"needs no_such_driver, which is not installed: pip install '{extra}'" in str(caught.value)


class Other:
    """A store of another package."""

    requires: dict[str, str] = {}

    @staticmethod
    def check(url: str) -> None:
        """Accept any URL."""


def test_another_package_may_have_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    points: dict[str, Any] = {
        "other": EntryPoint("other", f"{__name__}:Other", "crawler.stores"),
        "broken": EntryPoint("broken", "no_such_module:Store", "crawler.stores"),
    }
    monkeypatch.setattr(registry, "entry_points_of", lambda group: points)
    monkeypatch.setattr(
        EntryPoint, "load", lambda self: Other if self.name == "other" else __import__("no_such_module")
    )
    assert find_store("other://x") is Other
    with pytest.raises(PluginError, match="no_such_module:Store cannot be imported"):
        find_store("broken://x")
