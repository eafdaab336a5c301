"""`fault_server`: a server on loopback with every fault that servers have, one case per path."""

from __future__ import annotations

import html
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio
from support.faults.bodies import BODIES
from support.faults.case import FaultCase, Peer, response
from support.faults.connection import CONNECTION
from support.faults.framing import FRAMING
from support.faults.heads import HEADS
from support.faults.http2 import HTTP2
from support.faults.redirects import REDIRECTS
from support.faults.texts import TEXTS
from support.faults.tls import TLS, authority_pem

from crawler.api_client.mapping import BackgroundTasks

__all__ = ["FAULT_CASES", "FaultServer", "fault_server"]

FAULT_CASES: Final = {
    case.name: case for case in (*CONNECTION, *TLS, *HTTP2, *HEADS, *BODIES, *FRAMING, *TEXTS, *REDIRECTS)
}
"""All cases of `fault_server`, by name."""
HOST: Final = "127.0.0.1"
NOT_FOUND: Final = response("Content-Type: text/plain", status="HTTP/1.1 404 Not Found", body="no such case")
ROBOTS: Final = response("Content-Type: text/plain", body="User-agent: *\nAllow: /\n")


@attrs.define(eq=False)
class FaultServer:
    """A running fault server."""

    origin: str = ""
    """The URL of the page that links to all cases: ``http://127.0.0.1:PORT/``."""
    other: str = ""
    """The same page on another port, which makes it another origin."""
    requests: list[str] = attrs.field(factory=list)
    """The targets (path and query) of all requests, in order."""
    connections: int = 0
    """Number of accepted connections, over all ports."""
    _ports: dict[str, int] = attrs.field(factory=dict)
    _folder: str = ""

    @property
    def authority(self) -> Path:
        """The certificate authority that a client must trust (``tls_verify``) in cases with certificates."""
        file = Path(self._folder, "authority.pem")
        if not file.exists():
            file.write_bytes(authority_pem())
        return file

    def url(self, name: str) -> str:
        """Return the URL of a case.

        Parameters:
            name: The name of the case, a key of `FAULT_CASES`.

        Raises:
            KeyError: There is no such case.
        """
        case = FAULT_CASES[name]
        port = self._ports.get(name, self._ports[""])
        return f"{case.scheme}://{case.host}:{port}/{name}"

    def index(self) -> str:
        """Return the HTML page that links to all cases."""
        rows = "".join(
            f'<tr><td><a href="{html.escape(self.url(name))}">{name}</a><td>{html.escape(case.about)}'
            f"<td>{html.escape(case.expected)}\n"
            for name, case in FAULT_CASES.items()
        )
        head = "<!doctype html><meta charset=utf-8><title>Faults</title><h1>Faults</h1>"
        return f"{head}\n<table><tr><th>case<th>what the server does<th>expected outcome\n{rows}</table>"

    async def reply(self, peer: Peer) -> None:
        """Answer a request by its path."""
        self.requests.append(peer.target)
        path = peer.target.partition("?")[0].strip("/")
        case = FAULT_CASES.get(path.partition("/")[0])
        if not path:
            await peer.send(response("Content-Type: text/html", body=self.index()))
        elif path == "robots.txt":
            peer.keep = True
            await peer.send(ROBOTS)
        elif case is None or case.answer is None:
            await peer.send(NOT_FOUND)
        elif isinstance(case.answer, bytes):
            await peer.send(case.answer)
        else:
            await case.answer(peer)

    async def accept(self, case: FaultCase | None, stream: trio.SocketStream) -> None:
        """Serve one connection to the port of a case, or to the port that all other cases share."""
        self.connections += 1
        peer = Peer(stream, self)
        try:
            if case is not None and case.accept is not None:
                await case.accept(peer)
            else:
                await peer.serve(self.reply)
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass  # the client or the case has closed the connection
        finally:
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def fault_server(*, port: int = 0) -> AsyncIterator[FaultServer]:
    """Serve all fault cases on loopback, byte by byte, until the block is left.

    Cases whose fault is in the connection itself have ports of their own. The server works in real time, so do not use
    it with ``autojump_clock``.

    Parameters:
        port: The port of the page that links to all cases; 0 means any free port.

    Raises:
        OSError: The port is in use.
    """
    cases = [case for case in FAULT_CASES.values() if case.accept is not None]
    with tempfile.TemporaryDirectory() as folder, _closed_port() as closed:
        listeners = [await _listener(number) for number in (port, 0, *(0 for _ in cases))]
        main, other, *own = (int(listener.socket.getsockname()[1]) for listener in listeners)
        ports = {"": main} | {case.name: number for case, number in zip(cases, own, strict=True)}
        ports |= {name: closed for name, case in FAULT_CASES.items() if case.closed_port}
        server = FaultServer(
            origin=f"http://{HOST}:{main}/", other=f"http://{HOST}:{other}/", folder=folder, ports=ports
        )
        async with BackgroundTasks() as tasks:
            for case, listener in zip((None, None, *cases), listeners, strict=True):
                handler = partial(server.accept, case)
                tasks.nursery.start_soon(trio.serve_listeners, handler, [listener])  # noqa: ASYNC113 - already listening
            yield server


async def _listener(port: int) -> trio.SocketListener:
    (listener,) = await trio.open_tcp_listeners(port, host=HOST)
    return listener


@contextmanager
def _closed_port() -> Iterator[int]:
    """Reserve a port without listening on it."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        port: int = held.getsockname()[1]
        yield port
