"""Pollers find out which of libcurl's sockets are ready: with one nested epoll or kqueue, or a task per socket.

A poller does three things: `watch` a socket as libcurl asks, `wait` until some are ready, `close`.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import pycurl
import trio

__all__ = ["EpollPoller", "KqueuePoller", "Poller", "TaskPoller", "open_poller"]

Ready = list[tuple[int, int]]
"""Pairs of a file descriptor and libcurl's flags (``CSELECT_…``) for what it is ready for."""

POLL_IN: Final[int] = pycurl.POLL_IN
POLL_OUT: Final[int] = pycurl.POLL_OUT
POLL_REMOVE: Final[int] = pycurl.POLL_REMOVE
CSELECT_IN: Final[int] = pycurl.CSELECT_IN
CSELECT_OUT: Final[int] = pycurl.CSELECT_OUT
CSELECT_ERR: Final[int] = pycurl.CSELECT_ERR


SYSTEM: Final[Any] = select
"""The module `select`, whose names are those of the system."""


class Poller(Protocol):
    """Watches sockets for libcurl."""

    def watch(self, fd: int, interest: int) -> None:
        """Watch a socket for `interest` (libcurl's ``POLL_…``), or stop watching it (``POLL_REMOVE``)."""
        ...

    async def wait(self) -> Ready:
        """Wait until a socket is ready, or `watch` was called, and return the sockets that are ready."""
        ...

    def close(self) -> None:
        """Close the poller. No task may be waiting."""
        ...


class TaskPoller:
    """Waits with one task per socket and direction: works on every system, and is slow with many sockets."""

    def __init__(self) -> None:
        self._interests: dict[int, int] = {}
        self._changed = trio.Event()

    def watch(self, fd: int, interest: int) -> None:
        """See `Poller`."""
        if interest == POLL_REMOVE:
            self._interests.pop(fd, None)
            trio.lowlevel.notify_closing(fd)  # libcurl may close it at once, and its number be reused
        else:
            self._interests[fd] = interest
        self._changed.set()

    async def wait(self) -> Ready:
        """See `Poller`."""
        ready: dict[int, int] = {}
        self._changed = trio.Event()
        async with trio.open_nursery() as nursery:

            async def watch_one(until_ready: Callable[[int], Awaitable[None]], fd: int, flag: int) -> None:
                if fd not in self._interests:
                    return  # removed before this task ran
                try:
                    await until_ready(fd)
                except trio.ClosedResourceError:
                    return
                ready[fd] = ready.get(fd, 0) | flag
                nursery.cancel_scope.cancel()

            for fd, interest in self._interests.items():
                if interest & POLL_IN:
                    nursery.start_soon(watch_one, trio.lowlevel.wait_readable, fd, CSELECT_IN)
                if interest & POLL_OUT:
                    nursery.start_soon(watch_one, trio.lowlevel.wait_writable, fd, CSELECT_OUT)
            await self._changed.wait()
            nursery.cancel_scope.cancel()
        return [(fd, flags) for fd, flags in ready.items() if fd in self._interests]

    def close(self) -> None:
        """See `Poller`."""
        self._interests.clear()


class EpollPoller:
    """Watches all sockets in one epoll, which is readable when one of them is ready: trio sees a single descriptor.

    It needs no task per socket and no clean-up when libcurl closes one, and many events take one wake-up.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: set[int] = set()
        self._masks = (0, select.EPOLLIN, select.EPOLLOUT, select.EPOLLIN | select.EPOLLOUT)  # by ``POLL_…``
        self._broken = select.EPOLLERR | select.EPOLLHUP

    def watch(self, fd: int, interest: int) -> None:
        """See `Poller`. The system removes a closed socket from the epoll, and its number may be a new socket's."""
        if interest == POLL_REMOVE:
            self._watched.discard(fd)
            try:  # noqa: SIM105 - `suppress` costs three calls, for every request
                self._epoll.unregister(fd)
            except OSError:
                pass
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
            return CSELECT_IN | CSELECT_ERR  # reading reveals the error
        return (CSELECT_IN if mask & select.EPOLLIN else 0) | (CSELECT_OUT if mask & select.EPOLLOUT else 0)

    def close(self) -> None:
        """See `Poller`."""
        self._epoll.close()


class KqueuePoller:
    """Watches all sockets in one kqueue, as `EpollPoller` does in one epoll: for macOS and BSD.

    A kqueue has a filter for each direction of a socket, where an epoll has one mask.
    """

    def __init__(self) -> None:
        self._kqueue = SYSTEM.kqueue()
        self._filters = ((SYSTEM.KQ_FILTER_READ, POLL_IN), (SYSTEM.KQ_FILTER_WRITE, POLL_OUT))
        self._watched: dict[int, int] = {}

    def watch(self, fd: int, interest: int) -> None:
        """See `Poller`. The system removes a closed socket from the kqueue, and its number may be a new socket's."""
        before = self._watched.pop(fd, 0)
        wanted = 0 if interest == POLL_REMOVE else interest
        for kind, direction in self._filters:
            if wanted & direction:  # even if it is watched: it may be a new socket
                self._kqueue.control([SYSTEM.kevent(fd, kind, SYSTEM.KQ_EV_ADD)], 0)
            elif before & direction:
                with contextlib.suppress(OSError):
                    self._kqueue.control([SYSTEM.kevent(fd, kind, SYSTEM.KQ_EV_DELETE)], 0)
        if wanted:
            self._watched[fd] = wanted

    async def wait(self) -> Ready:
        """See `Poller`."""
        await trio.lowlevel.wait_readable(self._kqueue.fileno())
        ready: dict[int, int] = {}
        # Events that are read from a kqueue at once; the others wait for the next turn.
        for event in self._kqueue.control(None, 256, 0):
            ready[event.ident] = ready.get(event.ident, 0) | self._flags(event)
        return list(ready.items())

    def _flags(self, event: Any) -> int:
        if event.filter == SYSTEM.KQ_FILTER_READ:
            return CSELECT_IN  # reading reveals an end or an error
        return CSELECT_IN | CSELECT_ERR if event.flags & SYSTEM.KQ_EV_EOF else CSELECT_OUT

    def close(self) -> None:
        """See `Poller`."""
        self._kqueue.close()


def open_poller() -> Poller:
    """Return the best poller for this system."""
    if hasattr(SYSTEM, "epoll"):
        return EpollPoller()
    return KqueuePoller() if hasattr(SYSTEM, "kqueue") else TaskPoller()
