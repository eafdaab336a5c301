"""`CallbackRunner`: runs callbacks in another process than the first one, which fetches and keeps everything."""

from __future__ import annotations

import mmap
import os
import socket
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio
from msgspec import Struct, field

from crawler.engine.callbacks import Callbacks
from crawler.engine.forked_copies import ending_copies
from crawler.engine.handler_results import PageResult, collect
from crawler.engine.hook_errors import faults
from crawler.engine.processes import wire
from crawler.engine.processes.attributes import Attributes
from crawler.engine.processes.channel import Channel
from crawler.engine.processes.cores import pin_to_core
from crawler.engine.processes.errors import pack_error, unpack_error
from crawler.engine.processes.items import needs_objects, pack_part
from crawler.engine.processes.known_links import KnownLinks
from crawler.engine.processes.log_records import send_records
from crawler.engine.processes.packing import pack_requests, pack_retry, unpack_response
from crawler.engine.processes.read_state import ReadState
from crawler.engine.processes.remote_crawl import RemoteCrawl, RemoteResponse, page_number
from crawler.engine.processes.shared_bodies import BodyReader
from crawler.engine.watchdog import Watchdog
from crawler.errors import HookError
from crawler.headers import product_token
from crawler.hooks.page_effects import MISSING, PageEffects, current_page
from crawler.logs import get_logger
from crawler.messages.link_filter import LinkFilter
from crawler.scope import Scope

if TYPE_CHECKING:
    from crawler.hooks.plugin import Plugin
    from crawler.messages import Request, Response
    from crawler.settings import Settings
    from crawler.spiders import Spider

__all__ = ["CallbackRunner", "run_process"]

GATHERED: Final = 0.001
"""Seconds for which results wait for those of the next pages, if any wait for their turn."""
HELD: Final = 0.02
"""The same, if more pages wait for their turn than results: the first process has nothing to do for this one yet."""
log = get_logger("crawler.engine")


def run_process(
    spider: Spider,
    plugins: Sequence[Plugin],
    settings: Settings,
    memories: Sequence[mmap.mmap],
    place: int,
    channel: socket.socket,
    calls: socket.socket,
) -> None:
    """Run callbacks until the first process has no more pages or has ended. It is what a `Launcher` runs."""
    pin_to_core(place, len(memories))

    async def main() -> None:
        runner = CallbackRunner(spider, plugins, settings, memories[place], channel, calls)
        send_records(runner.log)
        with ending_copies():
            await runner.run()

    trio.run(main)


