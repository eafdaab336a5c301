"""`FetchTasks`: the tasks of a process for callbacks that send requests, each one request after the other."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import trio
from msgspec import Struct

from crawler.engine.processes import wire
from crawler.engine.processes.errors import pack_error
from crawler.engine.processes.packing import pack_response
from crawler.engine.processes.page_fetcher import is_plain_page
from crawler.errors import RequestError
from crawler.limits.headers.field_names import has_limits

if TYPE_CHECKING:
    from crawler.engine.processes.page_fetcher import PageFetcher
    from crawler.messages import Response

__all__ = ["FetchTasks"]

Handle: TypeAlias = "Callable[[int, Response, trio.CancelScope, wire.Held | None], Awaitable[bool]]"
"""Handles a page, sends the message about its response and the result, and returns whether the page may have to be
handled again."""


class FetchTasks:
    """Sends requests, and has their pages handled.

    Parameters:
        nursery: Runs the tasks. A task that has nothing to do is kept: a new one for each page would cost more.
        fetcher: Sends the requests.
        send: Sends a message to the first process.
        handle: Handles a page.
    """

    def __init__(
        self, nursery: trio.Nursery, fetcher: PageFetcher, send: Callable[[Any], None], handle: Handle
    ) -> None:
        self._nursery = nursery
        self._fetcher = fetcher
        self._send = send
        self._handle = handle
        self._idle: list[_Idle] = []
        self._scopes: dict[int, trio.CancelScope] = {}
        self._ended: dict[int, trio.Event] = {}  # of pages that may have to be handled again

    def __bool__(self) -> bool:
        """Whether a request or its page is under way."""
        return bool(self._scopes)

    def start(self, message: wire.Fetch) -> None:
        """Begin with a request in the next turn of the event loop."""
        if self._idle:
            idle = self._idle.pop()
            idle.message, scope = message, idle.scope
            trio.lowlevel.reschedule(idle.task)
        else:
            scope = trio.CancelScope()
            self._nursery.start_soon(self._run, message, scope)
        self._scopes[message.number] = scope

    def take(self, message: wire.Again | wire.Networks) -> None:
        """Carry out a message of the first process."""
        if isinstance(message, wire.Networks):
            self._fetcher.open_networks(message.names)
        elif message.number in self._ended:
            self._ended[message.number].set()

    def cancel(self, number: int) -> bool:
        """Cancel the work for a request. Return whether there was any."""
        if number in self._ended:
            self._ended.pop(number).set()
            return True
        scope = self._scopes.get(number)
        if scope is not None:
            scope.cancel(reason="the first process does not wait for the page")
        return scope is not None

    async def _run(self, message: wire.Fetch, scope: trio.CancelScope) -> None:
        with scope:
            while True:
                try:
                    await self._work(message, scope)
                finally:
                    del self._scopes[message.number]
                message = await self._next(scope)

    async def _next(self, scope: trio.CancelScope) -> wire.Fetch:
        """Wait for the next request."""
        idle = _Idle(scope, trio.lowlevel.current_task())
        self._idle.append(idle)

        def forget(_: Any) -> trio.lowlevel.Abort:
            self._idle.remove(idle)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(forget)
        assert idle.message is not None
        return idle.message

    async def _work(self, message: wire.Fetch, scope: trio.CancelScope) -> None:
        number, sent = message.number, list[float]()
        try:
            response = await self._fetcher.fetch(message, lambda _: sent.append(time.perf_counter()))
        except RequestError as error:
            self._send(wire.NotFetched(number, pack_error(error), sent))
            return
        try:
            if not is_plain_page(response):
                self._send(wire.Fetched(number, pack_response(number, response), sent))
                return
            held: wire.Held | None = _held(number, response, sent)
            while await self._handle(number, response, scope, held):
                held = None
                ended = self._ended[number] = trio.Event()
                await ended.wait()
                if self._ended.pop(number, None) is None:
                    return
                response = response.replace()  # without what the callback has changed
        finally:
            self._fetcher.forget(message)


def _held(number: int, response: Response, sent: Sequence[float]) -> wire.Held:
    headers = response.headers
    return wire.Held(
        number,
        response.status,
        headers.pairs if has_limits(headers.names) else (),
        len(response.body),
        response.first_byte,
        response.elapsed,
        sent,
    )


class _Idle(Struct, eq=False):
    """A task that waits for a request."""

    scope: trio.CancelScope
    task: trio.lowlevel.Task
    message: wire.Fetch | None = None
