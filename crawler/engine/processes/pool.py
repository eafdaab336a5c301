"""`ProcessPool`: sends the pages of a crawl to the processes that run callbacks, and receives their results.

Rule: a page is in the memory of the first process until its results are. So a process that ends is replaced, and its
pages are handled again.
"""

from __future__ import annotations

import itertools
import mmap
from collections import deque
from collections.abc import Callable, Container, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from crawler.engine.processes import wire
from crawler.engine.processes.call_server import CallServer
from crawler.engine.processes.errors import unpack_error
from crawler.engine.processes.keeper import ProcessKeeper
from crawler.engine.processes.packing import unpack_items, unpack_requests
from crawler.engine.processes.process import Page, Process
from crawler.engine.processes.state import StateVersions
from crawler.errors import ConfigError, HookError
from crawler.logs import get_logger
from crawler.messages import Response, Retry

if TYPE_CHECKING:
    from crawler.engine.handler_results import PageResult
    from crawler.engine.processes.attributes import Attributes
    from crawler.engine.processes.launcher import Launcher
    from crawler.hooks.state import State
    from crawler.spiders import Spider

__all__ = ["NewLinks", "ProcessPool"]

MAX_DEATHS: Final = 5
"""Processes that may end while they have a page. Then the page fails, since its callback may be the reason."""
MAX_WAITING: Final = 64
"""Pages that may wait until the links of the first of them are known: as many as are stored at once. Links that are not
known by then were refused."""
log = get_logger("crawler.engine")


class ProcessPool:
    """Runs callbacks in several processes, as `LocalCallbacks` does in one."""

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
        self._links = NewLinks()
        self._versions = StateVersions(state)
        self._calls = CallServer(spider)
        look = partial(attributes.warn, "start() or a hook", log)
        self._keeper = ProcessKeeper(launcher, memories, self._versions, self._calls, look)
        self._numbers = itertools.count(1)
        self._again = trio.Lock()

    # ---- pages -------------------------------------------------------------------------------------------------------

    async def handle(
        self,
        response: Response,
        result: PageResult,
        forget: Callable[[], None],
    ) -> None:
        """Run the callback of a page in one of the processes; `forget` is called before it runs again."""
        deaths = 0
        message = await self._try(response, result)
        while message is None or self._versions.is_outdated(message.effects.reads):
            result.items, result.encoded, result.requests, result.repeats = [], [], [], 0
            forget()
            deaths += message is None
            if deaths == MAX_DEATHS:
                raise self._deadly(response, deaths)
            async with self._again:  # one at a time: of the pages that share values, one has the latest ones then
                message = await self._try(response, result)
        self._fill(response, result, message)

    def _deadly(self, response: Response, deaths: int) -> HookError:
        """Return the error of a page that is the reason why processes end."""
        self._keeper.useless = 0
        request = response.request
        return HookError(
            f"{deaths} processes ended while they handled the page ({self._keeper.last_end})",
            plugin=self._spider.name,
            hook=request.callback or "parse",
            request=request,
            is_callback=True,
        )

    async def _try(self, response: Response, result: PageResult) -> wire.Handled | None:
        """Return the last message of a process about a page; `None` if the process has ended."""
        process = await self._keeper.choose()
        keys = self._links.take(self._known())
        if keys:
            self._keeper.send(wire.Known(keys))
        number = next(self._numbers)
        page = process.send(number, response)
        message: Any = None
        try:
            message = await page.take()
            if isinstance(message, (wire.Part, wire.Call)):
                message = await self._answer_messages(process, page, message, result)
        finally:
            del process.pages[number]
            if message is None:
                process.channel.send(wire.Cancel(number))
        if isinstance(message, wire.Raised):
            raise unpack_error(message.error)
        return message  # type: ignore[no-any-return]

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

    def _fill(self, response: Response, result: PageResult, message: wire.Handled) -> None:
        """Make a message the result of a callback."""
        effects, made = result.effects, message.effects
        self._add_part(result, message.part)
        response._filter.repeats += message.repeats  # noqa: SLF001 - as `follow_all` does
        response._filter.refused += message.refused  # noqa: SLF001
        result.retry = None if message.retry is None else Retry(message.retry[0], after=message.retry[1])
        effects.counters = made.counters
        if made.added:
            effects.added, repeats = unpack_requests(made.added, self._known())
            result.repeats += repeats
        if made.state:
            effects.state[self._state.owner] = self._versions.effects(made.state)

    def _add_part(self, result: PageResult, part: wire.Part) -> None:
        unpack_items(part, result)
        new: list[str] = []
        requests, repeats = unpack_requests(part.requests, self._known(), new)
        result.requests += requests
        result.repeats += repeats
        self._links.add(new)

    # ---- processes ---------------------------------------------------------------------------------------------------

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of the processes that have ended."""
        return self._keeper.cpu_seconds

    async def run(self) -> None:
        """Keep the processes running until this is cancelled; then let them end."""
        added = self._attributes.added()
        if added:
            raise ConfigError(
                f"setting processes: the lifespan of a plugin or spider has set {type(self._spider).__name__}."
                f"{added[0]}, which callbacks in other processes do not have: set processes=1"
            )
        self._state.on_change = lambda changed: self._keeper.send(self._versions.change(changed))
        try:
            await self._keeper.run()
        finally:
            self._state.on_change = None


class NewLinks:
    """Links that callbacks have found, until the crawl knows them: from then on, no callback has to send them.

    Before, they are kept back: the page could still fail, and they would be lost.
    """

    def __init__(self) -> None:
        self._waiting: deque[list[str]] = deque()

    def add(self, urls: list[str]) -> None:
        """Note the links of one page that the crawl does not know."""
        if urls:
            self._waiting.append(urls)

    def take(self, known: Container[str]) -> list[str]:
        """Return those that are known now, once."""
        found: list[str] = []
        while self._waiting:
            keys = [url for url in self._waiting[0] if url in known]
            if len(keys) < len(self._waiting[0]) and len(self._waiting) <= MAX_WAITING:
                break
            found += keys
            self._waiting.popleft()
        return found
