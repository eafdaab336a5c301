"""`ChildProcess`: runs callbacks in another process than the first one, which fetches and keeps everything.

Rule: it holds nothing that the crawl cannot lose. The first process has each page until it has the results.
"""

from __future__ import annotations

import mmap
import os
import socket
import time
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
from crawler.engine.processes.log_records import send_records
from crawler.engine.processes.packing import needs_objects, pack_part, pack_requests, unpack_response
from crawler.engine.processes.remote_crawl import RemoteCrawl, RemoteResponse, page_number
from crawler.engine.processes.shared_bodies import BodyReader
from crawler.engine.processes.state import ReadState
from crawler.errors import HookError
from crawler.headers import product_token
from crawler.hooks.page_effects import MISSING, PageEffects, current_page
from crawler.logs import get_logger
from crawler.messages.page_links import LinkFilter
from crawler.scope import Scope
from crawler.store.compact_keys import RecentKeys
from crawler.watchdog import Watchdog

if TYPE_CHECKING:
    from crawler.hooks.plugin import Plugin
    from crawler.messages import Request, Response
    from crawler.settings import Settings
    from crawler.spiders import Spider

__all__ = ["ChildProcess", "run_process"]

MAX_KNOWN: Final = 65_536
"""Keys of known requests in the memory of each process: some 10 MB."""
HELD: Final = 0.005
"""Seconds for which results wait for those of the other pages of a turn. Longer would leave the first process idle."""
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
        process = ChildProcess(spider, plugins, settings, memories[place], channel, calls)
        send_records(process.log)
        with ending_copies():
            await process.run()

    trio.run(main)


class ChildProcess:
    """Takes pages from a channel, runs their callbacks, and sends back the results."""

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
        self._known = RecentKeys(MAX_KNOWN)
        self._links = partial(
            LinkFilter,
            self._known,
            Scope.of(spider.allowed_domains, settings).refuses,
            agent=product_token(settings.user_agent),
            obey_nofollow=settings.obey_nofollow,
        )
        self._callbacks = Callbacks(spider)
        self._attributes = Attributes(spider)
        self._objects = needs_objects(plugins)
        self._pages: dict[int, _Page] = {}
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
                await self._receive(nursery)
            self._attributes.warn("a callback", log)
            self.channel.flush()
            with trio.move_on_after(1):
                await self.channel.drain()
            nursery.cancel_scope.cancel(reason="the crawl has ended")
        self.channel.close()

    def log(self, record: wire.Log) -> None:
        """Send a log record at once: it may be the last thing that the process does."""
        self.channel.gather(record)
        self.channel.flush()

    async def _receive(self, nursery: trio.Nursery) -> None:
        """Take messages, until the first process sends no more."""
        has_more = True
        while has_more and (messages := await self.channel.receive()):
            self._attributes.warn("a callback", log)
            for message in messages:
                if isinstance(message, wire.Page):
                    self._begin(message, nursery)
                else:
                    self._take(message)
            has_more = not isinstance(messages[-1], wire.Stop)
            await trio.lowlevel.checkpoint()  # what has arrived may have been taken without a wait

    def _take(self, message: wire.FromFirst) -> None:
        match message:
            case wire.Known(keys):
                self._known.update(keys)
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
                if number in self._pages:
                    self._pages[number].scope.cancel(reason="the first process does not wait for the page")

    def _begin(self, message: wire.Page, nursery: trio.Nursery) -> None:
        """Start the task of a page."""
        body = None if message.shared is None else self._bodies.read(*message.shared)
        response = unpack_response(message, RemoteResponse, body)
        if message.has_exchange and isinstance(response, RemoteResponse):
            response.ask_for_wire(self._crawl.ask, message.number)
        page = self._pages[message.number] = _Page(message.number, response.request)
        nursery.start_soon(self._handle, page, response)

    async def _handle(self, page: _Page, response: Response) -> None:
        """Run the callback of a page, and send the message about its results."""
        began = time.perf_counter()
        name = page.request.callback or "parse"
        links = self._links()
        result = PageResult(handler=name, spill=partial(self._send_part, page))
        current_page.set(result.effects)
        page_number.set(page.number)
        try:
            with page.scope:  # noqa: ASYNC912 - most callbacks do not wait
                if page.scope.cancel_called:  # before its turn
                    return
                try:
                    response._bind(links)  # noqa: SLF001 - not for users
                    await collect(self._callbacks.bind(name, response), result, page.request.url)
                    self._send(self._handled(page, result, links, began))
                except faults(KeyboardInterrupt) as error:
                    seconds = time.perf_counter() - began
                    self._send(wire.Raised(page.number, pack_error(error), self._bodies.position, seconds))
        finally:
            del self._pages[page.number]
            self._state.reads.pop(page.number, None)

    def _send(self, result: wire.Handled | wire.Raised) -> None:
        """Send the result of a page together with those of the other pages of this turn, unless that takes long."""
        self.channel.send(result)
        now = time.perf_counter()
        if now - self._sent_at > HELD:
            self._sent_at = now
            self.channel.flush()

    def _handled(self, page: _Page, result: PageResult, links: LinkFilter, began: float) -> wire.Handled:
        effects, retry = result.effects, result.retry
        return wire.Handled(
            part=self._part(page, result),
            effects=wire.Effects(
                pack_requests(effects.added),
                effects.counters,
                self._changes(effects, page.request) if effects.state else {},
                self._state.reads.get(page.number, {}),
            ),
            retry=None if retry is None else (retry.reason, retry.after),
            repeats=links.repeats,
            refused=links.refused,
            read=self._bodies.position,
            seconds=time.perf_counter() - began,
        )

    def _part(self, page: _Page, result: PageResult) -> wire.Part:
        return pack_part(page.number, result, self._spider, page.request, objects=self._objects)

    def _changes(self, effects: PageEffects, request: Request) -> dict[str, bytes | None]:
        try:
            changed = self._state.changes(effects)
        except TypeError as error:
            raise HookError(str(error), plugin=self._spider.name, hook="state", request=request) from error
        return {key: None if data is MISSING else data for key, data in changed.items()}

    async def _send_part(self, page: _Page, result: PageResult) -> None:
        """Send the items and requests so far, and wait until they are stored."""
        page.is_stored = trio.Event()
        self.channel.send(self._part(page, result))
        await page.is_stored.wait()

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
    """A page whose callback runs, or will run in the next turn of the event loop."""

    number: int
    request: Request
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    is_stored: trio.Event = field(default_factory=trio.Event)
    """Whether the part that was sent last is stored."""


class _Call(Struct, eq=False):
    """A call of the first process."""

    answered: trio.Event = field(default_factory=trio.Event)
    result: bytes = b""
    is_error: bool = False
