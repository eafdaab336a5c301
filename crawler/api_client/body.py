"""`Body`: the body of a response that reports its end, and may have been read ahead."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Self

import httpx
import trio

__all__ = ["Body", "close", "read_ahead"]


class Body(httpx.AsyncByteStream):
    """The body of a response."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        on_end: Callable[[], None],
        *,
        head: list[bytes] | None = None,
        rest: AsyncIterator[bytes] | None = None,
        error: Exception | None = None,
    ) -> None:
        self._stream = stream
        self.on_end = on_end
        self._head = head
        self._rest = rest
        self._error = error

    def __aiter__(self) -> Self:
        if self._rest is None:
            self._rest = aiter(self._stream)
        return self

    async def __anext__(self) -> bytes:
        """Return the next bytes."""
        if self._head:
            return self._head.pop(0)
        if self._error is not None:
            raise self._error
        assert self._rest is not None
        try:
            return await anext(self._rest)
        except BaseException as error:
            if isinstance(error, Exception):  # after a cancellation it may be read further
                self.on_end()
            raise

    async def aclose(self) -> None:
        """Close the stream."""
        try:
            if isinstance(self._rest, AsyncGenerator):
                await self._rest.aclose()
            await self._stream.aclose()
        finally:
            self.on_end()


class _EmptyStream(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:  # noqa: ASYNC900 - it yields nothing
        return
        yield b""


async def close(stream: httpx.AsyncByteStream) -> None:
    """Close a stream within a second, even in a cancelled task."""
    with trio.move_on_after(1, shield=True):
        await stream.aclose()


async def read_ahead(response: httpx.Response, on_end: Callable[[], None], *, max_size: int) -> bytes | None:
    """Read the body of a response and return it as received; the response can still be read afterwards.

    `None` means that the body is larger, and open. If reading raises an exception of httpx, the later reader gets it.
    """
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    rest = aiter(stream)
    head: list[bytes] = []
    size, failure = 0, None
    try:
        async for chunk in rest:
            head.append(chunk)
            size += len(chunk)
            if size > max_size:
                response.stream = Body(stream, on_end, head=head, rest=rest)
                return None
    except httpx.HTTPError as error:
        failure = error
    except BaseException:
        await close(stream)  # noqa: ASYNC102 - shielded, for a second at most
        on_end()
        raise
    await close(stream)
    on_end()
    whole = b"".join(head)
    response.stream = Body(_EmptyStream(), on_end, head=head, error=failure)
    return whole
