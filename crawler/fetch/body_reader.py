"""`BodyReader`: reads the body of a response within its limits: size, coding, memory."""

from __future__ import annotations

import io
import math
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx
import trio
from msgspec import Struct

from crawler.errors import BodyTooLarge
from crawler.frontier.body_budget import LARGE_BODY
from crawler.headers import Headers
from crawler.messages import Drop, Receive, Response
from crawler.transport.decoding import Decoder, make_decoder, parse_content_encoding
from crawler.transport.error_kinds import BOMB

if TYPE_CHECKING:
    from crawler.fetch.body_receiver import BodyReceiver
    from crawler.fetch.sender import Received
    from crawler.frontier.body_budget import BodyReservation

__all__ = ["BodyHandling", "BodyReader", "receiver_of"]

BOMB_CHECK_STEP: Final = 8 * 1024 * 1024
"""Bytes of a decoded body between two comparisons with the bytes received."""


class BodyHandling(Struct, eq=False):
    """How the body of one response is read: kept as a whole, truncated, or passed to a receiver."""

    truncate_at: int | None = None
    """Bytes after which the rest is ignored; no body is too large then. `None`: it must fit into `max_body`."""
    max_body: int = 0
    """Bytes that the decoded body may have. The downloader sets it for each request."""
    receiver: BodyReceiver | None = None
    """Takes the body as it arrives. `None`: it is kept in memory."""
    reservation: BodyReservation | None = None
    """Reserves memory for a large body. `None`: there is enough."""

    def max_gathered(self) -> float:
        """Return the size up to which a transport may gather the body; infinite if it is written piece by piece."""
        if self.receiver is not None:
            return math.inf
        return self.max_body if self.truncate_at is None else self.truncate_at


def receiver_of(receive: Receive) -> BodyReceiver:
    """Return a receiver that passes the bodies of one request to the choices of its caller."""
    from crawler.fetch.body_receiver import BodyReceiver  # noqa: PLC0415 - few crawls need it

    return BodyReceiver(receive)


