"""`Sink`: the base class of outputs, plugins that store items."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import trio

from crawler.hooks.plugin import Plugin

if TYPE_CHECKING:
    from crawler.messages import Row

__all__ = ["Sink", "call_persist"]


class Sink(Plugin):
    """Base class of outputs: override `persist`, which gets the committed items in batches.

    Items arrive in commit order. A batch comes again if `persist` raised, and in a resumed job if the process died
    before the position of the batch was kept. There are two ways to store each item exactly once: write under
    ``row.key``, which never changes its item, or cut off everything behind `position` when the crawl starts.
    """

    resumes: bool = False
    """Whether an earlier run of the same job has called `persist`. Set before `lifespan`."""
    position: Any = None
    """The last result of `persist` that the job has kept, a JSON value; `None` in a new job. Set before `lifespan`,
    which may set another one: the job keeps it before the first item is stored."""


async def call_persist(sink: Plugin, batch: Sequence[Row], limiter: trio.CapacityLimiter | None = None) -> Any:
    """Call `persist`, in a worker thread if it is a plain function, and return its result.

    A cancelled call does not wait for its thread.

    Parameters:
        sink: The plugin.
        batch: Committed items.
        limiter: Bounds the number of threads; `None` means the limit of trio.
    """
    if inspect.iscoroutinefunction(sink.persist):
        return await sink.persist(batch)
    return await trio.to_thread.run_sync(sink.persist, batch, abandon_on_cancel=True, limiter=limiter)
