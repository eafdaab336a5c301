"""`Body`: the body of an answer, which says when it has ended; and what of it was read already."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Self

import httpx
import trio

__all__ = ["Body", "close", "read_ahead"]


class Body(httpx.AsyncByteStream):
    """A stream.

    Parameters:
        stream: the transport's own.
        on_end: called once when it has ended or is closed.
        head: what was read of it already.
        rest: where to read on; `None`: nowhere yet.
        error: what its reader raised, at the end of `head`.
    """

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
        """The next bytes.

        Raises:
            httpx.RequestError: no more will come, although there should be more.
        """
        if self._head:
            return self._head.pop(0)
        if self._error is not None:
            raise self._error
        assert self._rest is not None
        try:
            return await anext(self._rest)
        except BaseException as error:
            if isinstance(error, Exception):  # cancelled, it may still be read on
                self.on_end()
            raise

    async def aclose(self) -> None:
        """Be done with it."""
        try:
            if isinstance(self._rest, AsyncGenerator):
                await self._rest.aclose()
            await self._stream.aclose()
        finally:
            self.on_end()


class _Nothing(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:  # noqa: ASYNC900 - it has nothing to give
        return
        yield b""


async def close(stream: httpx.AsyncByteStream) -> None:
    """Closes a stream, also if its task is cancelled; a second is enough for that."""
    with trio.move_on_after(1, shield=True):
        await stream.aclose()


async def read_ahead(response: httpx.Response, on_end: Callable[[], None], *, most: int) -> bytes | None:
    """Reads a body, which can be read all the same afterwards. Returns it as it came.

    `None`: it is larger, and not ended. Where its reader raises what httpx raises, whoever reads it later gets that.

    Parameters:
        response: whose.
        on_end: called once when it has ended or is closed.
        most: bytes that are read.
    """
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    rest = aiter(stream)
    head: list[bytes] = []
    size, fault = 0, None
    try:
        async for chunk in rest:
            head.append(chunk)
            size += len(chunk)
            if size > most:
                response.stream = Body(stream, on_end, head=head, rest=rest)
                return None
    except httpx.HTTPError as error:
        fault = error
    except BaseException:
        await close(stream)  # noqa: ASYNC102 - it is shielded, and takes a second at most
        on_end()
        raise
    await close(stream)
    on_end()
    whole = b"".join(head)
    response.stream = Body(_Nothing(), on_end, head=head, error=fault)
    return whole
