"""`crawl_items`: the items of a small crawl in one line, in a script, in IPython and in Jupyter."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import trio

from crawler.engine.api import crawl, run
from crawler.engine.report import Report
from crawler.hooks.plugin import Plugin
from crawler.limits.registry import Limits
from crawler.messages import Item, Row
from crawler.settings import Settings
from crawler.spiders import Spider

if TYPE_CHECKING:
    import httpx

__all__ = ["Items", "crawl_items"]


class Items(list[Item]):
    """The items of a crawl in the order of their commits, and its report. ``await`` returns the list itself."""

    def __init__(self, items: Iterable[Item], report: Report) -> None:
        super().__init__(items)
        self.report = report
        """The report of the crawl."""

    def __await__(self) -> Generator[Any, Any, Self]:
        """Return the items: a notebook may await a crawl that has ended."""
        return self
        yield


class _Collector(Plugin):
    """Keeps the items in memory."""

    name = "items"

    def __init__(self) -> None:
        self.items: list[Item] = []

    async def persist(self, batch: Sequence[Row]) -> None:
        self.items += [row.value for row in batch]


def crawl_items(
    spider: Spider,
    *,
    settings: Settings | None = None,
    plugins: Sequence[Plugin] = (),
    transport: httpx.AsyncBaseTransport | None = None,
    limits: Limits | None = None,
) -> Items:
    """Run a crawl to its end and return its items, a list with the attribute `report`. They must fit into memory.

    It blocks, as `run` does, whether an event loop of asyncio runs or not; ``await crawl_items(spider)`` works as well.
    In a trio program ``await`` is needed, and other tasks run meanwhile. After Ctrl-C the items so far are returned.

    Parameters and errors are those of `crawl`.
    """
    collector = _Collector()
    every = [*plugins, collector]
    if trio.lowlevel.in_trio_run():
        return cast("Items", _crawl_items(spider, settings, every, collector, transport, limits))
    report = run(spider, settings=settings, plugins=every, transport=transport, limits=limits)
    return Items(collector.items, report)


async def _crawl_items(
    spider: Spider,
    settings: Settings | None,
    plugins: Sequence[Plugin],
    collector: _Collector,
    transport: httpx.AsyncBaseTransport | None,
    limits: Limits | None,
) -> Items:
    report = await crawl(spider, settings=settings, plugins=plugins, transport=transport, limits=limits)
    return Items(collector.items, report)