class CallbackRunner:
    """Takes pages from a channel, runs their callbacks, and sends back the results.

    Parameters:
        spider: Whose callbacks are called. Its `crawl` and `state` are set.
        plugins: Those of the crawl, for callbacks that look at them.
        settings: Those in force.
        memory: Has the bodies of responses.
        channel: This end of the channel to the first process.
        calls: This end of the socket for calls that block.
    """

    def __init__(
        self,
        spider: Spider,
        plugins: Sequence[Plugin],
        settings: Settings,
        memory: mmap.mmap,
        channel: socket.socket,
        calls: socket.socket,
    ) -> None:
        self.channel = Channel(channel, wire.FROM_FIRST)
        self._bodies = BodyReader(memory)
        self._spider = spider
        self._scope = Scope.of(spider.allowed_domains, settings)
        self._links = KnownLinks()
        self._agent = product_token(settings.user_agent)
        self._obey_nofollow = settings.obey_nofollow
        self._callbacks = Callbacks(spider)
        self._attributes = Attributes(spider)
        self._objects = needs_objects(plugins)
        self._pages: dict[int, _Page] = {}
        self._queue: deque[wire.Page] = deque()
        self._stops = False
        self._results = 0
        self._sent_at = 0.0
        self._calls: dict[int, _Call] = {}
        self._last_call = 0
        spider.state = self._state = ReadState(spider.name)
        self._crawl = RemoteCrawl(spider, plugins, settings, calls, self._call)
        spider.crawl = self._crawl

    async def run(self) -> None:
        """Run callbacks until the channel is closed or a message `Stop` arrives."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.channel.run_writer)
            self.channel.send(wire.Ready(os.getpid()))
            with Watchdog():
                while not self._stops:
                    await self._receive()
                    while self._queue and not self._stops:
                        page = self._queue.popleft()
                        body = None if page.shared is None else self._bodies.read(*page.shared)
                        if self._callbacks.is_generator(page.callback):
                            self._send(await self._handle(page.number, self._response(page, body), None))
                        else:
                            nursery.start_soon(self._handle_in_task, page, body)
                    if self._pages or self.channel.is_behind:  # all that has arrived may have been taken without a wait
                        await trio.lowlevel.checkpoint()
            self.channel.flush()
            with trio.move_on_after(1):
                await self.channel.drain()
            nursery.cancel_scope.cancel(reason="the crawl has ended")
        self.channel.close()

    def log(self, record: wire.Log) -> None:
        """Send a log record at once: it may be the last thing that the process does."""
        self.channel.gather(record)
        self.channel.flush()

    async def _receive(self) -> None:
        """Take the next messages."""
        messages = await self.channel.receive()
        self._attributes.warn("a callback", log)
        self._stops = self._stops or not messages
        for message in messages:
            self._take(message)

    def _take(self, message: wire.FromFirst) -> None:
        match message:
            case wire.Page():
                self._links.learn(message.news)
                self._queue.append(message)
            case wire.StateChange(version, changed):
                self._state.version = version
                self._state.apply({key: MISSING if data is None else data for key, data in changed.items()})
            case wire.Answer(number, result, is_error):
                if number in self._calls:  # else its page was cancelled
                    call = self._calls[number]
                    call.result, call.is_error = result, is_error
                    call.answered.set()
            case wire.Continue(number):
                if number in self._pages:
                    self._pages[number].is_stored.set()
            case wire.Cancel(number):
                self._cancel(number)
            case wire.Stop():
                self._stops = True

    def _cancel(self, number: int) -> None:
        """Cancel the work for a page."""
        if number in self._pages:
            self._pages[number].cancel()
        else:
            self._queue = deque(page for page in self._queue if page.number != number)

    def _response(self, page: wire.Page, body: bytes | None) -> Response:
        """Return the response of a message. The first process has its exchange with the server."""
        response = unpack_response(page, RemoteResponse, body)
        if page.has_exchange and isinstance(response, RemoteResponse):
            response.ask_for_wire(self._crawl.ask, page.number)
        return response

    async def _handle_in_task(self, page: wire.Page, body: bytes | None) -> None:
        """Run a callback that may wait, while others run."""
        with trio.CancelScope() as scope:  # noqa: ASYNC912 - most callbacks do not wait
            self._send(await self._handle(page.number, self._response(page, body), scope))

    async def _handle(
        self, number: int, response: Response, scope: trio.CancelScope | None
    ) -> wire.Handled | wire.Raised:
        """Run the callback of a page, and return the message about its results.

        Parameters:
            number: That of the page.
            response: The page.
            scope: Of the task of the page; `None`: it is the task that receives messages.
        """
        began = time.perf_counter()
        request = response.request
        name = request.callback or "parse"
        refuses = self._scope.refuses
        links = LinkFilter(self._links.keys, refuses, agent=self._agent, obey_nofollow=self._obey_nofollow)
        result = PageResult(handler=name, spill=partial(self._send_part, number, request))
        current_page.set(result.effects)
        page_number.set(number)
        self._pages[number] = _Page(scope)
        try:
            response._bind(links)  # noqa: SLF001 - not for users
            await collect(self._callbacks.bind(name, response), result, request.url)
            return self._handled(number, result, links, request, began)
        except faults(KeyboardInterrupt) as error:
            return wire.Raised(number, pack_error(error), self._bodies.position, time.perf_counter() - began)
        finally:
            del self._pages[number]
            self._state.reads.pop(number, None)

    def _send(self, result: wire.Handled | wire.Raised) -> None:
        """Send the result of a page, now or together with those of the next pages."""
        self.channel.gather(result)
        self._results += 1
        now, waiting = time.perf_counter(), len(self._queue)
        if not waiting or now - self._sent_at > (GATHERED if self._results >= waiting else HELD):
            self._results, self._sent_at = 0, now
            self.channel.flush()

    def _handled(
        self, number: int, result: PageResult, links: LinkFilter, request: Request, began: float
    ) -> wire.Handled:
        effects = result.effects
        part = pack_part(number, result, self._spider, request, objects=self._objects)
        self._links.note(number, part.requests)
        return wire.Handled(
            number=number,
            part=part,
            retry=pack_retry(result.retry),
            repeats=links.repeats,
            refused=links.refused,
            added=pack_requests(effects.added),
            counters=effects.counters,
            state=self._changes(effects, request) if effects.state else {},
            reads=self._state.reads.get(number, {}),
            read=self._bodies.position,
            seconds=time.perf_counter() - began,
        )

    def _changes(self, effects: PageEffects, request: Request) -> dict[str, bytes | None]:
        try:
            changed = self._state.changes(effects)
        except TypeError as error:
            raise HookError(str(error), plugin=self._spider.name, hook="state", request=request) from error
        return {key: None if data is MISSING else data for key, data in changed.items()}

    async def _send_part(self, number: int, request: Request, result: PageResult) -> None:
        """Send the items and requests so far, and wait until they are stored."""
        page = self._pages[number]
        page.is_stored = trio.Event()
        self.channel.gather(pack_part(number, result, self._spider, request, objects=self._objects))
        self.channel.flush()
        if page.scope is not None:
            await page.is_stored.wait()
            return
        while not (page.is_stored.is_set() or self._stops):
            await self._receive()
        if self._stops or page.is_cancelled:
            raise EOFError("the first process does not wait for the page")

    async def _call(self, name: str, arguments: tuple[object, ...]) -> Any:
        """Call a method of the crawl of the first process, and return its result."""
        self._last_call += 1
        number, call = self._last_call, _Call()
        self._calls[number] = call
        try:
            self.channel.send(wire.Call(page_number.get(), number, name, wire.pack((arguments, {}))))
            await call.answered.wait()
        finally:
            del self._calls[number]
        if call.is_error:
            raise unpack_error(call.result)
        return wire.unpack(call.result)


class _Page(Struct, eq=False):
    """A page whose callback runs."""

    scope: trio.CancelScope | None
    """Of its task, if it has one of its own."""
    is_stored: trio.Event = field(default_factory=trio.Event)
    """Whether the part that was sent last is stored, or the page was cancelled."""
    is_cancelled: bool = False

    def cancel(self) -> None:
        """End the callback: the first process does not wait for the page."""
        self.is_cancelled = True
        self.is_stored.set()
        if self.scope is not None:
            self.scope.cancel(reason="the first process does not wait for the page")


class _Call(Struct, eq=False):
    """A call of the first process."""

    answered: trio.Event = field(default_factory=trio.Event)
    result: bytes = b""
    is_error: bool = False
