"""The body of a response in its content coding, in addition to the decoded one, for `Response.wire`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crawler.transport.decoding import Decoder

if TYPE_CHECKING:
    from crawler.fetch.sender import Received
    from crawler.messages import Response

__all__ = ["RecordingDecoder", "keep_wire_body"]


class RecordingDecoder(Decoder):
    """A decoder that keeps what it is fed."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__(decoder.stages)
        self.chunks: list[bytes] = []
        """The coded body so far."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Keep and decode the next bytes of the body."""
        self.chunks.append(chunk)
        return super().feed(chunk)


def keep_wire_body(
    received: Received, response: Response, decoder: Decoder | None, body: bytes, *, is_complete: bool
) -> None:
    """Make the coded body part of `response.wire`."""
    coded: bytes | None = body
    if isinstance(decoder, RecordingDecoder):
        coded = b"".join(decoder.chunks)
    elif "content-encoding" in response.headers and not received.is_coded:
        coded = None
    exchange = response._exchange  # noqa: SLF001 - not for users
    assert exchange is not None
    response._exchange = (*exchange[:-2], coded, is_complete)  # noqa: SLF001
