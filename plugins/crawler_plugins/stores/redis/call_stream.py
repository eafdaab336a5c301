"""`CallStream`: a connection to Redis or Valkey for calls, one after the other.

coredis has a task that writes, one that reads, and queues between them. A call of a store waits for its answer anyway,
so this connection writes and reads in the task of the call, which saves a worker a quarter of its CPU time. The parser
is that of coredis.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import trio
from coredis.exceptions import ConnectionError as ConnectionLost
from coredis.exceptions import RedisError
from coredis.parser import NOT_ENOUGH_DATA, Parser

from crawler_plugins.stores.redis.address import Address

__all__ = ["CallStream"]

READ: Final = 1 << 16
"""Bytes of one read."""


class CallStream:
    """A connection for calls. It is closed for good by an error, and by a call that is cancelled.

    Parameters:
        plain: Connected to the server.
        stream: The same, with TLS perhaps.
    """

    def __init__(self, plain: trio.SocketStream, stream: trio.abc.Stream) -> None:
        self._socket = plain.socket
        self._stream = stream
        self._parser = Parser()
        self._lock = trio.Lock()
        self.is_closed = False

    @classmethod
    async def open(cls, address: Address, context: ssl.SSLContext | None, options: Mapping[int, int]) -> Self:
        """Connect to the server, and choose user and database.

        Parameters:
            address: Where the server is.
            context: For TLS; `None`: without it.
            options: Of the socket, for ``IPPROTO_TCP``.

        Raises:
            RedisError: The server cannot be reached, or refuses.
        """
        try:
            plain = await trio.open_tcp_stream(address.host, address.port)
        except OSError as error:
            raise ConnectionLost(f"Unable to establish a connection to {address.host}:{address.port}") from error
        plain.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options.items():
            plain.socket.setsockopt(socket.IPPROTO_TCP, name, value)
        stream = plain if context is None else trio.SSLStream(plain, context, server_hostname=address.host)
        made = cls(plain, stream)
        begin: list[tuple[bytes, ...]] = []
        if address.password is not None:
            user = [] if address.username is None else [address.username.encode()]
            begin.append((b"AUTH", *user, address.password.encode()))
        if address.database:
            begin.append((b"SELECT", b"%d" % address.database))
        try:
            await made.call(*begin)
        except BaseException:
            made.close()
            raise
        return made

    async def call(self, *commands: Sequence[bytes]) -> list[Any]:
        """Send commands together, and return their answers.

        Raises:
            RedisError: The connection has ended, or one of the answers is an error.
        """
        data = b"".join(map(_packed, commands))
        answers: list[Any] = []
        async with self._lock:
            try:
                await self._stream.send_all(data)
                while len(answers) < len(commands):
                    answer: Any = self._parser.parse()
                    if answer is NOT_ENOUGH_DATA:
                        self._parser.feed(await self._received())
                    else:
                        answers.append(answer[1])
            except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError) as error:
                raise ConnectionLost("the connection to the server has ended") from error
            finally:
                if len(answers) < len(commands):  # the next answer would be that of this call
                    self.close()
        for answer in answers:
            if isinstance(answer, RedisError):
                raise answer
        return answers

    async def _received(self) -> bytes:
        data = await self._stream.receive_some(READ)
        if not data:
            raise trio.BrokenResourceError("the server has closed the connection")
        return bytes(data)

    def close(self) -> None:
        """Close the connection at once. A call that waits for it raises."""
        self.is_closed = True
        self._socket.close()


def _packed(command: Sequence[bytes]) -> bytes:
    """Return a command as the server reads it."""
    return b"".join([b"*%d\r\n" % len(command), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)])
