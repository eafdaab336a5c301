"""`CallbackRunner`: runs callbacks in another process than the first one, which fetches and keeps everything."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio
from msgspec import Struct, field

from crawler.engine.callbacks import Callbacks
from crawler.engine.handler_results import PageResult, collect
from crawler.engine.processes import wire
from crawler.engine.processes.attributes import Attributes
from crawler.engine.processes.channel import Channel
from crawler.engine.processes.errors import pack_error, unpack_error
from crawler.engine.processes.items import needs_objects, pack_part
from crawler.engine.processes.log_records import send_records
from crawler.engine.processes.remote_crawl import RemoteCrawl, RemoteResponse, page_number
from crawler.engine.slow_steps import SlowSteps
from crawler.errors import HookError
from crawler.headers import product_token
from crawler.hooks.page_effects import MISSING, PageEffects, current_page
from crawler.hooks.state import State
from crawler.logs import get_logger
from crawler.messages.link_filter import LinkFilter
from crawler.scope import Scope
from crawler.store.recent_keys import RecentKeys

if TYPE_CHECKING:
    from crawler.hooks.plugin import Plugin
    from crawler.messages import Request
    from crawler.settings import Settings
    from crawler.spiders import Spider

__all__ = ["CallbackRunner", "run_process"]

MAX_KNOWN: Final = 65_536
"""Keys of known requests in the memory of each process."""
MAX_SENT: Final = 256
"""Pages whose links are kept until the first process has said which of them are known."""
log = get_logger("crawler.engine")


def run_process(
    spider: Spider, plugins: Sequence[Plugin], settings: Settings, channel: socket.socket, calls: socket.socket
) -> None:
    """Run callbacks until the first process has no more pages or has ended. It is what a `Launcher` runs."""

    async def main() -> None:
        runner = CallbackRunner(spider, plugins, settings, channel, calls)
        send_records(runner.channel.send)
        await runner.run()

    trio.run(main)


class ReadState(State):
    """The state of the spider, which notes what each page has read of it, and when."""

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.version = 0
        """Number of changes that have arrived."""
        self.reads: dict[int, dict[str, int]] = {}
        """By page: the keys that its callback has read, with the version at that time."""

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[str]:
        self._note(wire.ALL_KEYS)
        return super().__iter__()

    def _note(self, key: str) -> None:
        self.reads.setdefault(page_number.get(), {}).setdefault(key, self.version)


class CallbackRunner:
    """Takes pages from a channel, runs their callbacks, and sends back what they made of them.

    Parameters:
        spider: Whose callbacks are called. Its `crawl` and `state` are set.
        plugins: Those of the crawl, for callbacks that look at them.
        settings: Those in force.
        channel: This end of the channel to the first process.
        calls: This end of the socket for calls that block.
    """

    def __init__(
        self,
        spider: Spider,
        plugins: Sequence[Plugin],
        settings: Settings,
        channel: socket.socket,
        calls: socket.socket,
    ) -> None:
        self.channel = Channel(channel, wire.FROM_FIRST)
        self._spider = spider
        self._scope = Scope.of(spider.allowed_domains, settings)
        self._known = RecentKeys(MAX_KNOWN)
        self._sent: dict[int, list[str]] = {}
        self._agent = product_token(settings.user_agent)
        self._obey_nofollow = settings.obey_nofollow
        self._callbacks = Callbacks(spider)
        self._slow = SlowSteps()
        self._attributes = Attributes(spider)
        self._objects = needs_objects(plugins)
        self._pages: dict[int, _Page] = {}
        self._calls: dict[int, _Call] = {}
        self._last_call = 0
        spider.state = self._state = ReadState(spider.name)
        self._crawl = RemoteCrawl(spider, plugins, settings, calls, self._call)
        spider.crawl = self._crawl

    async def run(self) -> None:
        """Run callbacks until the channel is closed or says stop."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.channel.run_writer)
            self.channel.send(wire.Ready(os.getpid()))
            stops = False
            while not stops:
                messages = await self.channel.receive()
                stops = not messages
                for message in messages:
                    stops = stops or isinstance(message, wire.Stop)
                    self._take(message, nursery)
            self._slow.finish()
            with trio.move_on_after(1):
                await self.channel.drain()
            nursery.cancel_scope.cancel(reason="the crawl has ended")
        self.channel.close()

    def _take(self, message: wire.FromFirst, nursery: trio.Nursery) -> None:
        match message:
            case wire.Page():
                nursery.start_soon(self._handle, message)
            case wire.StateChange(version, changed):
                self._state.version = version
                self._state.apply({key: MISSING if data is None else data for key, data in changed.items()})
            case wire.Answer(number, result, is_error):
                if number in self._calls:  # else its page was cancelled
                    call = self._calls[number]
                    call.result, call.is_error = result, is_error
                    call.answered.set()
            case wire.Continue(number):
                if number in self._pages and (stored := self._pages[number].stored) is not None:
                    stored.set()
            case wire.Cancel(number):
                if number in self._pages:
                    self._pages[number].scope.cancel(reason="the first process does not wait for the page")

    async def _handle(self, page: wire.Page) -> None:
        """Run the callback of a page, and send its results."""
        number, name = page.number, page.callback or "parse"
        self._learn(page.fresh)
        refuses = self._scope.refuses
        links = LinkFilter(self._known, refuses, agent=self._agent, obey_nofollow=self._obey_nofollow)
        result = PageResult(handler=name)
        message: wire.Handled | wire.Raised | None = None
        current_page.set(result.effects)  # this task has a context of its own
        page_number.set(number)
        with trio.CancelScope() as scope:  # noqa: ASYNC912 - most callbacks do not wait
            self._pages[number] = _Page(scope)
            try:
                response = wire.unpack_response(page, RemoteResponse)
                response._bind(links)  # noqa: SLF001 - not for users
                result.spill = partial(self._send_part, number, response.request)
                if page.has_exchange:
                    response.ask_for_wire(self._crawl.ask, number)  # type: ignore[attr-defined]
                await collect(self._callbacks.bind(name, response), result, page.url, self._slow)
                message = self._handled(number, result, links, response.request)
            except (Exception, SystemExit) as error:
                message = wire.Raised(number, pack_error(error))
            finally:
                del self._pages[number]
                self._state.reads.pop(number, None)
        if message is not None:
            self.channel.send(message)
        self._attributes.warn("a callback", log)

    def _handled(self, number: int, result: PageResult, links: LinkFilter, request: Request) -> wire.Handled:
        effects = result.effects
        part = pack_part(number, result, self._spider, request, objects=self._objects)
        self._sent[number] = [url for each in part.requests if not isinstance(each, bytes) for url in each[2]]
        if len(self._sent) > MAX_SENT:
            del self._sent[next(iter(self._sent))]
        return wire.Handled(
            part=part,
            retry=wire.pack_retry(result.retry),
            repeats=links.repeats,
            refused=links.refused,
            added=wire.pack_requests(effects.added),
            counters=effects.counters,
            state=self._changes(effects, request) if effects.state else {},
            reads=self._state.reads.get(number, {}),
        )

    def _learn(self, fresh: Sequence[tuple[int, list[str]]]) -> None:
        """Keep the links of earlier pages that the first process knows: no request is made for them any more."""
        for number, urls in fresh:
            new = frozenset(urls)
            self._known.update(url for url in self._sent.pop(number, ()) if url not in new)

    def _changes(self, effects: PageEffects, request: Request) -> dict[str, bytes | None]:
        try:
            changed = self._state.changes(effects)
        except TypeError as error:
            raise HookError(str(error), plugin=self._spider.name, hook="state", request=request) from error
        return {key: None if data is MISSING else data for key, data in changed.items()}

    async def _send_part(self, number: int, request: Request, result: PageResult) -> None:
        """Send the items and requests so far, and wait until they are stored."""
        stored = self._pages[number].stored = trio.Event()
        self.channel.send(pack_part(number, result, self._spider, request, objects=self._objects))
        await stored.wait()

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

    scope: trio.CancelScope
    stored: trio.Event | None = None
    """Set when the part that was sent last has been stored; `None` before the first part."""


class _Call(Struct, eq=False):
    """A call of the first process."""

    answered: trio.Event = field(default_factory=trio.Event)
    result: bytes = b""
    is_error: bool = False
