"""Plugins and spiders that are given to a crawl: which are refused, and what each has of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.trees import FREE, LINKS, Follow
from trio.testing import MockClock

from crawler import (
    ConfigError,
    Plugin,
    PluginError,
    Produced,
    Request,
    Response,
    Row,
    Settings,
    Spider,
    crawl,
)
from crawler.testing import FakeSite, collect


async def test_bad_plugins_are_refused_before_the_first_request(autojump_clock: MockClock) -> None:
    class Typo(Plugin):
        async def presist(self, batch: Sequence[Row]) -> None: ...

    class NotAsync(Plugin):
        def refine(self, item: Any, response: Response) -> Any: ...  # type: ignore[override]

    site = FakeSite(LINKS)
    for plugins, message in (
        ([Typo()], r"Typo.presist\(\) is not a hook \(did you mean persist\(\)\?\)"),
        ([NotAsync()], r"NotAsync.refine\(\) must be `async def`"),
        ([Plugin(), Plugin()], "two plugins have the name"),
        ([Plugin], "is a class: pass an instance, Plugin"),
    ):
        with pytest.raises(PluginError, match=message):
            await collect(Follow(), site, plugins=plugins)  # type: ignore[arg-type]
    assert site.log == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"settings": {"delay": 1}}, "settings must be a Settings object, as in Settings"),
        ({"plugins": 5}, "plugins must be a list, not 5"),
        ({"plugins": Plugin()}, "plugins must be a list, not <"),
        ({"outputs": "items.jsonl"}, "outputs must be a list, not 'items.jsonl'"),
        ({"outputs": [5]}, "an output is the name of a file or a plugin, not 5"),
        ({"job": 5}, "job must be the name of a folder or a URL, not 5"),
        ({"transport": 5}, "transport must be an httpx.AsyncBaseTransport, not 5"),
    ],
)
async def test_arguments_of_a_wrong_type_are_rejected_by_name(
    autojump_clock: MockClock, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        await crawl(Follow(), **given)


async def test_a_spider_has_its_own_plugins_and_settings(autojump_clock: MockClock) -> None:
    class Mark(Plugin):
        async def refine(self, item: Any, response: Response) -> Any:
            return item | {"marked": True}

    class Brings(Follow):
        plugins = [Mark()]
        settings = Settings(max_depth=0)

    found = await collect(Brings(), FakeSite(LINKS))
    assert found.items == [{"url": "https://site.test/", "marked": True}]


@pytest.mark.parametrize("spider", [Follow, "spider", None])
async def test_an_object_that_is_not_a_spider_is_rejected(autojump_clock: MockClock, spider: Any) -> None:
    with pytest.raises(ConfigError, match="not a spider"):
        await crawl(spider)


async def test_requests_may_be_added_outside_callbacks(autojump_clock: MockClock) -> None:
    class Feed(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            crawl.add(Request("https://site.test/a"))
            yield

    found = await collect(Follow(), FakeSite(LINKS), plugins=[Feed()], settings=Settings(max_depth=0))
    assert sorted(item["url"] for item in found.items) == ["https://site.test/", "https://site.test/a"]


async def test_each_plugin_has_its_own_state(autojump_clock: MockClock) -> None:
    class One(Plugin):
        def parse(self, response: Response) -> Produced:
            self.state["n"] = self.state.get("n", 0) + 1

    class Two(One):
        def parse(self, response: Response) -> Produced:
            self.state["n"] = 10

    one, two = One(), Two()
    await collect(Follow(), FakeSite(LINKS), plugins=[one, two])
    assert (one.state["n"], two.state["n"]) == (3, 10)


async def test_a_misspelt_hook_of_a_spider_is_warned_about(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Typo(Follow):
        async def presist(self, batch: Sequence[Row]) -> None: ...

    await collect(Typo(), FakeSite({"/": "x"}))
    assert "did you mean persist()?" in caplog.text


def test_a_spider_is_a_plugin() -> None:
    assert issubclass(Spider, Plugin)
    assert FREE.obey_robots is False
