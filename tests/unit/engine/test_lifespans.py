"""`lifespan`: the errors of lifespans name their plugin, those of the crawl pass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from support.trees import Follow
from trio.testing import MockClock

from crawler import ConfigError, CrawlFailed, Plugin, PluginError
from crawler.testing import FakeSite, Page, collect

SITE = {"/": Page("x", delay=10)}


class Nursery(Plugin):
    """Opens a nursery around the crawl, as many plugins do."""

    @asynccontextmanager
    async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.work)
            yield
            nursery.cancel_scope.cancel()

    async def work(self) -> None:
        await trio.sleep_forever()


async def test_a_task_of_a_lifespan_that_fails_is_named(autojump_clock: MockClock) -> None:
    class Broken(Nursery):
        async def work(self) -> None:
            await trio.sleep(1)
            raise OSError("no port")

    with pytest.raises(CrawlFailed, match=r"^broken.lifespan failed: OSError: no port$"):
        await collect(Follow(), FakeSite(SITE), plugins=[Nursery(), Broken()])


@pytest.mark.parametrize("kind", [ConfigError, PluginError])
async def test_an_error_of_the_configuration_stays_one_inside_of_a_nursery(
    autojump_clock: MockClock, kind: type[Exception]
) -> None:
    class Picky(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            raise kind("picky: no such table")
            yield

    with pytest.raises(kind, match=r"^picky: no such table$"):
        await collect(Follow(), FakeSite(SITE), plugins=[Nursery(), Picky()])


async def test_an_error_at_the_end_is_named(autojump_clock: MockClock) -> None:
    class Late(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            yield
            raise ExceptionGroup("two", [ValueError("late"), OSError()])

    with pytest.raises(CrawlFailed, match=r"^late.lifespan failed: ValueError: late$"):
        await collect(Follow(), FakeSite(SITE), plugins=[Nursery(), Late()])


async def test_a_crawl_that_fails_is_not_blamed_on_a_lifespan(autojump_clock: MockClock) -> None:
    class Broken(Follow):
        def start(self) -> Any:
            raise OSError("no seeds")

    with pytest.raises(CrawlFailed, match=r"^OSError: no seeds$"):
        await collect(Broken(), FakeSite(SITE), plugins=[Nursery()])


async def test_a_generator_that_does_not_yield_once_is_named(autojump_clock: MockClock) -> None:
    class Never(Plugin):
        @asynccontextmanager
        async def lifespan(self, crawl: Any) -> AsyncIterator[None]:
            if crawl is None:
                yield

    with pytest.raises(CrawlFailed, match=r"^never.lifespan failed: RuntimeError: generator didn't yield$"):
        await collect(Follow(), FakeSite(SITE), plugins=[Never()])
