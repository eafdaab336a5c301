"""A kqueue for systems that have an epoll: `use_kqueue` gives the module `select` what it has on macOS and BSD.

It behaves as kqueue(2) says: a filter for each direction, `EV_ADD` that may be repeated, `EV_DELETE` that fails if
there is nothing to delete, events that come again until they are dealt with, `EV_EOF`, and no trace of descriptors that
were closed.
"""

from __future__ import annotations

import select
from collections.abc import Iterable
from typing import NamedTuple

import pytest

__all__ = ["use_kqueue"]

READ, WRITE = -1, -2
ADD, DELETE, EOF = 0x0001, 0x0002, 0x8000
MASKS = {READ: select.EPOLLIN | select.EPOLLRDHUP, WRITE: select.EPOLLOUT}
BROKEN = select.EPOLLERR | select.EPOLLHUP


class Kevent(NamedTuple):
    """An event of a kqueue, and a change of what it watches."""

    ident: int
    filter: int = READ
    flags: int = ADD
    fflags: int = 0
    data: int = 0
    udata: int = 0


class Kqueue:
    """A kqueue. Its descriptor is readable when an event has come."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._filters: dict[int, set[int]] = {}

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Close the descriptor."""
        self._epoll.close()

    def control(self, changes: Iterable[Kevent] | None, max_events: int, timeout: float | None = None) -> list[Kevent]:
        """Make changes, and return events; the first change that is impossible raises `OSError`."""
        for change in changes or ():
            assert change.flags in (ADD, DELETE)
            (self._add if change.flags == ADD else self._delete)(change.ident, change.filter)
        return self._events(timeout)[:max_events] if max_events else []

    def _add(self, fd: int, kind: int) -> None:
        filters = self._filters.get(fd, set()) | {kind}
        try:
            self._epoll.modify(fd, _mask(filters))
        except FileNotFoundError:  # the descriptor is new, and perhaps its number was another one's
            filters = {kind}
            self._epoll.register(fd, _mask(filters))
        self._filters[fd] = filters

    def _delete(self, fd: int, kind: int) -> None:
        filters = self._filters.get(fd, set())
        self._epoll.modify(fd, _mask(filters - {kind}))  # which fails if the descriptor was closed
        if kind not in filters:
            raise FileNotFoundError
        filters.discard(kind)
        if not filters:
            self._epoll.unregister(fd)
            del self._filters[fd]

    def _events(self, timeout: float | None) -> list[Kevent]:
        return [
            Kevent(fd, kind, ADD | (EOF if mask & (BROKEN | (select.EPOLLRDHUP if kind == READ else 0)) else 0))
            for fd, mask in self._epoll.poll(timeout)
            for kind in sorted(self._filters[fd])
            if mask & (MASKS[kind] | BROKEN)
        ]


def _mask(filters: Iterable[int]) -> int:
    mask = 0
    for kind in filters:
        mask |= MASKS[kind]
    return mask


def use_kqueue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the module `select` a kqueue."""
    names = {
        "kqueue": Kqueue, "kevent": Kevent, "KQ_FILTER_READ": READ, "KQ_FILTER_WRITE": WRITE, "KQ_EV_ADD": ADD,
        "KQ_EV_DELETE": DELETE, "KQ_EV_EOF": EOF,
    }  # fmt: skip
    for name, value in names.items():
        monkeypatch.setattr(select, name, value, raising=False)
