"""Arguments, spiders and transports are checked before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler import ConfigError, Limits, Plugin, Produced, Request, Response, Settings, Spider
from crawler.engine.checks import (
    check_arguments,
    check_callbacks,
    check_scope,
    check_spider,
    check_transport,
    needs_callbacks,
)
from crawler.engine.job import Job
from crawler.testing import FakeSite, collect


class One(Spider):
    start_urls = ["https://site.test/"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"settings": {"delay": 1}}, "settings must be a Settings object, as in Settings"),
        ({"plugins": "cache"}, "plugins must be a list, not 'cache'"),
        ({"plugins": Plugin()}, "plugins must be a list"),
        ({"plugins": 3}, "plugins must be a list, not 3"),
        ({"outputs": "items.jsonl"}, "outputs must be a list, not 'items.jsonl'"),
        ({"outputs": Path("items.jsonl")}, "outputs must be a list"),
        ({"outputs": [3]}, "an output is the name of a file or a plugin, not 3"),
        ({"job": 3}, "job must be the name of a folder or a URL, not 3"),
        ({"limits": {}}, "limits must be a Limits object"),
    ],
)
def test_an_argument_of_the_wrong_type_is_named(wrong: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"settings": None, "plugins": (), "outputs": (), "job": None, "limits": None} | wrong
    with pytest.raises(ConfigError, match=message):
        check_arguments(**arguments)


def test_arguments_of_all_allowed_types_pass() -> None:
    for job in (None, "job", Path("job"), Job(Path("job"))):
        check_arguments(Settings(), [Plugin()], ["a.jsonl", Path("b.csv"), Plugin()], job, Limits())


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"start_urls": "https://site.test/"}, "start_urls must be a list of URLs, not 'https://site.test/'"),
        ({"start_urls": [3]}, "start_urls of One: a URL must be text, not 3"),
        ({"start_urls": ["site.test"]}, "start_urls of One: "),
        ({"start": "https://site.test/"}, "One.start is 'https://site.test/', not the method that returns the first"),
        ({"accept_status": ["404"]}, "One: "),
        ({"plugins": Plugin()}, "One: plugins must be a list of plugins"),
        ({"plugins": "cache"}, "One: plugins must be a list of plugins, not 'cache'"),
    ],
)
def test_an_attribute_of_a_spider_that_is_wrong_is_named(attributes: dict[str, Any], message: str) -> None:
    spider = One()
    for name, value in attributes.items():
        setattr(spider, name, value)
    with pytest.raises(ConfigError, match=message):
        check_spider(spider)


def test_start_urls_are_not_checked_where_start_is_overridden() -> None:
    class Own(One):
        start_urls = ["no URL"]

        def start(self) -> None:
            return None

    spider = Own()
    assert check_spider(spider) is spider


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (One, r"not a spider: <class .*One'> \(did you mean One\(\)\?\)"),
        ("One", "not a spider: 'One'$"),
        (Plugin(), "not a spider: "),
    ],
)
def test_a_spider_is_an_instance(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_spider(given)


def test_patterns_of_the_scope_are_checked() -> None:
    spider = One()
    check_scope(spider, Settings(include=("/blog/*",)))
    spider.allowed_domains = ["https://site.test/"]
    with pytest.raises(ConfigError):
        check_scope(spider, Settings())


def test_a_transport_has_the_method_of_httpx() -> None:
    check_transport(None)
    check_transport(FakeSite({}).transport)
    with pytest.raises(ConfigError, match=r"transport must be an httpx\.AsyncBaseTransport, not <object"):
        check_transport(object())


class Own(Spider):
    def parse_page(self, response: Any) -> None:
        pass

    def explain(self, failure: Any) -> None:
        pass


class Stored(Plugin):
    name = "stored"

    async def answer(self, request: Any) -> None:
        return None


def test_a_start_request_needs_a_callback() -> None:
    spider, bare = Own(), Request("https://site.test/?token=abc")
    with pytest.raises(ConfigError) as raised:
        check_callbacks(spider, [Request("https://site.test/", spider.parse_page), bare])
    assert str(raised.value) == (
        "Own.start() yields https://site.test/?token=*** without a callback, and there is no method parse(self, "
        "response): define it, or name a callback: Request(url, self.parse_page)"
    )
    check_callbacks(spider, [bare.replace(callback="parse_page")])
    check_callbacks(spider, [bare.replace(errback="explain")])
    assert needs_callbacks(spider, [spider])
    spider.parse = spider.parse_page
    assert not needs_callbacks(spider, [spider])


def test_a_plugin_that_deals_with_requests_may_make_a_callback_needless() -> None:
    assert not needs_callbacks(Own(), [Stored()])


class Numbered(Spider):
    """Its callback has an argument, which only a request can have."""

    def parse(self, response: Response, number: int) -> Produced:  # type: ignore[override]
        yield {"number": number}


async def test_requests_of_a_start_method_may_have_arguments_for_parse() -> None:
    class Own(Numbered):
        def start(self) -> Produced:
            yield Request("https://site.test/", cb_kwargs={"number": 3})

    found = await collect(Own(), FakeSite({"/": "x"}))
    assert found.items == [{"number": 3}]


async def test_start_urls_have_no_arguments_for_parse() -> None:
    spider = Numbered(start_urls=["https://site.test/"])
    message = r"Numbered.parse\(\) cannot be called: missing a required argument: 'number'; write def parse\("
    with pytest.raises(ConfigError, match=message):
        await collect(spider, FakeSite({"/": "x"}))
