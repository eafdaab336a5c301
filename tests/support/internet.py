"""`Internet`: hosts in memory that can be reached, or not, at any time of trio's clock."""

from __future__ import annotations

import errno
import random
import socket
import ssl
from collections.abc import Callable
from typing import Any, TypeAlias

import httpx
import trio

from crawler import Request, Spider
from crawler.transport.errors import transport_error

__all__ = ["ERRORS", "FAULTS", "Fault", "Internet", "Pages", "between", "flapping"]

Fault: TypeAlias = Callable[[httpx.Request], Exception | httpx.Response]
"""Returns how a request fails: an exception, or the error of a gateway."""


def _connect(cause: BaseException, kind: str = "") -> Fault:
    def fault(request: httpx.Request) -> Exception:
        if kind:
            return transport_error(httpx.ConnectError, str(cause), request=request, sent=False, kind=kind)
        error = httpx.ConnectError(str(cause), request=request)
        error.__cause__ = cause
        return error

    return fault


FAULTS: dict[str, Fault] = {
    "refused": _connect(ConnectionRefusedError(errno.ECONNREFUSED, "refused")),
    "unreachable": _connect(OSError(errno.ENETUNREACH, "network is unreachable"), "unreachable"),
    "servfail": _connect(socket.gaierror(socket.EAI_AGAIN, "temporary failure in name resolution")),
    "nxdomain": _connect(socket.gaierror(socket.EAI_NONAME, "name or service not known")),
    "timeout": lambda request: httpx.ConnectTimeout("no connection", request=request),
    "tls": _connect(ssl.SSLError("handshake failure")),
    "reset": lambda request: httpx.ReadError("connection reset", request=request),
    "closed": lambda request: httpx.RemoteProtocolError("server disconnected", request=request),
    "gateway": lambda request: httpx.Response(502),
}
"""Ways in which a request fails, by name."""
ERRORS: dict[str, Fault] = {
    "error": lambda request: httpx.Response(500),
    "unavailable": lambda request: httpx.Response(503),
    "maintained": lambda request: httpx.Response(503, headers={"Retry-After": "3"}),
}
"""Responses of a host that is up and serves no page, by name."""
SLOW = {"timeout": 10.0}
"""Seconds that a failure takes."""


def between(start: float, end: float) -> Callable[[float], bool]:
    """Return a function of the seconds since the start that is true in one interval."""
    return lambda at: start <= at < end


def flapping(start: float, end: float, period: float) -> Callable[[float], bool]:
    """Return a function that is true in every other `period` of an interval."""
    return lambda at: start <= at < end and int((at - start) / period) % 2 == 0


class Internet(httpx.AsyncBaseTransport):
    """Answers each request after a while, unless its host is down.

    Parameters:
        down: Whether a host is down at a time, in seconds since the start.
        fault: Name of the failure.
        hosts: The hosts that are ever down; `None` means all.
        chance: Source of response times.
    """

    def __init__(
        self,
        down: Callable[[float], bool],
        fault: str = "refused",
        *,
        hosts: Callable[[str], bool] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.down = down
        self.fault = fault
        self.hosts = hosts or (lambda host: True)
        self.chance = chance or random.Random(0)
        self.answered: list[tuple[float, str]] = []
        """Time and host of each response."""
        self.failed: list[tuple[float, str]] = []
        """Time and host of each failure."""
        self.started = trio.current_time()

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return trio.current_time() - self.started

    def is_down(self, request: httpx.Request) -> bool:
        """Return whether the host of a request is down now."""
        return self.down(self.now) and self.hosts(request.url.host)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self.is_down(request):
            await trio.sleep(self.chance.uniform(0.1, 0.4))
        if self.is_down(request):
            await trio.sleep(SLOW.get(self.fault, 0.01))
            self.failed.append((self.now, request.url.host))
            failure = (FAULTS | ERRORS)[self.fault](request)
            if isinstance(failure, httpx.Response):
                return failure
            raise failure
        self.answered.append((self.now, request.url.host))
        if request.url.path == "/robots.txt":
            return httpx.Response(404)
        return httpx.Response(200, headers={"Content-Type": "text/html"}, content=b"<p>x")


class Pages(Spider):
    """Fetches a number of pages of each of several hosts.

    Parameters:
        hosts: Number of hosts.
        pages: Pages of each host.
    """

    def __init__(self, hosts: int = 20, pages: int = 10) -> None:
        super().__init__()
        self.start_urls = [f"https://h{host}.test/{page}" for page in range(pages) for host in range(hosts)]

    def parse(self, response: Any) -> Any:
        yield {"url": response.url}


class Chain(Spider):
    """Follows a link from each page to the next, so that one request waits at a time.

    Parameters:
        last: Number of the last page.
        past_failures: Whether it also continues after a page that failed, as if it knew the link.
    """

    start_urls = ("https://h0.test/0",)

    def __init__(self, last: int = 40, *, past_failures: bool = False) -> None:
        super().__init__()
        self.last = last
        self.errback = self.after_failure if past_failures else None

    def parse(self, response: Any) -> Any:
        yield {"number": int(response.url.rpartition("/")[2])}
        yield from self.next_page(response.url)

    def after_failure(self, failure: Any) -> Any:
        yield from self.next_page(failure.request.url)

    def next_page(self, url: str) -> Any:
        number = int(url.rpartition("/")[2])
        if number < self.last:
            yield Request(f"https://h0.test/{number + 1}", errback=self.errback)
