"""What tells the transport which of libcurl's sockets are ready: one nested epoll, or one task for each socket.

A poller does three things: `watch` what libcurl says it wants of a socket, `wait` until some are ready, `close`.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import pycurl
import trio

__all__ = ["EpollPoller", "Poller", "TaskPoller", "open_poller"]

Ready = list[tuple[int, int]]
"""Descriptors and libcurl's flags (``CSELECT_…``) of what they are ready for."""

POLL_IN: Final[int] = pycurl.POLL_IN
POLL_OUT: Final[int] = pycurl.POLL_OUT
POLL_REMOVE: Final[int] = pycurl.POLL_REMOVE
CSELECT_IN: Final[int] = pycurl.CSELECT_IN
CSELECT_OUT: Final[int] = pycurl.CSELECT_OUT
CSELECT_ERR: Final[int] = pycurl.CSELECT_ERR


class Poller(Protocol):
    """Watches sockets for libcurl."""

    def watch(self, fd: int, interest: int) -> None:
        """Watch a socket for `interest` (libcurl's ``POLL_…``), or no more (``POLL_REMOVE``)."""
        ...

    async def wait(self) -> Ready:
        """What is ready; waits until something is, or until `watch` has changed what it waits for."""
        ...

    def close(self) -> None:
        """Let go of everything. Nobody may be waiting."""
        ...


class TaskPoller:
    """One task for each socket and direction, while somebody waits: right everywhere, slow with many sockets."""

    def __init__(self) -> None:
        self._interests: dict[int, int] = {}
        self._changed = trio.Event()

    def watch(self, fd: int, interest: int) -> None:
        """See `Poller`."""
        if interest == POLL_REMOVE:
            self._interests.pop(fd, None)
            trio.lowlevel.notify_closing(fd)  # libcurl may close it at once, and its number may come back
        else:
            self._interests[fd] = interest
        self._changed.set()

    async def wait(self) -> Ready:
        """See `Poller`."""
        ready: dict[int, int] = {}
        self._changed = trio.Event()
        async with trio.open_nursery() as nursery:

            async def one(until_ready: Callable[[int], Awaitable[None]], fd: int, flag: int) -> None:
                if fd not in self._interests:
                    return  # closed before this task came to run
                try:
                    await until_ready(fd)
                except trio.ClosedResourceError:
                    return
                ready[fd] = ready.get(fd, 0) | flag
                nursery.cancel_scope.cancel()

            for fd, interest in self._interests.items():
                if interest & POLL_IN:
                    nursery.start_soon(one, trio.lowlevel.wait_readable, fd, CSELECT_IN)
                if interest & POLL_OUT:
                    nursery.start_soon(one, trio.lowlevel.wait_writable, fd, CSELECT_OUT)
            await self._changed.wait()
            nursery.cancel_scope.cancel()
        return [(fd, flags) for fd, flags in ready.items() if fd in self._interests]

    def close(self) -> None:
        """See `Poller`."""
        self._interests.clear()


class EpollPoller:
    """All sockets in one epoll, which is readable when one of them is ready: trio watches a single descriptor.

    No task for a socket, nothing to undo when libcurl closes one, and many events for one wake-up.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: set[int] = set()
        self._masks = (0, select.EPOLLIN, select.EPOLLOUT, select.EPOLLIN | select.EPOLLOUT)  # by ``POLL_…``
        self._broken = select.EPOLLERR | select.EPOLLHUP

    def watch(self, fd: int, interest: int) -> None:
        """See `Poller`. A socket that was closed has left the epoll by itself, and its number may be a new one's."""
        if interest == POLL_REMOVE:
            self._watched.discard(fd)
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)
            return
        if fd in self._watched:
            with contextlib.suppress(FileNotFoundError):
                self._epoll.modify(fd, self._masks[interest])
                return
        self._epoll.register(fd, self._masks[interest])
        self._watched.add(fd)

    async def wait(self) -> Ready:
        """See `Poller`."""
        await trio.lowlevel.wait_readable(self._epoll.fileno())
        return [(fd, self._flags(mask)) for fd, mask in self._epoll.poll(0)]

    def _flags(self, mask: int) -> int:
        if mask & self._broken:
            return CSELECT_IN | CSELECT_ERR  # reading tells what is wrong
        return (CSELECT_IN if mask & select.EPOLLIN else 0) | (CSELECT_OUT if mask & select.EPOLLOUT else 0)

    def close(self) -> None:
        """See `Poller`."""
        self._epoll.close()


def open_poller() -> Poller:
    """The best poller that this system has."""
    return EpollPoller() if hasattr(select, "epoll") else TaskPoller()
