"""`Connection`: the Chrome DevTools Protocol over any `Channel` of messages. Commands can be cancelled at any time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
import trio

__all__ = ["Channel", "CommandFailed", "Connection", "Disconnected", "Listener", "PipeChannel"]

PIECE: Final = 1 << 20
"""Maximum number of bytes that are read from a pipe at once."""

Listener = Callable[[str, dict[str, Any]], None]
"""Takes the name and the parameters of an event. It must not wait."""


class CommandFailed(Exception):
    """Raised when the browser rejects a command."""


class Disconnected(CommandFailed):
    """Raised when the browser or the tab of a command has closed."""


class Channel(Protocol):
    """A connection that carries whole messages."""

    async def send(self, message: bytes) -> None:
        """Send a message.

        Raises:
            trio.BrokenResourceError: The peer is gone.
        """

    async def receive(self) -> bytes | None:
        """Return the next message; `None` if the peer is gone."""


class PipeChannel:
    """Messages over the pipes of ``--remote-debugging-pipe``: JSON texts, each followed by a zero byte.

    Parameters:
        commands: Takes the messages to the browser.
        events: Has the messages of the browser.
    """

    def __init__(self, commands: trio.abc.SendStream, events: trio.abc.ReceiveStream) -> None:
        self._commands = commands
        self._events = events
        self._buffer = bytearray()

    async def send(self, message: bytes) -> None:
        """Send a message."""
        await self._commands.send_all(message + b"\0")

    async def receive(self) -> bytes | None:
        """Return the next message; `None` if the browser is gone."""
        searched = 0
        while (end := self._buffer.find(b"\0", searched)) < 0:
            searched = len(self._buffer)
            try:
                piece = await self._events.receive_some(PIECE)
            except trio.BrokenResourceError:
                return None
            if not piece:
                return None
            self._buffer += piece
        message = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return message


class _Call:
    """A command whose result is awaited."""

    __slots__ = ("done", "message", "session")

    def __init__(self, session: str) -> None:
        self.session = session
        self.done = trio.Event()
        self.message: dict[str, Any] | None = None


class Connection:
    """A connection to a browser. `run` must run in a task of its own.

    Commands are queued without a wait, so a cancelled command never leaves half of a message.

    Parameters:
        channel: Carries the messages.
    """

    def __init__(self, channel: Channel) -> None:
        self.is_closed = False
        """Whether the browser is gone."""
        self._channel = channel
        self._outgoing, self._queue = trio.open_memory_channel[bytes](float("inf"))
        self._calls: dict[int, _Call] = {}
        self._listeners: dict[str, Listener] = {}
        self._number = 0

    async def run(self) -> None:
        """Carry messages until the browser is gone."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                while (message := await self._channel.receive()) is not None:
                    self._dispatch(msgspec.json.decode(message))
                nursery.cancel_scope.cancel(reason="the browser is gone")
        finally:
            self.is_closed = True
            self.abandon(None)

    def listen(self, session: str, listener: Listener | None) -> None:
        """Hand the events of a session to a listener from now on; `None` drops them."""
        if listener is None:
            self._listeners.pop(session, None)
        else:
            self._listeners[session] = listener

    def post(self, method: str, session: str = "", /, **params: Any) -> int:
        """Send a command whose result does not matter, and return its number. A closed connection ignores it."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        if not self.is_closed:
            self._outgoing.send_nowait(msgspec.json.encode(message))
        return self._number

    async def call(self, method: str, session: str = "", /, **params: Any) -> dict[str, Any]:
        """Send a command, and return its result.

        Parameters:
            method: Such as ``Page.navigate``.
            session: The session of a tab; empty for the browser itself.
            params: The parameters of the command.

        Raises:
            CommandFailed: The browser rejected it.
            Disconnected: The browser or the tab is gone.
        """
        if self.is_closed:
            raise Disconnected("the browser is gone")
        call = _Call(session)
        number = self.post(method, session, **params)
        self._calls[number] = call
        try:
            await call.done.wait()
        finally:
            self._calls.pop(number, None)
        if call.message is None:
            raise Disconnected("the browser is gone" if self.is_closed else "the tab is gone")
        if "error" in call.message:
            raise CommandFailed(f"{method}: {call.message['error'].get('message', 'failed')}")
        result: dict[str, Any] = call.message.get("result", {})
        return result

    def abandon(self, session: str | None) -> None:
        """Fail the commands of a closed session; `None`: those of all sessions."""
        for call in self._calls.values():
            if session is None or call.session == session:
                call.done.set()

    def _dispatch(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        if number is not None:
            call = self._calls.get(number)
            if call is not None:
                call.message = message
                call.done.set()
            return
        listener = self._listeners.get(message.get("sessionId", ""))
        if listener is not None:
            listener(message["method"], message.get("params", {}))

    async def _write(self) -> None:
        try:
            async for message in self._queue:
                await self._channel.send(message)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the reader notices it
