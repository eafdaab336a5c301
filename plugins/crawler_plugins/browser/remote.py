"""`run_remote`: a browser that runs elsewhere, and is driven over a WebSocket."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import trio

from crawler import ConfigError, CrawlFailed
from crawler_plugins.browser.cdp import CommandFailed, Connection
from crawler_plugins.browser.chromium import Chromium

if TYPE_CHECKING:
    from trio_websocket import WebSocketConnection

__all__ = ["WebSocketChannel", "check_url", "run_remote"]

MAX_MESSAGE: Final = 512 * 1024 * 1024
"""Bytes of a message, which contains a whole document or picture."""
CONNECT_SECONDS: Final = 30.0
"""Seconds in which a browser must answer."""


class WebSocketChannel:
    """Messages over a WebSocket.

    Parameters:
        socket: The connection.
    """

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket

    async def send(self, message: bytes) -> None:
        """Send a message.

        Raises:
            trio.BrokenResourceError: The browser is gone.
        """
        from trio_websocket import ConnectionClosed  # noqa: PLC0415 - an extra

        try:
            await self._socket.send_message(message.decode())
        except ConnectionClosed as error:
            raise trio.BrokenResourceError from error

    async def receive(self) -> bytes | None:
        """Return the next message; `None` if the browser is gone."""
        from trio_websocket import ConnectionClosed  # noqa: PLC0415 - an extra

        try:
            message = await self._socket.get_message()
        except ConnectionClosed:
            return None
        return message.encode() if isinstance(message, str) else message


def check_url(url: str) -> None:
    """Check that a remote browser can be connected to.

    Raises:
        ConfigError: The URL is not that of a WebSocket, or the package for WebSockets is not installed.
    """
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ConfigError("browser: url must be like ws://host:9222/devtools/browser/…, as the browser prints it")
    if importlib.util.find_spec("trio_websocket") is None:
        raise ConfigError("browser: url needs trio-websocket: pip install 'trio-crawler[browser]'")


async def run_remote(  # noqa: ASYNC114 - a task of a pool, not of a context manager
    url: str, *, task_status: trio.TaskStatus[Chromium] = trio.TASK_STATUS_IGNORED
) -> None:
    """Stay connected to a browser until its `closing` is set, it ends, or the task is cancelled.

    Parameters:
        url: Its address.
        task_status: Gets the browser when it has answered.

    Raises:
        CrawlFailed: It does not answer.
    """
    from trio_websocket import HandshakeError  # noqa: PLC0415 - an extra

    problem = ""
    try:
        stream = await _open(url)
    except (OSError, trio.TooSlowError) as error:
        problem = str(error) or type(error).__name__
    else:
        try:
            async with trio.open_nursery() as nursery:
                try:
                    browser = await _connect(stream, url, nursery)
                except (OSError, CommandFailed, trio.TooSlowError) as error:  # a nursery would make a group of it
                    problem = str(error) or type(error).__name__
                else:
                    task_status.started(browser)
                    await browser.closing.wait()
                nursery.cancel_scope.cancel(reason="the browser is no longer needed")
        except* HandshakeError:  # from a task of the connection
            problem = "it refuses the connection"
        finally:
            await trio.aclose_forcefully(stream)
    if problem:
        raise CrawlFailed(f"browser: no browser answers at {urlsplit(url).hostname}: {problem}")


async def _open(url: str) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    """Return a connection to the host of a URL.

    Raises:
        OSError, trio.TooSlowError: It cannot be reached.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    with trio.fail_after(CONNECT_SECONDS):
        if parts.scheme == "wss":
            return await trio.open_ssl_over_tcp_stream(host, parts.port or 443)
        return await trio.open_tcp_stream(host, parts.port or 80)


async def _connect(
    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream], url: str, nursery: trio.Nursery
) -> Chromium:
    """Return the browser at the other end of a connection.

    Raises:
        OSError, CommandFailed, trio.TooSlowError: It does not answer.
    """
    from trio_websocket import wrap_client_stream  # noqa: PLC0415 - an extra

    parts = urlsplit(url)
    resource = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    with trio.fail_after(CONNECT_SECONDS):
        socket = await wrap_client_stream(nursery, stream, parts.netloc, resource, max_message_size=MAX_MESSAGE)
        connection = Connection(WebSocketChannel(socket))

        async def run() -> None:
            await connection.run()
            browser.closing.set()

        browser = Chromium(connection, 0, "")
        nursery.start_soon(run)
        browser.version = str((await connection.call("Browser.getVersion"))["product"])
    return browser
