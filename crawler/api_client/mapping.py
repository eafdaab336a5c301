"""`MappedResponses`: sends many requests, a few at once, and yields their responses in order."""

from __future__ import annotations

import contextlib
import math
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, Self, TypeVar, cast

import httpx
import trio

__all__ = ["BackgroundTasks", "MappedResponses", "Source"]

Result_co = TypeVar("Result_co", httpx.Response, httpx.Response | Exception, covariant=True)
Source = str | httpx.URL | httpx.Request
"""A URL, or a request of httpx."""
Send = Callable[[Source, float], Awaitable[httpx.Response]]
"""Sends one request. The number is a deadline on trio's clock: that of the task that waits for the response."""


class BackgroundTasks:
    """An async context manager around a nursery whose tasks end with the block.

    Leaving the block cancels the tasks, which must not raise. An exception of the block leaves it unchanged, while a
    nursery would wrap it in an exception group.
    """

    def __init__(self) -> None:
        self._manager = trio.open_nursery()
        self.nursery: trio.Nursery

    async def __aenter__(self) -> Self:
        self.nursery = await self._manager.__aenter__()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        scope = self.nursery.cancel_scope
        scope.shield = True  # a cancellation from outside must not replace the exception of the block
        scope.cancel(reason="the block was left")
        await self._manager.__aexit__(None, None, None)  # noqa: ASYNC102 - the tasks are cancelled


class _Slot:
    """Holds the result of one request."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.response: httpx.Response | None = None
        self.error: Exception | None = None
        self.is_last = False  # whether `error` is the source's, after which nothing follows


class _Sender:
    """The tasks that send. They hold no reference to their `MappedResponses`, so that it can be collected."""

    def __init__(self, requests: Iterable[Source] | AsyncIterable[Source], send: Send, window: int) -> None:
        self.scope = trio.CancelScope()
        self.deadline = math.inf
        self.is_exhausted = False  # whether the end of `requests` was reached
        self._requests = requests
        self._send = send
        self._slots, self.slots = trio.open_memory_channel[_Slot](window - 1)

    async def run(self) -> None:
        """Send the requests, each as soon as the window has room for its response."""
        with self._slots, self.scope:
            async with trio.open_nursery() as nursery:
                slot = _Slot()
                try:
                    async with contextlib.aclosing(_each(self._requests)) as requests:
                        async for request in requests:
                            await self._slots.send(slot)
                            nursery.start_soon(self._fill, slot, request)
                            slot = _Slot()
                    self.is_exhausted = True
                except trio.BrokenResourceError:
                    nursery.cancel_scope.cancel(reason="the responses are no longer wanted")
                except Exception as error:
                    slot.error, slot.is_last, self.is_exhausted = error, True, True
                    slot.done.set()
                    with contextlib.suppress(trio.BrokenResourceError):
                        await self._slots.send(slot)

    async def _fill(self, slot: _Slot, request: Source) -> None:
        slot.error = httpx.CloseError("the client was closed before the response came")
        try:
            slot.response = await self._send(request, self.deadline)
            slot.error = None
        except Exception as error:
            slot.error = error
        finally:
            slot.done.set()


class MappedResponses(AsyncIterator[Result_co], Generic[Result_co]):
    """Responses in the order of their requests: ``async for response in http.map(urls)``.

    Requests are taken from their source when the window has room, so the source may be endless. An exception is raised
    at the place of its request; the next step continues after it. To leave the loop early, open it first: ``async
    with http.map(urls) as responses``. Otherwise the requests in flight are cancelled when the iterator is
    garbage-collected or the client is closed.

    Parameters:
        requests: URLs or requests of httpx.
        send: Sends one of them.
        window: Maximum number of requests in flight plus responses not yet taken.
        return_exceptions: Whether to yield the exception of a request instead of raising it.
        start: Starts a task that ends when the client is closed.
    """

    def __init__(
        self,
        requests: Iterable[Source] | AsyncIterable[Source],
        send: Send,
        *,
        window: int,
        return_exceptions: bool,
        start: Callable[[Callable[[], Awaitable[None]]], object],
    ) -> None:
        self._sender = _Sender(requests, send, window)
        self._return_exceptions = return_exceptions
        self._start = start
        self._started = False
        self._tasks = BackgroundTasks()
        self._left = False  # the block of ``async with``
        self._slot: _Slot | None = None  # the one that the next step waits for

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._begin(self._tasks.nursery.start_soon)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._left = True
        self._sender.slots.close()
        await self._tasks.__aexit__(*exc)  # noqa: ASYNC102 - its tasks are cancelled

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Result_co:
        """Return the next response.

        Raises:
            httpx.RequestError: The request failed.
        """
        if not self._started:
            self._begin(self._start)
            weakref.finalize(self, _cancel_soon, trio.lowlevel.current_trio_token(), self._sender.scope).atexit = False
        self._sender.deadline = trio.current_effective_deadline()
        if self._slot is None:
            try:
                self._slot = await self._sender.slots.receive()
            except (trio.EndOfChannel, trio.ClosedResourceError):
                if not self._sender.is_exhausted and not self._left:
                    raise httpx.CloseError("the client was closed before all requests were sent") from None
                raise StopAsyncIteration from None
        slot = self._slot
        await slot.done.wait()
        self._slot = None
        if slot.error is None:
            return cast("Result_co", slot.response)
        if self._return_exceptions and not slot.is_last:
            return cast("Result_co", slot.error)
        raise slot.error

    def _begin(self, start: Callable[[Callable[[], Awaitable[None]]], object]) -> None:
        self._started = True
        self._sender.deadline = trio.current_effective_deadline()
        start(self._sender.run)


def _cancel_soon(run: trio.lowlevel.TrioToken, scope: trio.CancelScope) -> None:
    """Cancel the tasks of an iterator that was dropped. Objects may be collected in any thread."""
    with contextlib.suppress(trio.RunFinishedError):
        run.run_sync_soon(scope.cancel)


async def _each(  # noqa: ASYNC900 - it opens no scope, and its reader closes it
    requests: Iterable[Source] | AsyncIterable[Source],
) -> AsyncGenerator[Source, None]:
    """Yield the requests of either kind of source."""
    if isinstance(requests, AsyncIterable):
        iterator = aiter(requests)
        try:
            async for request in iterator:
                yield request
        finally:
            if isinstance(iterator, AsyncGenerator):
                await iterator.aclose()
    else:
        for request in requests:
            yield request
