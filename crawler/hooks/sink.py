"""`Sink`: the base class of outputs, plugins that store items."""

from __future__ import annotations

from typing import Any

from crawler.hooks.plugin import Plugin

__all__ = ["Sink"]


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
