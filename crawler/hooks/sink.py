"""`Sink`: the base class of outputs, plugins that store items."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import trio

from crawler.hooks.plugin import Plugin

if TYPE_CHECKING:
    from pathlib import Path

    from crawler.messages import Row

__all__ = ["Held", "Sink", "call_sink"]


@attrs.frozen(repr=False)
class Held:
    """Result of `Sink.persist` that holds back some rows, which are not stored yet.

    A sink whose files are written as a whole, such as Parquet, collects the rows of a file first. After a restart the
    rows that were held come again.
    """

    rows: int
    """Number of rows that are held, of this batch and those before: the last ones that came."""
    position: Any = None
    """The position after the rows that are stored."""


class Sink(Plugin):
    """Base class of outputs: override `persist`, which gets the committed items in batches.

    Items arrive in commit order. A batch comes again if `persist` raised, and in a resumed job if the process died
    before the position of the batch was kept. There are two ways to store each item exactly once: write under
    ``row.key``, which never changes its item, or cut off everything after `position` when the crawl starts.

    **An output for ``-o``** is a sink whose distribution names it in the entry-point group ``crawler.outputs``, under
    a file extension or the scheme of a URL::

        [project.entry-points."crawler.outputs"]
        ".parquet" = "crawler_plugins.outputs.parquet:Parquet"
        "postgresql" = "crawler_plugins.outputs.postgresql:PostgreSQL"

    Its constructor gets the place, which is its first parameter: a `Path` for an extension, the URL as text for a
    scheme. The query (``items.parquet?max_rows=1000``, ``postgresql://host/db?table=quotes``) holds the other
    arguments, converted by their annotations. If it has parameters of these names, it also gets ``if_exists``
    (``error``, ``overwrite`` or ``append``) and ``job``, the folder of the durable job or `None`. A `ConfigError` of
    the constructor ends the command before the first request. The module must be importable without the package that
    it needs (`requires`): import that package in `lifespan` or `persist`.

    `crawler.sinks` has base classes: `FileSink` writes formats that can be cut after any item. A sink that can only
    write whole files or objects collects rows, returns `Held` from `persist`, and writes the rest in `flush`.
    """

    url_options: ClassVar[frozenset[str]] = frozenset()
    """Names in the query of a URL that are not arguments: they stay in the URL."""
    resumes: bool = False
    """Whether an earlier run of the same job has called `persist`. Set before `lifespan`."""
    position: Any = None
    """The last result of `persist` that the job has kept, a JSON value; `None` in a new job. Set before `lifespan`,
    which may set another one: the job keeps it before the first item is stored."""
    behind: int = 0
    """Number of committed items that it has not stored, the last ones. Set when the crawl has ended."""
    shared_job: str = ""
    """The name that was drawn for the job, if several workers may share it; otherwise empty. Set before everything
    else. All workers of a job write to one place, which only the first one may find empty or has to empty."""
    gather: float = 0.0
    """Seconds for which items are collected for the next batch, so that batches are large."""

    def divide(self, part: int) -> None:
        """Write to a part of the output that no other worker writes to, if several of them share the crawl.

        Called before everything else, and only then. `name` must stay: it is the same for all parts. The default does
        nothing, which suits outputs that store each item under its key.

        Parameters:
            part: Number of the part, which is a different one for each worker.

        Raises:
            ConfigError: The output cannot be written in parts.
        """

    def cut_part(self, part: int, position: Any, claimed: Callable[[Path], bool]) -> None:
        """Cut the part of a lost worker after its last position: others have the items there.

        Called after `divide`, on the machine of any worker. The default does nothing, as that of `divide`.

        Parameters:
            part: Number of the part.
            position: The last position that the job has kept of it.
            claimed: Returns whether another output of that worker wrote a file.
        """

    def claims(self, path: Path, part: int, position: Any) -> bool:
        """Return whether a lost worker wrote a file as its part of this output. See `cut_part`."""
        return False

    def check(self) -> None:
        """Check that the output can be written, before a job that does not know it begins to write it.

        Raises:
            ConfigError: It cannot.
        """

    def verify(self, rows: Callable[[], Iterator[Row]]) -> None:
        """Check that the output is as the job left it at `position`.

        Parameters:
            rows: Iterates over the rows that may have been stored after `position`, in order.

        Raises:
            JobError: Items that the job has stored are missing or have been changed.
        """

    def is_remnant(self, rows: Callable[[], Iterator[Row]]) -> bool:
        """Return whether a crash of the system explains why `verify` refuses the output: nobody else has changed it.

        Parameters:
            rows: Iterates over the items that the job has written to it.
        """
        return False

    async def rewrite(self, rows: Callable[[], Iterator[Row]]) -> tuple[Any, str]:
        """Write an output that `verify` refuses again, and keep what it held beside it.

        Parameters:
            rows: Iterates over the items that the job has written to it.

        Returns:
            The position after them, and what the log says.
        """
        raise NotImplementedError

    def sync(self) -> None:
        """Wait until everything stored survives a power failure. Called in a thread before the job relies on it."""

    def flush(self) -> Any:
        """Store what `persist` holds back, after the last batch, and return the position. May be an ``async def``."""
        return self.position


async def call_sink(method: Callable[..., Any], *args: Any, limiter: trio.CapacityLimiter | None = None) -> Any:
    """Call `persist` or `flush`, in a worker thread if it is a plain function, and return its result.

    A cancelled call does not wait for its thread. A mock clock would jump ahead while all tasks wait for a thread: with
    one, a plain function is called in place.
    """
    if inspect.iscoroutinefunction(method):
        return await method(*args)
    if hasattr(trio.lowlevel.current_clock(), "autojump_threshold"):
        return method(*args)
    # in a tuple: trio refuses a coroutine with a message that does not name the sink
    (result,) = await trio.to_thread.run_sync(lambda: (method(*args),), abandon_on_cancel=True, limiter=limiter)
    return result
