"""`FaultCase`: one fault of a server and its expected outcome, and `Peer`: the connection on which a case runs."""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import attrs
import trio

if TYPE_CHECKING:
    from support.faults.server import FaultServer

__all__ = ["GOOD", "HEADERS_END", "FaultCase", "Handler", "Peer", "page", "response"]

HEADERS_END: Final = b"\r\n\r\n"
MAX_HEAD: Final = 65_536
"""Maximum size of the head of a request, in bytes."""
LINGER: Final = 1.0
"""Seconds that a client has to read what was sent, before its connection is closed."""
GOOD: Final = "<title>ok</title>all is well"
"""The text of a page that arrives as it should."""


@attrs.define(eq=False)
class Peer:
    """One connection, as the server sees it."""

    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]
    """The stream of the connection."""
    server: FaultServer
    """The server that accepted it."""
    head: bytes = b""
    """The head of the current request, unchanged."""
    target: str = ""
    """Path and query of the current request."""
    method: str = ""
    """Method of the current request."""
    count: int = 0
    """Number of the current request on this connection, from 1."""
    keep: bool = False
    """Whether the connection stays open after the response."""
    _received: bytearray = attrs.field(factory=bytearray)

    async def read_request(self) -> bool:
        """Read the head of the next request, and return whether there was one. Requests must not have a body."""
        while HEADERS_END not in self._received:
            chunk = await self.stream.receive_some(MAX_HEAD)
            if not chunk or len(self._received) > MAX_HEAD:
                return False
            self._received += chunk
        self.head, _, rest = bytes(self._received).partition(HEADERS_END)
        self._received = bytearray(rest)
        words = self.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        self.method, self.target = words[0], words[1] if len(words) > 1 else "/"
        self.count += 1
        self.keep = False
        return True

    async def serve(self, reply: bytes | Handler) -> None:
        """Answer requests until the connection is no longer kept.

        Parameters:
            reply: The bytes of each response, after which the connection is closed, or a handler that sends them.
        """
        while await self.read_request():
            if isinstance(reply, bytes):
                await self.send(reply)
            else:
                await reply(self)
            if not self.keep:
                break
        await self.finish()

    async def send(self, *parts: bytes, pause: float = 0.0) -> None:
        """Send bytes unchanged, part by part.

        Parameters:
            parts: The bytes to send.
            pause: Seconds to wait after each part.
        """
        for part in parts:
            await self.stream.send_all(part)
            if pause:
                await trio.sleep(pause)

    async def reset(self) -> None:
        """Close the connection with RST, as after a crash. What was sent before gets a moment to arrive."""
        await trio.sleep(0.02)
        raw = self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.socket.close()

    async def finish(self) -> None:
        """Close the connection in order: send the end, then read until the client closes, so that nothing is lost."""
        if isinstance(self.stream, trio.SocketStream):
            with trio.move_on_after(LINGER):
                await self.stream.send_eof()
                while await self.stream.receive_some(MAX_HEAD):
                    pass
        elif not self.keep:
            with trio.move_on_after(LINGER):
                await self.stream.aclose()
        await trio.aclose_forcefully(self.stream)


Handler = Callable[[Peer], Awaitable[None]]
"""Plays a case on a connection."""


@attrs.frozen(kw_only=True, eq=False)
class FaultCase:
    """A fault of a server, and the outcome that a careful client should have.

    The outcome is either a response, with `status` and in most cases `text`, or a failure, with `error` and `kind`.
    """

    name: str
    """The name, which is also the path."""
    about: str
    """One line about the behaviour of the server."""
    status: int = 0
    """The status of the final response; 0 means no response."""
    text: str | None = None
    """`Response.text` of the final response. `None` means any text."""
    error: str = ""
    """How the report counts the failure: ``connect_failed``, ``broken_exchange``, …; empty means no failure."""
    kind: str = ""
    """The finer kind of the failure: ``refused``, ``reset``, …; empty means any kind."""
    or_fails: bool = False
    """Whether both outcomes are acceptable, the response and the failure: clients differ."""
    answer: bytes | Handler | None = None
    """The bytes of the response, after which the connection is closed, or a handler that sends them."""
    accept: Handler | None = None
    """A handler for the connections to a port of its own. It is called before anything is read."""
    scheme: str = "http"
    """The scheme of the URL."""
    host: str = "127.0.0.1"
    """The host of the URL."""
    closed_port: bool = False
    """Whether the URL has a port on which no server listens."""
    certified: bool = False
    """Whether the server has a certificate, which a client trusts if it trusts `FaultServer.authority`."""

    @property
    def expected(self) -> str:
        """The expected outcome in words."""
        error = f"{self.error}.{self.kind}" if self.kind else self.error
        if error and not self.or_fails:
            return error
        response = f"status {self.status}" if self.text is None else f"status {self.status}: {self.text[:40]}"
        return f"{response}, or {error}" if error else response

    @property
    def hangs(self) -> bool:
        """Whether only a deadline of the client ends the case."""
        return self.error == "fetch_timeout"


def response(
    *lines: str | bytes, body: bytes | str | None = "", status: str | bytes = "HTTP/1.1 200 OK", length: bool = True
) -> bytes:
    """Return the bytes of a response. It is correct unless the arguments make it wrong.

    Parameters:
        lines: Header lines without line ends.
        body: The body. `None` omits the empty line after the headers, too.
        status: The status line without its line end.
        length: Whether to add a ``Content-Length``.
    """
    content = body.encode() if isinstance(body, str) else body
    encoded = [line.encode("latin-1") if isinstance(line, str) else line for line in (status, *lines)]
    if length and content is not None:
        encoded.append(b"Content-Length: %d" % len(content))
    head = b"".join(line + b"\r\n" for line in encoded)
    return head if content is None else head + b"\r\n" + content


def page(*lines: str | bytes, **more: str | bytes) -> bytes:
    """Return the bytes of a good HTML page, with more header lines or another status line.

    Parameters:
        lines: Header lines without line ends.
        more: ``status`` is a status line without its line end.
    """
    return response("Content-Type: text/html", *lines, body=GOOD, status=more.get("status", "HTTP/1.1 200 OK"))
