"""`FaultCase`: one thing that a server does wrong, and `Peer`: the connection that it does it on."""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import attrs
import trio

if TYPE_CHECKING:
    from crawler.testing.faults.server import FaultServer

__all__ = ["GOOD", "HEADERS_END", "FaultCase", "Handler", "Peer", "answer", "page"]

HEADERS_END: Final = b"\r\n\r\n"
LONGEST_HEAD: Final = 65_536
PATIENCE: Final = 1.0
"""Seconds that a client is given to read what was sent, before its connection is closed."""
GOOD: Final = "<title>ok</title>all is well"
"""The text of a page that came through."""


@attrs.define(eq=False)
class Peer:
    """One connection, as the server sees it."""

    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]
    """Where its bytes come from and go to."""
    server: FaultServer
    """Whose it is."""
    head: bytes = b""
    """The head of the request that is being answered, as it came."""
    target: str = ""
    """Its path and query."""
    method: str = ""
    """Its method."""
    count: int = 0
    """Which request of this connection that is, from 1."""
    keep: bool = False
    """Whether the connection stays open behind the answer."""
    _received: bytearray = attrs.field(factory=bytearray)

    async def read_request(self) -> bool:
        """The head of the next request; false: there is none. Bodies are not read: nobody sends one."""
        while HEADERS_END not in self._received:
            chunk = await self.stream.receive_some(LONGEST_HEAD)
            if not chunk or len(self._received) > LONGEST_HEAD:
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
        """Answers request after request, as long as the connection is kept.

        Parameters:
            reply: the bytes of each answer, after which the connection is closed, or what sends them.
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
        """Sends bytes as they are, part by part.

        Parameters:
            parts: what to send.
            pause: seconds behind each part.
        """
        for part in parts:
            await self.stream.send_all(part)
            if pause:
                await trio.sleep(pause)

    async def reset(self) -> None:
        """Closes with RST, as a machine does that has crashed. What was sent is given a moment to arrive."""
        await trio.sleep(0.02)
        raw = self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.socket.close()

    async def finish(self) -> None:
        """Closes in peace: the end is sent, and what still comes is read, so that nothing sent is lost."""
        if isinstance(self.stream, trio.SocketStream):
            with trio.move_on_after(PATIENCE):
                await self.stream.send_eof()
                while await self.stream.receive_some(LONGEST_HEAD):
                    pass
        elif not self.keep:
            with trio.move_on_after(PATIENCE):
                await self.stream.aclose()
        await trio.aclose_forcefully(self.stream)


Handler = Callable[[Peer], Awaitable[None]]
"""What a case does on a connection."""


@attrs.frozen(kw_only=True, eq=False)
class FaultCase:
    """Something that goes wrong, and what a careful client makes of it.

    A client that does what is expected gets either an answer (`status`, and `text` if that says more), or the error.
    """

    name: str
    """Its name, which is its path too."""
    about: str
    """What the server does, one line."""
    status: int = 0
    """The status of the answer that arrives in the end; 0: none does."""
    text: str | None = None
    """What `Response.text` is; `None`: that is not the point."""
    error: str = ""
    """What the report counts it as: ``connect_failed``, ``broken_exchange``, …; empty: it is no failure."""
    kind: str = ""
    """The finer kind of that error: ``refused``, ``reset``, …; empty: there is none, or it is not the point."""
    or_fails: bool = False
    """Whether `error` is as right as the answer: clients differ, and both is sane."""
    answer: bytes | Handler | None = None
    """The bytes of the answer, after which the connection is closed, or what sends them."""
    accept: Handler | None = None
    """For a port of its own: what is done with each connection, before anything of it was read."""
    scheme: str = "http"
    """Of its URL."""
    host: str = "127.0.0.1"
    """Of its URL."""
    closed_port: bool = False
    """Whether nobody listens at its port."""
    needs_trustme: bool = False
    """Whether a certificate is made for it, by the package ``trustme``."""

    @property
    def expected(self) -> str:
        """What a careful client makes of it, in words."""
        error = f"{self.error}.{self.kind}" if self.kind else self.error
        if error and not self.or_fails:
            return error
        told = f"status {self.status}" if self.text is None else f"status {self.status}: {self.text[:40]}"
        return f"{told}, or {error}" if error else told

    @property
    def hangs(self) -> bool:
        """Whether only a deadline of the client ends it."""
        return self.error == "fetch_timeout"


def answer(
    *lines: str | bytes, body: bytes | str | None = "", status: str | bytes = "HTTP/1.1 200 OK", length: bool = True
) -> bytes:
    """The bytes of an answer, right but for what is given.

    Parameters:
        lines: header lines without their ends.
        body: the body; `None`: there is no blank line either.
        status: the status line without its end.
        length: whether its ``Content-Length`` is added.
    """
    content = body.encode() if isinstance(body, str) else body
    encoded = [line.encode("latin-1") if isinstance(line, str) else line for line in (status, *lines)]
    if length and content is not None:
        encoded.append(b"Content-Length: %d" % len(content))
    head = b"".join(line + b"\r\n" for line in encoded)
    return head if content is None else head + b"\r\n" + content


def page(*lines: str | bytes, **more: str | bytes) -> bytes:
    """A good HTML page with more header lines, or another status line.

    Parameters:
        lines: header lines without their ends.
        more: ``status``: the status line without its end.
    """
    return answer("Content-Type: text/html", *lines, body=GOOD, status=more.get("status", "HTTP/1.1 200 OK"))