class BodyReader:
    """Reads bodies."""

    def __init__(self, max_body: int, *, wants_wire: bool, keeps_incomplete: bool) -> None:
        self._limit = max_body
        self._wants_wire = wants_wire
        self._keeps_incomplete = keeps_incomplete

    def arrived(self, received: Received, handling: BodyHandling) -> bytes | None:
        """Return the body if it needs no decoding and has arrived together with the response; else `None`."""
        if self._wants_wire or received.is_coded or handling.receiver is not None:
            return None
        body = received.take_body()
        if body is not None and handling.truncate_at is None and len(body) > min(handling.max_body, BOMB_CHECK_STEP):
            _check_size(len(body), handling.max_body, received.stream)
        return body

    def read(self, received: Received, response: Response, handling: BodyHandling) -> Coroutine[Any, Any, bytes]:
        """Return the body of a response, or empty if its receiver has taken it."""
        if handling.receiver is not None:
            return self._receive(received, response, handling.max_body, handling.receiver)
        reservation = handling.reservation if handling.truncate_at is None else None
        return self._read(received, response, handling.max_body, handling.truncate_at, reservation=reservation)

    async def _receive(self, received: Received, response: Response, max_body: int, receiver: BodyReceiver) -> bytes:
        """Hand the body to its receiver as it arrives. Return what the receiver wants to be kept."""
        try:
            writer = await receiver.open(response)
        except BaseException:
            await received.stream.aclose()  # noqa: ASYNC102 - it does not wait, or not long
            raise
        if writer is None:
            return await self._read(received, response, min(max_body, self._limit))
        response._exchange = response._wire = None  # noqa: SLF001 - without its body, it is not what the server sent
        if isinstance(writer, Drop):
            await received.stream.aclose()
            return b""
        write = partial(receiver.write, writer, request=response.request)
        return await self._read(received, response, max_body, write=write)

    async def _read(
        self,
        received: Received,
        response: Response,
        max_body: int,
        truncate_at: int | None = None,
        *,
        write: Callable[[bytes], Awaitable[bool]] | None = None,
        reservation: BodyReservation | None = None,
    ) -> bytes:
        """Return the decoded body, at most as much of it as is allowed; empty if it is written instead.

        `write` returns whether further bytes are wanted.
        """
        next_check = min(max_body, BOMB_CHECK_STEP)
        whole: io.BytesIO | None = None  # joining a list of pieces would hold the body twice
        size, reserve_at = 0, math.inf if reservation is None else LARGE_BODY
        decoder = self._decoder_for(received, keeps=write is None) if received.is_coded else None
        stream = received.stream
        if decoder is not None:
            from crawler.transport.decoded_body import DecodedBody  # noqa: PLC0415 - the modules of a plain page are few

            stream = DecodedBody(stream, decoder, received.status)
        try:
            async for piece in stream:
                size += len(piece)
                if size > next_check and truncate_at is None:
                    next_check = _check_size(size, max_body, stream)
                    await trio.lowlevel.checkpoint()  # few coded bytes may be many
                if write is None:
                    whole = _appended(whole, piece)
                elif not await write(piece):
                    return b""
                if truncate_at is not None and size > truncate_at:
                    break
                if reservation is not None and size > reserve_at:
                    reserve_at = _expected_size(response.headers, size, max_body)
                    await _reserve(reservation, reserve_at)
        except httpx.HTTPError:
            if self._keeps_incomplete and whole is not None:
                response.body = whole.getvalue()
            raise
        finally:
            await stream.aclose()  # noqa: ASYNC102 - it does not wait, or not long
        body = b"" if whole is None else whole.getvalue()
        if self._wants_wire and write is None:
            from crawler.fetch.wire_body import keep_wire_body  # noqa: PLC0415 - few crawls need it

            keep_wire_body(received, response, decoder, body, is_complete=truncate_at is None or size <= truncate_at)
        return body

    def _decoder_for(self, received: Received, *, keeps: bool) -> Decoder | None:
        """Return a decoder for the content codings, which keeps the coded body if need be; `None` if one is unknown."""
        decoder = make_decoder(parse_content_encoding(received.headers.get_list("content-encoding")))
        if decoder is None or not (keeps and self._wants_wire):
            return decoder
        from crawler.fetch.wire_body import RecordingDecoder  # noqa: PLC0415 - few crawls need it

        return RecordingDecoder(decoder)


def _appended(whole: io.BytesIO | None, piece: bytes) -> io.BytesIO:
    """Return a buffer with one more piece of a body."""
    if whole is None:
        whole = io.BytesIO(piece)  # no copy
        whole.seek(0, io.SEEK_END)
    else:
        whole.write(piece)
    return whole


async def _reserve(reservation: BodyReservation, size: int) -> None:
    """Wait until there is memory for a body, or the deadline of its request has passed."""
    granted = reservation.reserve(size)
    if granted is not None:
        with trio.move_on_at(reservation.complete_by):
            await granted.wait()


def _expected_size(headers: Headers, size: int, max_body: int) -> int:
    """Return the size of a body of which `size` bytes have arrived: as declared, or a guess."""
    declared = headers.get("content-length", "")
    if "content-encoding" not in headers and declared.isascii() and declared.isdigit() and len(declared) < 20:
        return min(max(int(declared), size), max_body)
    # A body of undeclared size is expected to be four times as large as what has arrived of it.
    return min(4 * size, max_body)


def _check_size(size: int, max_body: int, source: object) -> int:
    """Check a body of which `size` bytes are decoded; return the size at which to check it again."""
    if size > max_body:
        raise BodyTooLarge(f"the body is larger than {max_body} bytes")
    received = getattr(source, "received", 0)  # other transports do not report it
    # A decoded body may be this many times as large as the bytes received. Pages and tables stay below 100, gzip can
    # reach 1032.
    if 0 < received * 500 < size:
        message = f"{received} bytes unpack to more than {size}: a decompression bomb"
        bomb = BodyTooLarge(message)
        bomb.kind = BOMB
        raise bomb
    return min(max_body, size + BOMB_CHECK_STEP)
