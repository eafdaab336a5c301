"""`MemoryGroups`: the groups of a `MemoryJob`, with indexes of those that are free and of those of each owner."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from crawler.frontier.ticket import Order
from crawler.messages import Request

__all__ = ["NOBODY", "GroupRow", "MemoryGroups", "RequestRow"]

NOBODY: Final = 0
"""The owner of a group that is free."""


class RequestRow(Struct, eq=False):
    """A request that is not settled."""

    request: Request
    attempts: int = 0
    not_before: float = -math.inf


class GroupRow(Struct, eq=False):
    """A lane or a budget. `MemoryGroups` changes its owner and adds and removes its requests."""

    name: str
    number: int
    """Its place among all groups."""
    owner: int = NOBODY
    epoch: int = 0
    """Counts the changes of its owner."""
    state: dict[str, Any] = {}
    """The state of its limits."""
    ready_at: float = -math.inf
    """When it may be leased, in seconds since the epoch."""
    unclean: bool = False
    """Whether its last owner has not released it."""
    grew: bool = False
    """Whether it has received requests that its owner has not been informed of."""
    waiting: list[int] = []
    """The owners that wait for it by name, first come first served."""
    requests: dict[Order, RequestRow] = {}

    def is_free_for(self, owner: int, now: float) -> bool:
        """Return whether an owner may lease it: it has no owner, its limits are ready, and the owner is next."""
        is_next = not self.waiting or self.waiting[0] == owner
        return self.owner == NOBODY and self.ready_at <= now and is_next


class MemoryGroups:
    """All groups by name. Questions about the free groups, or those of one owner, do not look at the others."""

    def __init__(self) -> None:
        self.rows: dict[str, GroupRow] = {}
        self.busy = 0
        """Number of groups with requests."""
        self.free: dict[str, GroupRow] = {}
        """Groups with requests and without an owner."""
        self._of: defaultdict[int, dict[str, GroupRow]] = defaultdict(dict)
        self._busy_of: Counter[int] = Counter()
        self._awaited: dict[str, GroupRow] = {}

    def get(self, name: str) -> GroupRow:
        """Return a group, made when it is first asked for."""
        found = self.rows.get(name)
        if found is None:
            found = self.rows[name] = GroupRow(name, len(self.rows))
        return found

    def of(self, owner: int) -> list[GroupRow]:
        """Return the groups that an owner has."""
        return list(self._of[owner].values())

    def busy_of(self, owner: int) -> int:
        """Return how many groups with requests an owner has."""
        return self._busy_of[owner]

    def ready(self, now: float, limit: int) -> list[GroupRow]:
        """Return up to `limit` groups with requests that any owner may lease, first those that were ready first."""
        found = (group for group in self.free.values() if group.is_free_for(NOBODY, now))
        return sorted(found, key=lambda group: (group.ready_at, group.number))[: max(0, limit)]

    def has_ready(self, now: float) -> bool:
        """Return whether there is a group with requests that any owner may lease."""
        return any(group.is_free_for(NOBODY, now) for group in self.free.values())

    # ---- changes -----------------------------------------------------------------------------------------------------

    def add(self, group: GroupRow, order: Order, row: RequestRow) -> None:
        """Add a request."""
        group.requests[order] = row
        if len(group.requests) == 1:
            self._note_busy(group, 1)

    def settle(self, group: GroupRow, order: Order) -> None:
        """Remove a request."""
        del group.requests[order]
        if not group.requests:
            self._note_busy(group, -1)

    def lease(self, group: GroupRow, owner: int) -> None:
        """Give a group to an owner."""
        self._change_owner(group, owner)

    def give_up(self, group: GroupRow) -> None:
        """Make a group free."""
        self._change_owner(group, NOBODY)
        group.grew = False

    def wait(self, group: GroupRow, owner: int) -> bool:
        """Let an owner wait for a group; return `False` if it does already."""
        if owner in group.waiting:
            return False
        group.waiting.append(owner)
        self._awaited[group.name] = group
        return True

    def stop_waiting(self, owner: int, names: Iterable[str] = ()) -> None:
        """Let an owner wait for no other groups than those of these names."""
        for group in [group for group in self._awaited.values() if owner in group.waiting and group.name not in names]:
            group.waiting.remove(owner)
            if not group.waiting:
                del self._awaited[group.name]

    # ---- the index ---------------------------------------------------------------------------------------------------

    def _change_owner(self, group: GroupRow, owner: int) -> None:
        is_busy = bool(group.requests)
        self._of[group.owner].pop(group.name, None)
        self._of[owner][group.name] = group
        self._busy_of[group.owner] -= is_busy
        self._busy_of[owner] += is_busy
        group.owner = owner
        group.epoch += 1
        self._note_free(group)

    def _note_busy(self, group: GroupRow, change: int) -> None:
        self.busy += change
        self._busy_of[group.owner] += change
        self._note_free(group)

    def _note_free(self, group: GroupRow) -> None:
        if group.requests and group.owner == NOBODY:
            self.free[group.name] = group
        else:
            self.free.pop(group.name, None)
