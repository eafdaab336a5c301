"""`SinkRunner`: each sink is a task of its own that reads the item log, so it sees committed items only.

The writer waits while a sink lags too far behind. A sink that fails gets its batch again after a pause; then the crawl
fails.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio
from msgspec import Struct, field

from crawler.engine.handler_results import describe_error, describe_wrong
from crawler.engine.hook_errors import faults
from crawler.engine.inline import in_sink
from crawler.errors import CrawlFailed, JobError
from crawler.files import full_disk_cause
from crawler.frontier.wakeup import Wakeup
from crawler.hints import ROW, hint_for
from crawler.hooks.sink import Held, Sink, call_sink
from crawler.hooks.table import Hook
from crawler.logs import get_logger, user_frames
from crawler.sinks.file_sink import FileSink
from crawler.sinks.position import Position

if TYPE_CHECKING:
    from crawler.engine.shutdown import Shutdown
    from crawler.messages import Row
    from crawler.store import Store

__all__ = ["SinkRunner", "keep_positions", "restore_positions"]

BATCH_ITEMS: Final = 1000
"""Items in one call of `persist`, at most: a batch that fails is stored once more, and is in memory until then."""
MISTAKES: Final = (TypeError, LookupError, AttributeError, NameError)
"""What a mistake in the code of a sink raises: calling it again would raise the same."""
LEAVE_SECONDS: Final = 0.05
"""Seconds that a cancelled sink has before the crawl ends without it: one that awaits needs a step of the loop."""
log = get_logger("crawler.engine")


async def restore_positions(hooks: Sequence[Hook], store: Store) -> int:
    """Set `resumes` and `position` of each sink, and return by how many items the slowest of them lags."""
    behind = 0
    plugins: list[Any] = [hook.plugin for hook in hooks]  # any plugin may have the hook; `Sink` names the attributes
    sinks = [plugin for plugin in plugins if isinstance(plugin, Sink)]
    await _adopt_outputs([sink for sink in sinks if isinstance(sink, FileSink)], store)
    for sink in sinks:
        if not store.follows(sink.name):
            sink.check()  # before the job claims the output
    for plugin in plugins:
        plugin.resumes = store.follows(plugin.name)
        cursor, plugin.position = await store.follow(plugin.name)
        behind = max(behind, store.logged - cursor)
    torn: list[Sink] = []
    for sink in sinks:
        if sink.resumes:
            try:
                sink.verify(partial(store.written_behind, sink.name))
            except JobError:
                if not store.crashed or not sink.is_remnant(partial(store.written_before, sink.name)):
                    raise
                torn.append(sink)
        store.sync_with(sink.sync)
    for sink in torn:  # after all checks
        cursor, _ = await store.follow(sink.name)
        sink.position, said = await sink.rewrite(partial(store.written_before, sink.name))
        await store.advance(sink.name, cursor, sink.position)
        await store.commit([])
        log.warning("the system went down during the last run of the job: %s", said)
    return behind


async def _adopt_outputs(files: Sequence[FileSink], store: Store) -> None:
    """Let each file continue the output of the job that it is, wherever job and files have been moved.

    A file that holds what the job wrote to an output is that output, above all if it lies at the same place seen from
    the folder of the job. Otherwise the place decides, then the name.
    """
    known = {name: position for name, position in store.sinks().items() if position is not None}
    pairs = []
    for file in files:
        for name, stored in known.items():
            if not name.startswith(f"{type(file).name}:"):
                continue
            position = Position.of(stored)
            same_place = position.place == file.place != ""
            holds = file.holds(position, (row.data for row in store.written_behind(name)))
            rank = (holds, same_place, name == file.name)
            if any(rank):
                pairs.append((rank, position.end, name, file))
    names: dict[str, str] = {}
    found: set[str] = set()
    for _, _, name, file in sorted(pairs, key=lambda pair: pair[:2], reverse=True):
        if name not in names and file.name not in found:
            names[name] = file.name
            found.add(file.name)
    moved = {old: new for old, new in names.items() if old != new}
    if moved:
        await store.rename_sinks(moved)


async def keep_positions(hooks: Sequence[Hook], store: Store) -> None:
    """Commit the position at which each new sink begins, before it stores an item, and make a checkpoint of it."""
    changed = False
    plugins: list[Any] = [hook.plugin for hook in hooks]
    for plugin in plugins:
        cursor, kept = await store.follow(plugin.name)
        if kept is None and plugin.position is not None:
            await store.advance(plugin.name, cursor, plugin.position)
            changed = True
    if changed:
        await store.commit([])
    await store.checkpoint()


class _Sink(Struct, eq=False):
    """One sink and where it stands."""

    hook: Hook
    cursor: int
    """Items of the log that it has received."""
    thread: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(1))
    """Allows a blocking `persist` one thread at a time."""

    position: Any = None
    """The last result of `persist`."""

    @property
    def stored(self) -> int:
        """Items of the log that it has received and does not hold back."""
        return self.cursor - (self.position.rows if isinstance(self.position, Held) else 0)

    @property
    def name(self) -> str:
        """The name of the plugin."""
        return self.hook.plugin.name

    @property
    def flush(self) -> Callable[[], Any] | None:
        """Stores what `persist` holds back; `None` if it never does."""
        plugin = self.hook.plugin
        return plugin.flush if isinstance(plugin, Sink) and type(plugin).flush is not Sink.flush else None


class SinkRunner:
    """The sinks of a crawl."""

    def __init__(
        self,
        hooks: Sequence[Hook],
        store: Store,
        shutdown: Shutdown,
        max_lag: int,
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        self._hooks = hooks
        self._store = store
        self._shutdown = shutdown
        self._max_lag = max_lag
        self._ready = ready
        self._sinks: list[_Sink] = []
        self._changed = Wakeup()
        self._complete = False
        self._waiting = False  # whether the writer waits for a sink

    def __bool__(self) -> bool:
        return bool(self._hooks)

    async def start(self, nursery: trio.Nursery) -> None:
        """Start a task for each sink."""
        for hook in self._hooks:
            cursor, position = await self._store.follow(hook.plugin.name)
            sink = _Sink(hook, cursor, position=position)
            self._sinks.append(sink)
            nursery.start_soon(self._run, sink, self._shutdown.outer or nursery)

    def finish(self) -> None:
        """Note in each output how many items it has not stored: a crawl that fails leaves some."""
        for sink in self._sinks:
            if isinstance(sink.hook.plugin, Sink):
                sink.hook.plugin.behind = self._store.logged - sink.stored

    def complete(self) -> None:
        """Mark the log as complete: each sink ends when it has read all of it."""
        self._complete = True
        self._changed.set()

    async def keep_up(self) -> None:
        """Wake the sinks, and wait while one lags by more than `max_lag` items."""
        self._changed.set()
        self._waiting = True
        try:
            while self._store.logged - min(sink.cursor for sink in self._sinks) > self._max_lag:
                await self._changed.wait()
        finally:
            self._waiting = False

    async def _run(self, sink: _Sink, outer: trio.Nursery) -> None:
        """Run a sink in a task that a stop can leave, since its threads may never return."""
        ended, scope = trio.Event(), trio.CancelScope(shield=True)
        raised: BaseException | None = None

        async def store() -> None:
            nonlocal raised
            try:
                with scope:
                    await self._store_items(sink)
            except BaseException as error:  # noqa: ASYNC103 - raised below, in the crawl
                raised = error
            ended.set()

        with self._shutdown.finishing():
            outer.start_soon(store)
            try:
                await ended.wait()
            finally:
                scope.cancel(reason="the crawl has ended")
                with trio.move_on_after(LEAVE_SECONDS, shield=True):
                    await ended.wait()
            if raised is not None:
                raise raised
        self._report_lag(sink)

    async def _store_items(self, sink: _Sink) -> None:
        in_sink.set(True)
        while True:
            seen = self._store.logged, self._complete  # before the read: the log may grow while it waits
            rows = await self._store.read(sink.cursor, BATCH_ITEMS)
            if rows:
                began = trio.current_time()
                await self._keep(sink, rows)
                await self._gather(sink, trio.current_time() - began)
            elif seen != (self._store.logged, self._complete):
                continue
            elif self._complete:
                await self._flush(sink)
                return
            else:
                await self._changed.wait()

    async def _keep(self, sink: _Sink, rows: list[Row]) -> None:
        """Store a batch, and keep its position in the job."""
        await self._ready()
        mine = [row for row in rows if not row.sinks or sink.name in row.sinks]
        position = await self._call(sink, partial(sink.hook.call, mine)) if mine else sink.position
        if len(mine) < len(rows) and sink.flush is not None:
            position = await self._call(sink, sink.flush)  # rows that are held are the last ones that came
        sink.cursor += len(rows)
        await self._advance(sink, position)
        self._changed.set()

    async def _flush(self, sink: _Sink) -> None:
        """Let a sink store what it holds, and keep its position in the job."""
        if sink.flush is not None:
            await self._advance(sink, await self._call(sink, sink.flush))

    async def _advance(self, sink: _Sink, position: Any) -> None:
        sink.position = position
        held = position.rows if isinstance(position, Held) else 0
        value = position.position if isinstance(position, Held) else position
        if inspect.isawaitable(value):
            message = describe_wrong(value, "a position: nothing was stored")
            raise CrawlFailed(f"{sink.name}.persist {message}")
        if not isinstance(held, int) or not 0 <= held <= sink.cursor:
            raise CrawlFailed(f"{sink.name}.persist holds {held!r} rows, of the {sink.cursor} that it has received")
        try:
            await self._store.advance(sink.name, sink.cursor - held, value)
        except (TypeError, UnicodeEncodeError) as error:
            raise CrawlFailed(
                f"{sink.name}.persist returned a position that cannot be written as JSON: {error}"
            ) from error

    async def _gather(self, sink: _Sink, took: float) -> None:
        """Let items gather for as long as the last batch took, so that a slow sink gets few large batches.

        A call of less than a millisecond costs less than the wait; after a quarter of a second, who watches the output
        would notice.
        """
        wanted: float = getattr(sink.hook.plugin, "gather", 0.0)
        until = trio.current_time() + max(wanted, 0.0 if took < 0.001 else min(took, 0.25))
        while trio.current_time() < until and not self._is_wanted(sink):
            with trio.move_on_at(until):
                await self._changed.wait()

    def _is_wanted(self, sink: _Sink) -> bool:
        """Return whether a sink must store its items now: a batch is full, the writer waits, or the crawl has ended."""
        return self._complete or self._waiting or self._store.logged - sink.cursor >= BATCH_ITEMS

    async def _call(self, sink: _Sink, method: Callable[[], Any]) -> Any:
        """Call `persist` or `flush`, again after a pause if it raises what an outage may cause."""
        for pause in (0.5, 1.0, 2.0, 4.0, None):
            try:
                return await call_sink(method, limiter=sink.thread)
            except CrawlFailed:
                raise  # the sink itself says that another call is of no use
            except MISTAKES as error:
                log.error("%s.persist raised:", sink.name, exc_info=user_frames(error) or error)
                hint = "" if hint_for(error) else f" ({ROW})"
                raise CrawlFailed(f"{sink.name}.persist cannot store items: {describe_error(error)}{hint}") from error
            except faults() as error:
                if pause is None or full_disk_cause(error) is not None:
                    raise CrawlFailed(f"{sink.name}.persist cannot store items: {describe_error(error)}") from error
                log.warning("%s.persist failed (%s), retrying in %g s", sink.name, describe_error(error), pause)
            await trio.sleep(pause)
        raise AssertionError  # the last turn of the loop returns or raises

    def _report_lag(self, sink: _Sink) -> None:
        """Log or raise how many items a sink did not store before the deadline of a stop."""
        behind = self._store.logged - sink.cursor
        if not behind:
            return
        if self._store.durable and self._shutdown.interrupted:
            log.warning("%s did not store the last %d items in time: the next run stores them", sink.name, behind)
        elif self._shutdown.reason == "cancelled":
            log.error("%s did not store the last %d items in time", sink.name, behind)
        else:
            raise CrawlFailed(f"{sink.name} did not store the last {behind} items in time")
