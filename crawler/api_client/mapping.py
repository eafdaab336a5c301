"""`MappedResponses`: many requests, a few at a time, and their answers in order."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, Self, TypeVar, cast

import httpx
import trio

from crawler.api_client.nest import Nest

__all__ = ["Asked", "MappedResponses"]

Answer_co = TypeVar("Answer_co", httpx.Response, httpx.Response | Exception, covariant=True)
Asked = str | httpx.URL | httpx.Request
"""What may be asked for."""
Send = Callable[[Asked, float], Awaitable[httpx.Response]]
"""Sends a request; the time, by trio's clock, is the deadline of whoever wants its answer."""


class _Place:
    """Where one answer will be."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.answer: httpx.Response | None = None
        self.error: Exception | None = None
        self.is_last = False


class _Flow:
    """The tasks that send. They do not know the `MappedResponses`, so that these can be dropped."""

    def __init__(self, source: Iterable[Asked] | AsyncIterable[Asked], send: Send, window: int) -> None:
        self.scope = trio.CancelScope()
        self.deadline = math.inf
        self.is_whole = False  # whether everything was asked for
        self._source = source
        self._send = send
        self._into, self.places = trio.open_memory_channel[_Place](window - 1)

    async def run(self) -> None:
        """Asks, as long as there is room for answers."""
        with self._into, self.scope:
            async with trio.open_nursery() as nursery:
                place = _Place()
                try:
                    async with contextlib.aclosing(_each(self._source)) as source:
                        async for asked in source:
                            await self._into.send(place)
                            nursery.start_soon(self._one, asked, place)
                            place = _Place()
                    self.is_whole = True
                except trio.BrokenResourceError:
                    nursery.cancel_scope.cancel(reason="nobody wants the answers")
                except Exception as error:
                    place.error, place.is_last, self.is_whole = error, True, True
                    place.done.set()
                    with contextlib.suppress(trio.BrokenResourceError):
                        await self._into.send(place)

    async def _one(self, asked: Asked, place: _Place) -> None:
        place.error = httpx.CloseError("the client was closed before this was answered")
        try:
            place.answer = await self._send(asked, self.deadline)
            place.error = None
        except Exception as error:
            place.error = error
        finally:
            place.done.set()


class MappedResponses(AsyncIterator[Answer_co], Generic[Answer_co]):
    """Answers in the order of their requests: ``async for answer in http.map(urls)``.

    Requests are taken when there is room, so they may be endless. What one of them raises is raised at its place; the
    next step goes on behind it. To be left early it should be opened: ``async with http.map(urls) as answers``; else
    what is under way ends with the loop or, at the latest, with the client.

    Parameters:
        source: what to ask for.
        send: sends one.
        window: requests that are under way or answered and not taken yet, at most.
        return_exceptions: whether what a request raises is given like an answer.
        start: starts a task for as long as the client is open.
    """

    def __init__(
        self,
        source: Iterable[Asked] | AsyncIterable[Asked],
        send: Send,
        *,
        window: int,
        return_exceptions: bool,
        start: Callable[[Callable[[], Awaitable[None]]], None],
    ) -> None:
        self._flow = _Flow(source, send, window)
        self._return_exceptions = return_exceptions
        self._start = start
        self._started = False  # whether requests are taken
        self._nest: Nest | None = None
        self._left = False
        self._place: _Place | None = None  # the one that is waited for

    async def __aenter__(self) -> Self:
        self._nest = await Nest().__aenter__()
        self._begin(self._nest.nursery.start_soon)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._nest is not None
        self._left = True
        self._flow.places.close()
        await self._nest.__aexit__(*exc)  # noqa: ASYNC102 - its tasks are cancelled

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer_co:
        """The next answer.

        Raises:
            httpx.RequestError: what its request raised.
        """
        self._flow.deadline = trio.current_effective_deadline()
        if not self._started:
            self._begin(self._start)
        if self._place is None:
            try:
                self._place = await self._flow.places.receive()
            except (trio.EndOfChannel, trio.ClosedResourceError):
                if not self._flow.is_whole and not self._left:
                    raise httpx.CloseError("the client was closed before all was asked for") from None
                raise StopAsyncIteration from None
        place = self._place
        await place.done.wait()
        self._place = None
        if place.error is None:
            return cast("Answer_co", place.answer)
        if self._return_exceptions and not place.is_last:
            return cast("Answer_co", place.error)
        raise place.error

    def __del__(self) -> None:
        flow = vars(self).get("_flow")
        if flow is not None and self._started and self._nest is None:
            with contextlib.suppress(RuntimeError):  # where no trio runs any more, there is nothing to end
                flow.scope.cancel(reason="nobody wants the answers")

    def _begin(self, start: Callable[[Callable[[], Awaitable[None]]], object]) -> None:
        self._started = True
        self._flow.deadline = trio.current_effective_deadline()
        start(self._flow.run)


async def _each(  # noqa: ASYNC900 - it opens no scope, and who reads it closes it
    source: Iterable[Asked] | AsyncIterable[Asked],
) -> AsyncGenerator[Asked, None]:
    """One after the other, whatever kind of source it is."""
    if isinstance(source, AsyncIterable):
        iterator = aiter(source)
        try:
            async for asked in iterator:
                yield asked
        finally:
            if isinstance(iterator, AsyncGenerator):
                await iterator.aclose()
    else:
        for asked in source:
            yield asked
