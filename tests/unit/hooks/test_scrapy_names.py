"""Scrapy names that have no effect: each is reported with its equivalent. `test_table.py` tests the warnings."""

from __future__ import annotations

import pytest
from support.cases import each

from crawler import Plugin, Spider
from crawler.hooks.scrapy_names import EQUIVALENTS, misused_names
from crawler.spiders import SiteSpider


@each("name", EQUIVALENTS)
@each("base", [Spider, Plugin])
def test_a_scrapy_name_is_reported_with_its_equivalent(base, name):
    [message] = misused_names(type("Old", (base,), {name: None}))
    assert message == f"Old.{name} has a meaning in Scrapy only (did you mean {EQUIVALENTS[name]}?)"


def test_an_inherited_name_is_reported_too():
    class Old(Spider):
        def start_requests(self):
            return []

    class Derived(Old):
        pass

    assert list(misused_names(Derived)) == [
        "Derived.start_requests has a meaning in Scrapy only (did you mean start()?)"
    ]


def test_several_names_are_all_reported():
    old = type("Old", (Spider,), {"custom_settings": {}, "closed": None})
    assert [message.split()[0] for message in misused_names(old)] == ["Old.closed", "Old.custom_settings"]


@pytest.mark.parametrize("kind", [Spider, Plugin, SiteSpider])
def test_the_classes_of_the_package_may_use_any_name(kind):
    assert list(misused_names(kind)) == []


def test_other_names_are_not_reported():
    assert list(misused_names(type("New", (Spider,), {"start": None, "parse_item": None}))) == []
