"""Arguments of the ready-made spiders are checked against their annotations, and messages say what was expected."""

from __future__ import annotations

from typing import Literal

import pytest

from crawler import ConfigError, Spider
from crawler.spiders.arguments import check_argument_types, check_start_urls, method_name


class Shop(Spider):
    size: int = 1
    order: Literal["price", "name"] = "price"
    tags: list[str] | None = None

    def parse_item(self, response):
        pass


class Small(Shop):
    extra: str = ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": "1"}, "Shop: argument size: must be a whole number, not '1'"),
        ({"size": None}, "Shop: argument size: must be a whole number, not None"),
        ({"order": "size"}, "Shop: argument order: must be price or name, not 'size'"),
        ({"order": "prise"}, "Shop: argument order: must be price or name, not 'prise' (did you mean price?)"),
        ({"tags": "a"}, "Shop: argument tags: must be a list or none, not 'a'"),
        ({"tags": [1]}, "Shop: argument tags: must contain only text, not [1]"),
    ],
)
def test_an_argument_of_another_type_is_refused(arguments, message):
    with pytest.raises(ConfigError) as caught:
        check_argument_types(Shop(**arguments), Shop)
    assert str(caught.value).startswith(message)


def test_arguments_that_a_subclass_declares_are_its_own_business():
    spider = Small(extra=5)
    check_argument_types(spider, Shop)
    with pytest.raises(ConfigError, match="^Small: argument extra: must be text, not 5$"):
        check_argument_types(spider, Small)


def test_start_urls_are_web_urls_and_at_least_one():
    check_start_urls(Shop(start_urls=["https://a.test/"]))
    with pytest.raises(ConfigError, match="^Shop: set the argument url, or start_urls$"):
        check_start_urls(Shop())
    with pytest.raises(
        ConfigError, match=r"^Shop: argument url: not a URL: 'a.test' \(did you mean https://a.test\?\)$"
    ):
        check_start_urls(Shop(start_urls=["https://a.test/", "a.test"]))


def other(self, response):
    pass


def test_a_method_by_its_name_itself_or_the_function_of_the_class():
    spider = Shop()
    for handler in ("parse_item", spider.parse_item, Shop.parse_item):
        assert method_name(spider, handler, "here") == "parse_item"
    assert method_name(spider, None, "here") is None


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("parse_itm", r"here: Shop has no method 'parse_itm' \(did you mean parse_item\?\)"),
        ("a b", "here: Shop has no method 'a b'"),
        ("size", "here: Shop has no method 'size'"),
        (other, "here: Shop has no method 'other'"),
        (5, "here: Shop has no method '5'"),
    ],
)
def test_a_name_that_is_not_a_method_of_the_spider_is_refused(handler, message):
    with pytest.raises(ConfigError, match=f"^{message}$"):
        method_name(Shop(), handler, "here")


def test_a_function_that_has_only_the_name_of_a_method_is_refused():
    def parse_item(self, response):
        pass

    with pytest.raises(ConfigError, match="^here: Shop has no method 'parse_item'"):
        method_name(Shop(), parse_item, "here")
