"""`WebServer`: serves an application over HTTP, protected by a `Guard`, while a block runs."""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import trio

from crawler import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hypercorn.config import Config
    from starlette.types import ASGIApp

__all__ = ["WebServer"]

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
HTTP_PORT: Final = 80
"""The port that clients leave out of ``Host``."""
GRACE: Final = 0.5
"""Seconds for responses in flight when the block ends."""


class WebServer:
    """A server on one port, a free one if it is 0; clients need the token, a random one if it is empty."""

    def __init__(self, host: str, port: int, token: str) -> None:
        if not 0 <= port <= 65_535:
            raise ConfigError(f"web: port must be from 0 to 65535, not {port}")
        if token and len(token) < 8:
            raise ConfigError("web: token must have at least 8 characters")
        if not (token.isascii() and token.isprintable()):
            raise ConfigError("web: token must consist of printable ASCII characters, which a header field can carry")
        self._host = host
        self._port = port
        self._token = token or secrets.token_urlsafe(16)

    @asynccontextmanager
    async def serving(self, app: ASGIApp) -> AsyncIterator[str]:
        """Serve an application while the block runs, and yield its address, with the token."""
        with self._listen() as listening:
            address = self._address(listening)
            async with trio.open_nursery() as nursery:
                ended = trio.Event()
                await nursery.start(self._serve, app, listening, ended.wait)
                try:
                    yield address
                finally:
                    ended.set()
                    nursery.cancel_scope.deadline = trio.current_time() + GRACE
                    nursery.cancel_scope.cancel(reason="the block has ended")

    def _listen(self) -> socket.socket:
        """Return the socket that listens."""
        try:
            [family, kind, _, _, address] = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with ExitStack() as stack:
                listening = stack.enter_context(socket.socket(family, kind))
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(address)
                listening.listen(64)
                stack.pop_all()
        except OSError as error:
            place = f"{self._host}:{self._port}"
            raise ConfigError(f"web: cannot listen on {place}: {(error.strerror or str(error)).lower()}") from None
        return listening

    def _address(self, listening: socket.socket) -> str:
        name = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{name}:{listening.getsockname()[1]}/?token={quote(self._token, safe='')}"

    def _names(self, port: int) -> set[str]:
        """Return the values of ``Host`` that are served; empty: any, for an address that has many names."""
        if self._host in ("", "0.0.0.0", "::"):  # noqa: S104 - asked for by the user
            return set()
        names = {self._host, *(LOOPBACK if self._host in LOOPBACK else ())}
        hosts = {f"[{name}]" if ":" in name else name for name in names}
        return {f"{host}:{port}" for host in hosts} | (hosts if port == HTTP_PORT else set())

    async def _serve(  # noqa: ASYNC128 - hypercorn calls started()
        self,
        app: ASGIApp,
        listening: socket.socket,
        ended: Callable[[], Awaitable[Any]],
        *,
        task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        from hypercorn.trio import serve  # noqa: PLC0415 - an extra

        from crawler_plugins.web.web_guard import Guard  # noqa: PLC0415 - an extra

        port = listening.getsockname()[1]
        guarded = Guard(app, self._token, self._names(port), port)
        await serve(guarded, _config(listening), shutdown_trigger=ended, task_status=task_status, mode="asgi")  # type: ignore[arg-type]


def _config(listening: socket.socket) -> Config:
    from hypercorn.config import Config  # noqa: PLC0415 - an extra

    config = Config()
    config.bind = [f"fd://{listening.detach()}"]  # hypercorn closes it
    config.graceful_timeout = GRACE
    config.accesslog = None
    config.errorlog = logging.getLogger("crawler.plugins.web")
    config.include_server_header = False
    return config
