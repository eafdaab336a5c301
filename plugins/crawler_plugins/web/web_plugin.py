"""`Web`: the plugin that serves the web page while the crawl runs."""

from __future__ import annotations

import logging
import re
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import trio

from crawler import ConfigError, Crawl, Drop, Failure, Item, Plugin, Request, Response
from crawler_plugins.web.observer import Observer, Recorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hypercorn.config import Config

__all__ = ["Web"]

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
HTTP_PORT: Final = 80
"""The port that clients leave out of ``Host``."""
GRACE: Final = 0.5
"""Seconds for responses in flight when the crawl ends."""


class Web(Plugin):
    """Serves a web page of the crawl while it runs: rates, hosts and why they wait, failures, items, pages, queue, log.

    Hosts can be paused and paced, failures retried, patterns excluded, and the crawl stopped. The address with its
    token is printed on standard error. The page loads nothing from elsewhere. A JSON API is below ``/api/``.

    Parameters:
        host: Address to listen on. Anything but loopback is reachable by others, who need the token.
        port: Port; 0: a free one.
        token: The token that browsers and programs need; empty: a random one. ``env:NAME`` reads it from the
            environment.

    Raises:
        ConfigError: An option is out of range, or the port is taken.
    """

    requires = {"hypercorn": "trio-crawler[ui]", "starlette": "trio-crawler[ui]"}  # noqa: RUF012

    def __init__(self, host: str = "127.0.0.1", port: int = 0, token: str = "") -> None:
        if not 0 <= port <= 65_535:
            raise ConfigError(f"web: port must be from 0 to 65535, not {port}")
        if token and len(token) < 8:
            raise ConfigError("web: token must have at least 8 characters")
        if not (token.isascii() and token.isprintable()):
            raise ConfigError("web: token must consist of printable ASCII characters, which a cookie can carry")
        self.host = host
        self.port = port
        self.address = ""
        """The address of the page, with its token, once it is served."""
        self.excluded: dict[str, re.Pattern[str]] = {}
        """The patterns of URLs that are dropped."""
        self.is_paused = False
        """Whether all hosts are paused."""
        self._token = token or secrets.token_urlsafe(16)

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Serve the page while the crawl runs."""
        self.observer = Observer(crawl)
        recorder = Recorder(self.observer)
        listening = self._listen()
        root = logging.getLogger()
        root.addHandler(recorder)
        try:
            with listening:
                async with trio.open_nursery() as nursery:
                    ended = trio.Event()
                    await nursery.start(self._serve, listening, ended.wait)
                    nursery.start_soon(self._sample)
                    sys.stderr.write(f"web page: {self.address}\n")
                    try:
                        yield
                    finally:
                        ended.set()
                        nursery.cancel_scope.deadline = trio.current_time() + GRACE
                        nursery.cancel_scope.cancel(reason="the crawl has ended")
        finally:
            root.removeHandler(recorder)

    def admit(self, request: Request) -> Drop | None:
        """Note a new request, or drop one that is excluded."""
        if self.excludes(request.url):
            return Drop("excluded")
        self.observer.note_request(request)
        return None

    async def fetch(self, request: Request, send: Callable[[Request], Awaitable[Response]]) -> Drop | None:
        """Drop a request that was excluded while it waited."""
        return Drop("excluded") if self.excludes(request.url) else None

    def parse(self, response: Response) -> None:
        """Note a page."""
        self.observer.note_page(response)

    async def refine(self, item: Item, response: Response) -> None:
        """Note an item."""
        self.observer.note_item(item, response)

    async def failed(self, failure: Failure) -> None:
        """Note a failure."""
        self.observer.note_failure(failure)

    def exclude(self, pattern: str) -> None:
        """Drop requests whose URL matches a regular expression from now on, those that wait included.

        Raises:
            re.error: It is no regular expression.
        """
        self.excluded[pattern] = re.compile(pattern)

    def excludes(self, url: str) -> bool:
        """Return whether a URL is excluded."""
        return any(pattern.search(url) for pattern in self.excluded.values())

    # ---- the server --------------------------------------------------------------------------------------------------

    def _listen(self) -> socket.socket:
        """Return the socket that listens."""
        try:
            [family, kind, _, _, address] = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with ExitStack() as stack:
                listening = stack.enter_context(socket.socket(family, kind))
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind(address)
                listening.listen(64)
                stack.pop_all()
        except OSError as error:
            place = f"{self.host}:{self.port}"
            raise ConfigError(f"web: cannot listen on {place}: {(error.strerror or str(error)).lower()}") from None
        port = listening.getsockname()[1]
        name = f"[{self.host}]" if ":" in self.host else self.host
        self.address = f"http://{name}:{port}/?token={quote(self._token, safe='')}"
        return listening

    def _names(self, port: int) -> set[str]:
        """Return the values of ``Host`` that are served; empty: any, for an address that has many names."""
        if self.host in ("", "0.0.0.0", "::"):  # noqa: S104 - asked for by the user
            return set()
        names = {self.host, *(LOOPBACK if self.host in LOOPBACK else ())}
        hosts = {f"[{name}]" if ":" in name else name for name in names}
        return {f"{host}:{port}" for host in hosts} | (hosts if port == HTTP_PORT else set())

    async def _serve(  # noqa: ASYNC128 - hypercorn calls started()
        self,
        listening: socket.socket,
        ended: Callable[[], Awaitable[Any]],
        *,
        task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        from hypercorn.trio import serve  # noqa: PLC0415 - an extra

        from crawler_plugins.web.web_api import make_app  # noqa: PLC0415 - an extra
        from crawler_plugins.web.web_guard import Guard  # noqa: PLC0415 - an extra

        port = listening.getsockname()[1]
        app = Guard(make_app(self), self._token, self._names(port))
        await serve(app, _config(listening), shutdown_trigger=ended, task_status=task_status, mode="asgi")  # type: ignore[arg-type]

    async def _sample(self) -> None:
        """Take snapshots, so that the plots have no gaps while nobody looks."""
        while True:
            self.observer.snapshot(0)
            await trio.sleep(1.0)


def _config(listening: socket.socket) -> Config:
    from hypercorn.config import Config  # noqa: PLC0415 - an extra

    config = Config()
    config.bind = [f"fd://{listening.detach()}"]  # hypercorn closes it
    config.graceful_timeout = GRACE
    config.accesslog = None
    config.errorlog = logging.getLogger("crawler.plugins.web")
    config.include_server_header = False
    return config
