"""`fault_server`: a server on loopback that does everything wrong, one case a path."""

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

from crawler.api_client.mapping import BackgroundTasks
from crawler.testing.faults.bodies import BODIES
from crawler.testing.faults.case import FaultCase, Peer, answer
from crawler.testing.faults.connection import CONNECTION
from crawler.testing.faults.heads import HEADS
from crawler.testing.faults.redirects import REDIRECTS
from crawler.testing.faults.texts import TEXTS
from crawler.testing.faults.tls import TLS, authority_pem, trustme_found

__all__ = ["FAULT_CASES", "FaultServer", "fault_server"]

FAULT_CASES: Final = {case.name: case for case in (*CONNECTION, *TLS, *HEADS, *BODIES, *TEXTS, *REDIRECTS)}
"""Every case of `fault_server`, by name."""
HOST: Final = "127.0.0.1"
NOT_FOUND: Final = answer("Content-Type: text/plain", status="HTTP/1.1 404 Not Found", body="no such case")
ROBOTS: Final = answer("Content-Type: text/plain", body="User-agent: *\nAllow: /\n")


@attrs.define(eq=False)
class FaultServer:
    """A server that does everything wrong."""

    origin: str = ""
    """Where it is: ``http://127.0.0.1:PORT/``, a page with a link to each case."""
    other: str = ""
    """The same server at another port, which makes it another origin."""
    requests: list[str] = attrs.field(factory=list)
    """The targets of all requests that were read, as they came in."""
    connections: int = 0
    """Connections that were accepted, at all ports."""
    _ports: dict[str, int] = attrs.field(factory=dict)
    _folder: str = ""

    @property
    def cases(self) -> dict[str, FaultCase]:
        """The cases that it can play, by name: without the package trustme those that need certificates are missing."""
        able = trustme_found()
        return {name: case for name, case in FAULT_CASES.items() if able or not case.needs_trustme}

    @property
    def authority(self) -> Path:
        """The file of the authority that a client has to trust (``tls_verify``) for the cases with certificates.

        Raises:
            ModuleNotFoundError: trustme is not installed.
        """
        file = Path(self._folder, "authority.pem")
        if not file.exists():
            file.write_bytes(authority_pem())
        return file

    def url(self, name: str) -> str:
        """Where a case is.

        Parameters:
            name: that of the case.

        Raises:
            KeyError: there is no such case.
            ModuleNotFoundError: it needs a certificate, and trustme is not installed.
        """
        case = FAULT_CASES[name]
        if case.needs_trustme:
            authority_pem()
        port = self._ports.get(name, self._ports[""])
        return f"{case.scheme}://{case.host}:{port}/{name}"

    def index(self) -> str:
        """The page that links to all cases."""
        rows = "".join(
            f'<tr><td><a href="{html.escape(self.url(name))}">{name}</a><td>{html.escape(case.about)}'
            f"<td>{html.escape(case.expected)}\n"
            for name, case in self.cases.items()
        )
        head = "<!doctype html><meta charset=utf-8><title>Faults</title><h1>Faults</h1>"
        return f"{head}\n<table><tr><th>case<th>what happens<th>what becomes of it\n{rows}</table>"

    async def reply(self, peer: Peer) -> None:
        """Answers a request by its path."""
        self.requests.append(peer.target)
        path = peer.target.partition("?")[0].strip("/")
        case = FAULT_CASES.get(path.partition("/")[0])
        if not path:
            await peer.send(answer("Content-Type: text/html", body=self.index()))
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
        """One connection to the port of a case, or to the one that all others share."""
        self.connections += 1
        peer = Peer(stream, self)
        try:
            if case is not None and case.accept is not None:
                await case.accept(peer)
            else:
                await peer.serve(self.reply)
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass  # the client went away, or the case has closed it
        finally:
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def fault_server(*, port: int = 0) -> AsyncIterator[FaultServer]:
    """A server on loopback that produces what no server should, byte by byte.

    ::

        async with fault_server() as server:
            report = await crawl(Headlines(start_urls=[server.url("line-nul")]))
        assert report.kinds == {"broken_exchange.bad_header": 1}

    Cases whose fault is in the connection itself have a port of their own. Time is real: no ``autojump_clock``.

    Parameters:
        port: where the page with all cases is; 0: anywhere.

    Raises:
        OSError: the port is taken.
    """
    own = [case for case in FAULT_CASES.values() if case.accept is not None]
    with tempfile.TemporaryDirectory() as folder, _closed_port() as nobody:
        listeners = [await _listener(at) for at in (port, 0, *(0 for _ in own))]
        ports: list[int] = [listener.socket.getsockname()[1] for listener in listeners]
        main, other, *others = ports
        places = {case.name: at for case, at in zip(own, others, strict=True)}
        places |= {name: nobody for name, case in FAULT_CASES.items() if case.closed_port}
        server = FaultServer(
            origin=f"http://{HOST}:{main}/", other=f"http://{HOST}:{other}/", folder=folder, ports={"": main} | places
        )
        async with BackgroundTasks() as tasks:
            for case, listener in zip((None, None, *own), listeners, strict=True):
                handler = partial(server.accept, case)
                tasks.nursery.start_soon(trio.serve_listeners, handler, [listener])  # noqa: ASYNC113 - it listens already
            yield server


async def _listener(port: int) -> trio.SocketListener:
    (listener,) = await trio.open_tcp_listeners(port, host=HOST)
    return listener


@contextmanager
def _closed_port() -> Iterator[int]:
    """A port that is ours, where nobody listens."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        port: int = held.getsockname()[1]
        yield port
