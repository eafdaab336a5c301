"""`Channel`: messages in both directions over a stream socket. Sending never waits.

Messages that are sent in one turn of the event loop go out together: a wake-up of the other process costs as much as
several messages. They are one MessagePack array, a frame, which the other end decodes at once.
"""

from __future__ import annotations

import socket
from typing import Any, Final

import msgspec
import trio
import trio_util

from crawler.engine.processes.wire import ENCODER

__all__ = ["Channel", "receive_now", "send_now"]

LENGTH: Final = 8
"""Bytes of the length before each frame."""
ARRAY: Final = b"\xdd"
"""What begins a MessagePack array whose length takes 4 bytes."""
FULL: Final = 1 << 17
"""Bytes of messages from which on the next message is in another frame."""
READ: Final = 1 << 18
"""Bytes of one read."""


class Channel:
    """Sends and receives messages. `run_writer` must run in a task meanwhile."""

    def __init__(self, end: socket.socket, decoder: msgspec.msgpack.Decoder[Any]) -> None:
        end.setblocking(False)
        self._end = end
        self._decode = decoder.decode
        self._buffer = bytearray(READ)  # kept, since it is costly to allocate one for each read
        self._filled = 0
        self._messages = bytearray()  # of the next frame
        self._count = 0
        self._frames = bytearray()
        self._has_waiting = trio.Event()
        self._drained = trio_util.RepeatedEvent()

    @property
    def is_behind(self) -> bool:
        """Whether something is not sent yet."""
        return bool(self._count or self._frames)

    def send(self, message: Any) -> None:
        """Send a message in the next turn of the event loop. An end that does not read is noticed by `receive`."""
        self.gather(message)
        self._has_waiting.set()

    def gather(self, message: Any) -> None:
        """Send a message with the next `flush` or `send`."""
        self._messages += ENCODER.encode(message)  # not into the buffer: an error would leave a part of it there
        self._count += 1
        if len(self._messages) > FULL:
            self._end_frame()

    def flush(self) -> None:
        """Send now what the socket takes."""
        if self._count:
            self._end_frame()
        try:
            while self._frames:
                del self._frames[: self._end.send(self._frames)]
        except BlockingIOError:
            self._has_waiting.set()
        except OSError:
            self._frames.clear()  # the other process has ended

    def _end_frame(self) -> None:
        """Make a frame of the messages so far."""
        head = ARRAY + self._count.to_bytes(4, "big")
        self._frames += (len(head) + len(self._messages)).to_bytes(LENGTH, "big") + head
        self._frames += self._messages
        self._messages.clear()
        self._count = 0

    async def run_writer(self) -> None:
        """Send what was sent since the last turn, and what the socket did not take, until the channel is closed."""
        while True:
            await self._has_waiting.wait()
            self._has_waiting = trio.Event()
            self.flush()
            while self._frames:
                try:
                    await trio.lowlevel.wait_writable(self._end)
                except trio.ClosedResourceError:
                    return
                self.flush()
            self._drained.set()

    async def receive(self) -> list[Any]:
        """Return the next messages, at least one; none if the other end is closed."""
        while True:  # noqa: ASYNC913 - what has arrived is taken without a wait
            try:
                size = self._end.recv_into(memoryview(self._buffer)[self._filled :])
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._end)
                continue
            except OSError:
                return []
            if not size:
                return []
            self._filled += size
            messages = self._take()
            if messages:
                return messages

    def _take(self) -> list[Any]:
        """Return the messages of the frames that have arrived whole, and keep the rest in the buffer."""
        messages: list[Any] = []
        start, filled = 0, self._filled
        needed = 0
        with memoryview(self._buffer) as view:
            while filled - start >= LENGTH:
                end = start + LENGTH + int.from_bytes(view[start : start + LENGTH], "big")
                if filled < end:
                    needed = end - start
                    break
                messages += self._decode(view[start + LENGTH : end])
                start = end
        if start:
            rest = self._buffer[start:filled]
            self._buffer[: len(rest)] = rest
            self._filled = len(rest)
        if needed > len(self._buffer):
            self._buffer += bytes(needed - len(self._buffer))
        elif not self._filled and len(self._buffer) > READ:
            self._buffer = bytearray(READ)  # the large frame has gone
        return messages

    async def drain(self) -> None:
        """Wait until everything is sent."""
        while self.is_behind:
            await self._drained.wait()

    def close(self) -> None:
        """Close this end: the other one receives what was sent before, then nothing more."""
        trio.lowlevel.notify_closing(self._end)
        self._end.close()


def send_now(end: socket.socket, data: bytes) -> None:
    """Send bytes as one frame over a blocking socket."""
    end.sendall(len(data).to_bytes(LENGTH, "big") + data)


def receive_now(end: socket.socket) -> bytes:
    """Return the next frame of a blocking socket."""
    length = int.from_bytes(_exactly(end, LENGTH), "big")
    return _exactly(end, length)


def _exactly(end: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = end.recv(size - len(data))
        if not part:
            raise EOFError("the other process has ended")
        data += part
    return bytes(data)
