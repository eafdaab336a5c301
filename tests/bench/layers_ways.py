"""The ways to send requests that ``layers.py`` compares, from libcurl alone to the downloader.

::

    python tests/bench/layers_ways.py WAY URL PAGES TOGETHER

Each fetches ``URL0.html``, ``URL1.html`` and so on, as many pages at once as get their responses together.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import pycurl
import trio

__all__ = ["WAYS"]

Fetch = Callable[[str], Awaitable[bytes]]


def fetch_by_libcurl(urls: list[str], at_once: int) -> None:
    """Fetch pages by libcurl's own loop."""
    multi = pycurl.CurlMulti()
    idle = [_handle() for _ in range(at_once)]
    bodies: dict[Any, list[bytes]] = {}
    while urls or bodies:
        while urls and idle:
            handle = idle.pop()
            bodies[handle] = []
            handle.setopt(pycurl.URL, urls.pop())
            handle.setopt(pycurl.WRITEFUNCTION, bodies[handle].append)
            multi.add_handle(handle)
        multi.perform()
        _, done, _ = multi.info_read(at_once)
        for handle in done:
            multi.remove_handle(handle)
            idle.append(handle)
            assert handle.getinfo(pycurl.RESPONSE_CODE) == 200
            assert b"".join(bodies.pop(handle))
        if not done and bodies:
            multi.select(1.0)


class TrioLoop:
    """libcurl in trio: one task waits for the sockets, and a task for each request."""

    def __init__(self) -> None:
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._waiting: dict[Any, trio.lowlevel.Task] = {}
        self._idle: list[Any] = []

    async def drive(self, *, task_status: trio.TaskStatus[Fetch]) -> None:
        """Wait for the sockets."""
        self._epoll = select.epoll()
        task_status.started(self.fetch)
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for fd, mask in self._epoll.poll(0):
                self._multi.socket_action(fd, mask & (pycurl.CSELECT_IN | pycurl.CSELECT_OUT) or pycurl.CSELECT_IN)
            _, done, _ = self._multi.info_read()
            for handle in done:
                self._multi.remove_handle(handle)
                trio.lowlevel.reschedule(self._waiting.pop(handle))

    def _watch(self, interest: int, fd: int, _multi: object, _data: object) -> None:
        if interest == pycurl.POLL_REMOVE:
            self._epoll.unregister(fd)
            return
        mask = (0, select.EPOLLIN, select.EPOLLOUT, select.EPOLLIN | select.EPOLLOUT)[interest]
        try:
            self._epoll.register(fd, mask)
        except FileExistsError:
            self._epoll.modify(fd, mask)

    async def fetch(self, url: str) -> bytes:
        """Return a page."""
        handle = self._idle.pop() if self._idle else _handle()
        body: list[bytes] = []
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.WRITEFUNCTION, body.append)
        self._multi.add_handle(handle)
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._waiting[handle] = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)
        assert handle.getinfo(pycurl.RESPONSE_CODE) == 200
        self._idle.append(handle)
        return b"".join(body)


async def fetch_by_trio(urls: list[str], at_once: int) -> None:
    """Fetch pages by libcurl in trio."""
    async with trio.open_nursery() as nursery:
        fetch: Fetch = await nursery.start(TrioLoop().drive)
        await _in_tasks(fetch, urls, at_once)
        nursery.cancel_scope.cancel()


async def fetch_by_transport(urls: list[str], at_once: int) -> None:
    """Fetch pages by the transport, as the downloader calls it."""
    from crawler.transport.curl import CurlTransport  # noqa: PLC0415 - the other ways do without
    from crawler.transport.wire import (  # noqa: PLC0415
        EXTENSION,
        LeanRequest,
        WireOptions,
    )

    fields = ((b"User-Agent", b"layers"), (b"Accept", b"*/*"), (b"Accept-Encoding", b"gzip"))
    async with CurlTransport() as transport:

        async def fetch(url: str) -> bytes:
            options = WireOptions(max_body=1_000_000, complete_by=trio.current_time() + 60)
            transfer = await transport.exchange(LeanRequest("GET", url, fields, b"", {EXTENSION: options}))
            return transfer.take_body() or b""

        await _in_tasks(fetch, urls, at_once)


async def fetch_by_downloader(urls: list[str], at_once: int) -> None:
    """Fetch pages by the downloader."""
    from crawler.clock import Clock  # noqa: PLC0415 - the other ways do without
    from crawler.fetch.downloader import Downloader  # noqa: PLC0415
    from crawler.messages import Request  # noqa: PLC0415
    from crawler.settings import Settings  # noqa: PLC0415
    from crawler.transport.curl import CurlTransport  # noqa: PLC0415

    async with CurlTransport() as transport:
        downloader = Downloader(transport, Settings(), Clock())

        async def fetch(url: str) -> bytes:
            return (await downloader.fetch(Request(url))).body

        await _in_tasks(fetch, urls, at_once)


async def _in_tasks(fetch: Fetch, urls: list[str], at_once: int) -> None:
    async def work() -> None:
        while urls:
            assert await fetch(urls.pop())

    async with trio.open_nursery() as workers:
        for _ in range(at_once):
            workers.start_soon(work)


def _handle() -> Any:
    handle = pycurl.Curl()
    handle.setopt(pycurl.NOSIGNAL, 1)
    handle.setopt(pycurl.ACCEPT_ENCODING, "")
    return handle


WAYS: Final[dict[str, Callable[[list[str], int], None]]] = {
    "libcurl": fetch_by_libcurl,
    "libcurl in trio": partial(trio.run, fetch_by_trio),
    "transport": partial(trio.run, fetch_by_transport),
    "downloader": partial(trio.run, fetch_by_downloader),
}


if __name__ == "__main__":
    way, url, pages, together = sys.argv[1:]
    WAYS[way]([f"{url}{number}.html" for number in range(int(pages))], int(together))
