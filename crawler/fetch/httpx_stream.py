"""`HttpxStream`: the body of a response from a transport other than `CurlTransport`. It may be left early."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Final, cast

import httpx
import trio

__all__ = ["HttpxStream"]

MAX_LEFTOVER_CHUNKS: Final = 1000
"""Chunks that a closed response may still yield before it raises."""
CLOSE_TIMEOUT: Final = 1.0
"""Seconds that closing a response may take."""


class HttpxStream(httpx.AsyncByteStream):
    """The body of a response, without the content codings that httpx has decoded already.

    Parameters:
        received: The response.
    """

    def __init__(self, received: httpx.Response) -> None:
        self._received = received
        chunks = received.aiter_bytes() if received.is_stream_consumed else received.aiter_raw()
        self._chunks = cast("AsyncGenerator[bytes, None]", chunks)  # annotated as an iterator, it is a generator

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def aclose(self) -> None:
        """Close the response, in a cancelled scope too.

        httpx and httpcore nest generators without closing the inner ones. Reading on after the end of the closed stream
        lets each of them raise, and so end.
        """
        with trio.move_on_after(CLOSE_TIMEOUT, shield=True), suppress(Exception):
            await self._received.aclose()
            for _ in range(MAX_LEFTOVER_CHUNKS):  # the chunks buffered already come before the exception
                await anext(self._chunks)
        await self._chunks.aclose()
