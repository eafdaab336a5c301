"""`ProcessPool`: sends the pages of a crawl to the processes that run callbacks, and receives their results.

The processes hold nothing that the crawl cannot lose: a page is in the memory of the first process until its results
are, so a process that ends is replaced, and its pages are handled again.
"""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Callable, Container, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from crawler.engine.processes import wire
from crawler.engine.processes.call_server import CallServer
from crawler.engine.processes.errors import unpack_error
from crawler.engine.processes.items import unpack_items
from crawler.engine.processes.keeper import ProcessKeeper
from crawler.engine.processes.packing import unpack_requests
from crawler.engine.processes.process import Page, Process
from crawler.engine.processes.state_versions import StateVersions
from crawler.errors import ConfigError, HookError
from crawler.logs import get_logger
from crawler.messages import Response, Retry

if TYPE_CHECKING:
    from crawler.engine.handler_results import PageResult
    from crawler.engine.processes.attributes import Attributes
    from crawler.engine.processes.launcher import Launcher
    from crawler.hooks.state import State
    from crawler.spiders import Spider

__all__ = ["ProcessPool"]

MAX_DEATHS: Final = 5
"""Processes that may end while they have a page. Then the page fails, since its callback may be the reason."""
log = get_logger("crawler.engine")


class ProcessPool:
    """Runs callbacks in several processes.

    Parameters:
        launcher: Starts the processes.
        memories: Shared with the processes, one for each.
        spider: That of the first process.
        attributes: Those that the spider had when the launcher was forked.
        state: The state of the spider.
        known: Returns the keys of requests that are known.
    """

    def __init__(
        self,
        launcher: Launcher,
        memories: Sequence[mmap.mmap],
        spider: Spider,
        attributes: Attributes,
        state: State,
        known: Callable[[], Container[str]],
    ) -> None:
        self._spider = spider
        self._attributes = attributes
        self._state = state
        self._known = known
        self._versions = StateVersions(state)
        self._calls = CallServer(spider)
        self._keeper = ProcessKeeper(
            launcher,
            memories,
            self._versions,
            self._calls,
            partial(attributes.warn, "start() or a hook", log),
        )
        self._numbers = itertools.count(1)
        self._again = trio.Lock()

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
            if message is not None and not self._versions.is_outdated(message.reads):
                self._fill(response, result, message, process)
                return
            _clear(result, forget)
            deaths += message is None
            if deaths == MAX_DEATHS:
                self._keeper.useless = 0  # the page is the reason
                request = response.request
                raise HookError(
                    f"{deaths} processes ended while they handled the page ({self._keeper.last_end})",
                    plugin=self._spider.name,
                    hook=request.callback or "parse",
                    request=request,
                    is_callback=True,
                )
            async with self._again:  # one at a time: of the pages that share values, one has the latest ones then
                process, message = await self._try(response, result)

    async def _try(self, response: Response, result: PageResult) -> tuple[Process, wire.Handled | wire.Raised | None]:
        """Return a process, and its last message about a page; `None` if it has ended."""
        process = await self._keeper.choose()
        number = next(self._numbers)
        page = process.send(number, response, self._known())
        message: Any = None
        try:
            message = await self._result(process, page, result)
        finally:
            del process.pages[number]
            if message is None:
                process.channel.send(wire.Cancel(number))
        return process, message

    async def _result(self, process: Process, page: Page, result: PageResult) -> Any:
        """Return the last message about the callback of a page; `None` if its process has ended."""
        message = await page.take()
        if isinstance(message, (wire.Part, wire.Call)):
            message = await self._answer_messages(process, page, message, result)
        return message

    async def _answer_messages(self, process: Process, page: Page, message: Any, result: PageResult) -> Any:
        """Answer the messages of a callback until it has ended, and return the last one."""
        raised: Exception | None = None
        async with trio.open_nursery() as nursery:
            try:
                while isinstance(message, (wire.Part, wire.Call)):
                    if isinstance(message, wire.Call):
                        nursery.start_soon(self._calls.answer, process, message)
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

    def _fill(self, response: Response, result: PageResult, message: wire.Handled, process: Process) -> None:
        """Make a message the result of a callback."""
        effects = result.effects
        fresh: list[str] = []
        self._add_part(result, message.part, fresh)
        if message.part.requests:
            process.news.note(message.number, fresh)
            for other in self._keeper.processes if fresh else ():
                if other is not process:
                    other.news.hear(fresh)
        response._filter.repeats += message.repeats  # noqa: SLF001 - as `follow_all` does
        response._filter.refused += message.refused  # noqa: SLF001
        result.retry = None if message.retry is None else Retry(message.retry[0], after=message.retry[1])
        effects.counters = message.counters
        if message.added:
            effects.added, repeats = unpack_requests(message.added, self._known())
            result.repeats += repeats
        if message.state:
            effects.state[self._state.owner] = self._versions.effects(message.state)

    def _add_part(self, result: PageResult, part: wire.Part, fresh: list[str] | None = None) -> None:
        unpack_items(part, result)
        requests, repeats = unpack_requests(part.requests, self._known(), fresh)
        result.requests += requests
        result.repeats += repeats

    # ---- processes ---------------------------------------------------------------------------------------------------

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of the processes that have ended."""
        return self._keeper.cpu_seconds

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the processes running until this is cancelled; then let them end.

        Raises:
            ConfigError: A lifespan has given the spider an attribute that the processes do not have.
            CrawlFailed: The processes end repeatedly.
        """
        added = self._attributes.added()
        if added:
            raise ConfigError(
                f"setting processes: the lifespan of a plugin or spider has set {type(self._spider).__name__}."
                f"{added[0]}, which callbacks in other processes do not have: set processes=1"
            )
        self._state.on_change = lambda changed: self._keeper.send(self._versions.change(changed))
        task_status.started()
        try:
            await self._keeper.run()
        finally:
            self._state.on_change = None


def _clear(result: PageResult, forget: Callable[[], None]) -> None:
    """Discard the results of a callback so far, since it runs again."""
    result.items, result.encoded, result.requests, result.repeats = [], [], [], 0
    forget()
