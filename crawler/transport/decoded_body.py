"""`DecodedBody`: the body of a response without its content codings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import httpx

from crawler.transport.decoding import CodingError, Decoder
from crawler.transport.error_kinds import ENDLESS
from crawler.transport.inspection import is_endless

__all__ = ["DecodedBody"]


class DecodedBody(httpx.AsyncByteStream):
    """Reads a coded body to its end, which has to be that of its coding, in pieces of at most 64 KiB."""

    def __init__(
        self, coded: httpx.AsyncByteStream, decoder: Decoder, status: int, request: httpx.Request | None = None
    ) -> None:
        self._coded = coded
        self._chunks = aiter(coded)
        self._decoder = decoder
        self._status = status
        self._request = request
        self._pieces: Iterator[bytes] = iter(())
        self._size = 0

    @property
    def received(self) -> int:
        """Bytes received so far, before decoding."""
        return self._decoder.received

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next bytes; no checkpoint if they have arrived already."""
        try:
            return await self._next()
        except CodingError as error:
            if self._request is not None:
                error.request = self._request
            raise

    async def _next(self) -> bytes:
        while True:
            for piece in self._pieces:
                self._size += len(piece)
                return piece
            if is_endless(self.received, self._size):
                raise CodingError("the server sends compressed data without content and without end", kind=ENDLESS)
            chunk = await anext(self._chunks, None)
            if chunk is None:
                self._decoder.end(self._status)
                raise StopAsyncIteration
            self._pieces = self._decoder.feed(chunk)

    async def aclose(self) -> None:
        """Close the response."""
        await self._coded.aclose()
