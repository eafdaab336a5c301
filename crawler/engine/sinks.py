"""Followers: each sink is a task of its own that follows the log of items, so it sees only what is true.

The writer waits when one is too far behind; one that fails is asked again after a while, then the crawl ends.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import trio
import trio_util

from crawler.engine.inline import in_sink
from crawler.errors import CrawlFailed
from crawler.hooks.table import Hook

if TYPE_CHECKING:
    from crawler.engine.crawl import RunningCrawl
    from crawler.messages import Row

__all__ = ["SinkRunner"]

BATCH: Final = 1000
"""Items in one call of `persist`."""
PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try of a `persist` that failed."""
log = logging.getLogger("crawler.engine")


class SinkRunner:
    """The sinks of a crawl.

    Parameters:
        crawl: the parts of the running crawl.
        hooks: the `persist` hooks.
    """

    def __init__(self, crawl: RunningCrawl, hooks: Sequence[Hook]) -> None:
        self._crawl = crawl
        self._hooks = hooks
        self._cursors: dict[str, int] = {}
        self._changed = trio_util.RepeatedEvent()
        self._complete = False

    def __bool__(self) -> bool:
        return bool(self._hooks)

    async def start(self, nursery: trio.Nursery) -> None:
        """Starts a task for each sink."""
        for hook in self._hooks:
            cursor, _ = await self._crawl.store.follow(hook.plugin.name)
            self._cursors[hook.plugin.name] = cursor
            nursery.start_soon(self._follow, hook)

    def complete(self) -> None:
        """The log grows no more: sinks end when they have reached its end."""
        self._complete = True
        self._changed.set()

    async def keep_up(self) -> None:
        """Wakes the sinks, and waits while one is more than `sink_lag` items behind."""
        self._changed.set()
        while self._crawl.store.logged - min(self._cursors.values()) > self._crawl.settings.sink_lag:
            await self._changed.wait()

    async def _follow(self, hook: Hook) -> None:
        store, name = self._crawl.store, hook.plugin.name
        in_sink.set(True)
        with self._crawl.shutdown.finishing():
            while True:
                cursor = self._cursors[name]
                rows = await store.read(cursor, BATCH)
                if rows:
                    position = await self._persist(hook, rows)
                    self._cursors[name] = cursor + len(rows)
                    try:
                        await store.advance(name, cursor + len(rows), position)
                    except (TypeError, UnicodeEncodeError) as error:
                        raise CrawlFailed(f"{name}.persist gave a position that is no JSON: {error}") from error
                    self._changed.set()
                elif self._complete:
                    return
                else:
                    await self._changed.wait()
        behind = store.logged - self._cursors[name]
        if behind and store.durable and self._crawl.shutdown.interrupted:
            log.warning("%s did not take the last %d items in time: it gets them in the next run", name, behind)
        elif behind and self._crawl.reason == "cancelled":
            log.error("%s did not take the last %d items in time", name, behind)
        elif behind:
            raise CrawlFailed(f"{name} did not take the last {behind} items in time")

    async def _persist(self, hook: Hook, rows: list[Row]) -> Any:
        """One call of `persist`, again after a while if it raises."""
        for pause in (*PAUSES, None):
            try:
                return await hook.call(rows)
            except CrawlFailed:
                raise  # it says itself that there is no use in asking again
            except Exception as error:
                if pause is None:
                    raise CrawlFailed(f"{hook.plugin.name} cannot keep items: {error}") from error
                log.warning(
                    "%s.persist failed (%s: %s), again in %g s", hook.plugin.name, type(error).__name__, error, pause
                )
            await trio.sleep(pause)
        raise AssertionError  # the last turn of the loop returns or raises
