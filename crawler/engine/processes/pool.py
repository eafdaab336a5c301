"""`ProcessPool`: sends the pages of a crawl to the processes that run callbacks, and receives their results.

The processes hold nothing that the crawl cannot lose: a page is in the memory of the first process until its results
are, so a process that ends is replaced, and its pages are handled again.
"""

from __future__ import annotations

import itertools
import signal
from collections import deque
from collections.abc import Callable, Container
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec
import trio
import trio_util
from msgspec import Struct, field

from crawler.engine.processes import wire
from crawler.engine.processes.channel import Channel
from crawler.engine.processes.errors import pack_error, unpack_error
from crawler.engine.processes.items import unpack_items
from crawler.engine.processes.log_records import emit
from crawler.engine.shutdown import LAST
from crawler.errors import ConfigError, CrawlFailed, HookError
from crawler.hooks.page_effects import MISSING
from crawler.logs import get_logger
from crawler.messages import Response, Retry

if TYPE_CHECKING:
    from crawler.engine.handler_results import PageResult
    from crawler.engine.processes.attributes import Attributes
    from crawler.engine.processes.launcher import Ended, Launcher
    from crawler.hooks.state import State
    from crawler.spiders import Spider

__all__ = ["ProcessPool"]

MAX_DEATHS: Final = 5
"""Processes that may end while they have a page. Then the page fails, since its callback may be the reason."""
MAX_USELESS: Final = 10
"""Processes that may end one after the other without a handled page. Then the crawl fails."""
NAMES: Final = {int(number): number.name for number in signal.Signals}
"""Names of signals by their numbers."""
log = get_logger("crawler.engine")


class _Page(Struct, eq=False):
    """A page that a process has."""

    response: Response
    messages: deque[Any] = field(default_factory=deque)
    """Those about the page that its task has not taken. `None` says that the process has ended."""
    arrived: trio.Event = field(default_factory=trio.Event)

    def put(self, message: Any) -> None:
        """Add a message, and wake the task of the page."""
        self.messages.append(message)
        self.arrived.set()

    async def take(self) -> Any:
        """Return the next message."""
        while not self.messages:
            await self.arrived.wait()
            self.arrived = trio.Event()
        return self.messages.popleft()


class _Process(Struct, eq=False):
    """A process that runs callbacks."""

    channel: Channel
    calls: Channel
    """For calls that block the process."""
    pid: int = 0
    """0 until it is ready."""
    pages: dict[int, _Page] = field(default_factory=dict)
    """By number."""
    fresh: list[tuple[int, list[str]]] = []
    """See `wire.Page.fresh`; sent with the next page."""


