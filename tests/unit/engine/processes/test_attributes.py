"""`Attributes`: an attribute that differs between processes is named once."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from crawler import Spider
from crawler.engine.processes.attributes import Attributes

log = logging.getLogger("tests.attributes")


class Shop(Spider):
    """A spider with attributes of several types."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 1
        self.names: list[str] = []
        self.prices: dict[str, int] = {}
        self.table: Any = object()


def test_changed_attributes_are_named_once(caplog: pytest.LogCaptureFixture) -> None:
    shop = Shop()
    attributes = Attributes(shop)
    attributes.warn("a callback", log)
    assert not caplog.records
    for _ in range(2):
        shop.number += 1
        shop.names.append("x")
        attributes.warn("a callback", log)
    shop.prices["x"] = 1
    attributes.warn("a callback", log)
    named = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert named == [f"a callback has changed the attribute {name} of Shop" for name in ("number", "names", "prices")]


def test_added_attributes_are_listed_without_those_of_the_framework() -> None:
    shop = Shop()
    attributes = Attributes(shop)
    shop.crawl = shop.state = object()  # type: ignore[assignment]
    assert attributes.added() == []
    shop.database = object()  # type: ignore[attr-defined]
    assert attributes.added() == ["database"]