class ProcessPool:
    """Runs callbacks in several processes.

    Parameters:
        launcher: Starts the processes.
        count: Number of processes.
        spider: That of the first process.
        attributes: Those that the spider had when the launcher was forked.
        state: The state of the spider.
        known: Returns the keys of requests that are known.
    """

    def __init__(
        self,
        launcher: Launcher,
        count: int,
        spider: Spider,
        attributes: Attributes,
        state: State,
        known: Callable[[], Container[str]],
    ) -> None:
        self._launcher = launcher
        self._count = count
        self._spider = spider
        self._attributes = attributes
        self._state = state
        self._known = known
        self._processes: list[_Process] = []
        self._ready = trio_util.RepeatedEvent()
        self._numbers = itertools.count(1)
        self._again = trio.Lock()
        self._useless = 0
        self._version = 0
        self._changed_at: dict[str, int] = {}
        self._running: set[int] = set()
        self._noted = trio_util.RepeatedEvent()
        self._end_of: dict[int, str] = {}
        self._last_end = ""
        self.cpu_seconds = 0.0
        """CPU seconds of the processes that have ended."""

    # ---- pages -------------------------------------------------------------------------------------------------------

    async def handle(self, response: Response, result: PageResult, forget: Callable[[], None]) -> None:
        """Run the callback of a page in one of the processes.

        Parameters:
            response: The page.
            result: Gets what the callback makes of it.
            forget: Called before the page is handled again: forgets what it has moved to the store.

        Raises:
            HookError: The processes that had the page have ended.
            Exception: What the callback raised.
        """
        deaths = 0
        process, message = await self._try(response, result)
        while True:
            if isinstance(message, wire.Raised):
                raise unpack_error(message.error)
            if message is not None and not self._is_outdated(message.reads):
                return self._fill(response, result, message, process)
            result.items, result.encoded, result.requests, result.repeats = [], [], [], 0
            forget()
            deaths += message is None
            if deaths == MAX_DEATHS:
                self._useless = 0  # the page is the reason
                request = response.request
                raise HookError(
                    f"{deaths} processes ended while they handled the page ({self._last_end})",
                    plugin=self._spider.name,
                    hook=request.callback or "parse",
                    request=request,
                    is_callback=True,
                )
            async with self._again:  # one at a time: of the pages that share values, one has the latest ones then
                process, message = await self._try(response, result)

    async def _try(self, response: Response, result: PageResult) -> tuple[_Process, wire.Handled | wire.Raised | None]:
        """Return a process, and what it makes of a page; `None` if it has ended."""
        while not any(process.pid for process in self._processes):
            await self._ready.wait()
        process = min((one for one in self._processes if one.pid), key=lambda one: len(one.pages))
        number, page = next(self._numbers), _Page(response)
        process.pages[number] = page
        self._attributes.warn("start() or a hook", log)
        process.channel.send(wire.pack_response(number, response, process.fresh))
        process.fresh = []
        message: Any = None
        try:
            message = await page.take()
            if isinstance(message, (wire.Part, wire.Call)):
                message = await self._converse(process, page, message, result)
        finally:
            del process.pages[number]
            if message is None:
                process.channel.send(wire.Cancel(number))
        return process, message

    async def _converse(self, process: _Process, page: _Page, message: Any, result: PageResult) -> Any:
        """Do what a callback asks for until it has ended, and return its last message."""
        raised: Exception | None = None
        async with trio.open_nursery() as nursery:
            try:
                while isinstance(message, (wire.Part, wire.Call)):
                    if isinstance(message, wire.Call):
                        nursery.start_soon(self._answer, process, message)
                    else:
                        await self._store_part(result, message)
                        process.channel.send(wire.Continue(message.number))
                    message = await page.take()
            except Exception as error:  # it must not become a group
                raised = error
            nursery.cancel_scope.cancel(reason="the callback has ended")
        if raised is not None:
            raise raised
        return message

    async def _store_part(self, result: PageResult, part: wire.Part) -> None:
        self._add_part(result, part)
        if result.spill is not None:
            await result.spill(result)

    async def _answer(self, process: _Process, call: wire.Call) -> None:
        """Call a method of the crawl for a callback, in the task of its page."""
        try:
            arguments, options = wire.unpack(call.arguments)
            value = await getattr(self._spider.crawl, call.name)(*arguments, **options)
            if isinstance(value, Response):
                value = wire.pack_response(0, value), value.wire
            answer = wire.Answer(call.call, wire.pack(value), False)
        except Exception as error:
            answer = wire.Answer(call.call, pack_error(error), True)
        process.channel.send(answer)

    def _fill(self, response: Response, result: PageResult, message: wire.Handled, process: _Process) -> None:
        """Make a message the result of a callback."""
        effects = result.effects
        fresh: list[str] = []
        self._add_part(result, message.part, fresh)
        process.fresh.append((message.part.number, fresh))
        response._filter.repeats += message.repeats  # noqa: SLF001 - as `follow_all` does
        response._filter.refused += message.refused  # noqa: SLF001
        result.retry = None if message.retry is None else Retry(message.retry[0], after=message.retry[1])
        effects.counters = message.counters
        if message.added:
            effects.added, repeats = wire.unpack_requests(message.added, self._known())
            result.repeats += repeats
        if message.state:
            effects.state[self._state.owner] = {
                key: (MISSING if data is None else msgspec.json.decode(data), MISSING)
                for key, data in message.state.items()
            }

    def _add_part(self, result: PageResult, part: wire.Part, fresh: list[str] | None = None) -> None:
        unpack_items(part, result)
        requests, repeats = wire.unpack_requests(part.requests, self._known(), fresh)
        result.requests += requests
        result.repeats += repeats

    # ---- the state of the spider -------------------------------------------------------------------------------------

    def _is_outdated(self, reads: dict[str, int]) -> bool:
        """Return whether a callback has read a value of the state that another page has changed meanwhile."""
        for key, version in reads.items():
            if version < (self._version if key == wire.ALL_KEYS else self._changed_at.get(key, 0)):
                return True
        return False

    def _changed(self, changed: dict[str, Any]) -> None:
        """Send changes of the state to all processes."""
        self._version += 1
        self._changed_at |= dict.fromkeys(changed, self._version)
        packed = {key: None if data is MISSING else data for key, data in changed.items()}
        for process in self._processes:
            process.channel.send(wire.StateChange(self._version, packed))

    # ---- processes ---------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the processes running until this is cancelled; then let them end.

        Raises:
            ConfigError: A lifespan has given the spider an attribute that the processes do not have.
            CrawlFailed: The processes end again and again.
        """
        added = self._attributes.added()
        if added:
            raise ConfigError(
                f"setting processes: the lifespan of a plugin or spider has set {type(self._spider).__name__}."
                f"{added[0]}, which callbacks in other processes do not have: set processes=1"
            )
        self._state.on_change = self._changed
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch)
                for _ in range(self._count):
                    nursery.start_soon(self._keep_one)
                task_status.started()
        finally:
            self._state.on_change = None
            with trio.move_on_after(LAST, shield=True), suppress(EOFError):  # noqa: ASYNC912 - if a process runs
                while self._running:
                    self._note(await self._launcher.ended())

    async def _watch(self) -> None:
        """Note which processes end."""
        try:
            while True:
                self._note(await self._launcher.ended())
        except EOFError as error:
            raise CrawlFailed("the process that starts the others was killed") from error

    def _note(self, ended: Ended) -> None:
        self._running.discard(ended.pid)
        self.cpu_seconds += ended.cpu_seconds
        name = NAMES.get(-ended.code, f"signal {-ended.code}")
        self._end_of[ended.pid] = f"exit code {ended.code}" if ended.code >= 0 else f"killed by {name}"
        self._noted.set()

    async def _keep_one(self) -> None:
        """Run one process after the other."""
        while self._useless < MAX_USELESS:
            await self._run_one()
        raise CrawlFailed(f"the processes that run callbacks end again and again ({self._last_end})")

    async def _run_one(self) -> None:
        """Run one process until it ends, or until this is cancelled."""
        channel, calls = self._launcher.launch()
        process = _Process(Channel(channel, wire.FROM_OTHER), Channel(calls, wire.FROM_OTHER))
        values: dict[str, bytes | None] = {
            key: msgspec.json.encode(value) for key, value in self._state.values_now.items()
        }
        process.channel.send(wire.StateChange(self._version, values))
        self._processes.append(process)
        try:
            async with trio.open_nursery() as nursery:
                for each in (process.channel, process.calls):
                    nursery.start_soon(each.run_writer)
                nursery.start_soon(self._serve_calls, process)
                await self._read(process)
                nursery.cancel_scope.cancel(reason="the process has ended")
            await self._lose(process)
        finally:
            self._processes.remove(process)
            process.channel.send(wire.Stop())
            with trio.move_on_after(LAST, shield=True):
                await self._read(process)  # it may log something at its end
            process.channel.close()
            process.calls.close()

    async def _lose(self, process: _Process) -> None:
        """Let the pages of a process that has ended be handled by others."""
        pages, pid = len(process.pages), process.pid
        process.pid = 0
        self._useless += bool(pages or not pid)  # one that had nothing to do did nothing wrong
        for page in process.pages.values():
            page.put(None)
        with trio.move_on_after(1):  # noqa: ASYNC912 - if its end is not noted
            while pid and pid not in self._end_of:
                await self._noted.wait()
        self._last_end = self._end_of.get(pid, "before it was ready")
        log.warning(
            "a process that runs callbacks has ended (%s) and is replaced; pages that it had: %d", self._last_end, pages
        )

    async def _read(self, process: _Process) -> None:
        """Take the messages of a process until it ends."""
        while messages := await process.channel.receive():
            for message in messages:
                match message:
                    case wire.Handled():
                        self._useless = 0
                        self._put(process, message.part.number, message)
                    case wire.Log():
                        emit(message.record)
                    case wire.Ready(pid):
                        process.pid = pid
                        self._running.add(pid)
                        self._ready.set()
                    case _:
                        self._put(process, message.number, message)

    @staticmethod
    def _put(process: _Process, number: int, message: Any) -> None:
        page = process.pages.get(number)
        if page is not None:  # else nobody waits for it any more
            page.put(message)

    async def _serve_calls(self, process: _Process) -> None:
        """Answer the calls for which a process waits without doing anything else."""
        while messages := await process.calls.receive():
            for call in messages:
                try:
                    answer = wire.Answer(call.call, wire.pack(self._look_up(process, call)), False)
                except Exception as error:
                    answer = wire.Answer(call.call, pack_error(error), True)
                process.calls.send(answer)

    def _look_up(self, process: _Process, call: wire.Call) -> Any:
        """Return an attribute of the crawl, or the result of a method."""
        (arguments, options), crawl = wire.unpack(call.arguments), self._spider.crawl
        if call.name == "wire":
            return process.pages[call.number].response.wire
        if call.name == "statistics":
            now = crawl.statistics()
            return attrs.evolve(now, limits=dict(now.limits), lanes=dict(now.lanes), outages=dict(now.outages))
        found = getattr(crawl, call.name)
        return found(*arguments, **options) if callable(found) else found
