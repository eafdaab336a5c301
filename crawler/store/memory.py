"""`MemoryStore`: the store of a crawl without a job. It ends with its process."""

from __future__ import annotations

import itertools
import math
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from crawler.frontier import Pending, lane_name
from crawler.frontier.ticket import START, Order
from crawler.messages import Request, Row
from crawler.store.outcome import ItemRow, Kind, Observations, Outcome
from crawler.store.protocol import Claimed, Committed, Group, ResumeState, Verdict
from crawler.store.runs import RunRow

__all__ = ["MemoryStore"]


class _Lane(Struct, eq=False):
    """The pending requests of one group, by tier and then in order of arrival."""

    name: str
    tiers: dict[int, dict[int, Pending]] = {}
    epoch: int = 0
    held: bool = False
    state: dict[str, Any] = {}

    def add(self, pending: Pending) -> None:
        tier, number = pending.order
        self.tiers.setdefault(tier, {})[number] = pending

    def find(self, order: Order) -> Pending | None:
        return self.tiers.get(order[0], {}).get(order[1])

    def remove(self, order: Order) -> None:
        tier = self.tiers[order[0]]
        del tier[order[1]]
        if not tier:
            del self.tiers[order[0]]

    def requests_after(self, after: Order, n: int) -> list[Pending]:
        """Return the first `n` requests that come after `after` in order."""
        found: list[Pending] = []
        for tier in sorted(tier for tier in self.tiers if tier >= after[0]):
            rows = (row for row in self.tiers[tier].values() if row.order > after)
            found += itertools.islice(rows, n - len(found))
            if len(found) == n:
                break
        return found


class MemoryStore:
    """Stores everything in dictionaries, for one owner. Items are kept until every sink has read them.

    The methods are those of `Store`.
    """

    durable: Final = False

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.live = 0
        self.logged = 0
        self._lanes: dict[str, _Lane] = {}
        self._free: dict[str, _Lane] = {}
        self._numbers = itertools.count()
        self._name = secrets.token_hex(6)
        self._log: deque[Row] = deque()
        self._cursors: dict[str, int] = {}
        self._digests: set[bytes] = set()
        self._stages: dict[int, tuple[list[ItemRow], list[Request]]] = {}

    @property
    def unclaimed(self) -> bool:
        """Whether there are groups with requests that are not leased."""
        return bool(self._free)

    async def ingest(self, requests: Sequence[Request], *, exhausted: bool = False) -> list[Pending]:
        """Add requests that are not known, and return those in leased groups. Notes are discarded."""
        return self._add(requests)

    async def claim(self, owner: str, groups: int, n: int, lease: float) -> Claimed:
        """Lease groups. There is one owner, and its leases never expire."""
        leased: list[Group] = []
        for lane in list(itertools.islice(self._free.values(), groups)):
            del self._free[lane.name]
            lane.held = True
            lane.epoch += 1
            head = lane.requests_after(START, n + 1)
            leased.append(Group(name=lane.name, epoch=lane.epoch, state=lane.state, head=head[:n], more=len(head) > n))
        return Claimed(groups=leased, next_at=math.inf, live=self.live)

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Pending]:
        """Return the next requests of a group."""
        return self._lanes[group].requests_after(after, n)

    async def resume_state(self) -> ResumeState:
        """Return an empty state: there was no earlier run."""
        return ResumeState()

    async def stage(self, stage: int, items: Sequence[ItemRow], requests: Sequence[Request]) -> None:
        """Store effects of a page whose callback is still running."""
        kept = self._stages.setdefault(stage, ([], []))
        kept[0].extend(items)
        kept[1].extend(requests)

    async def has_body(self, digest: bytes) -> bool:
        """Return whether a page whose body has this digest is committed."""
        return digest in self._digests

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Commit outcomes. Observations are discarded: no later run will read them."""
        made = Committed()
        for outcome in outcomes:
            verdict = self._judge(outcome)
            made.verdicts.append(verdict)
            if verdict is Verdict.OK:
                self._apply(outcome, made)
        return made

    def _judge(self, outcome: Outcome) -> Verdict:
        ticket = outcome.ticket
        lane = self._lanes[ticket.pending.group]
        if not lane.held or lane.epoch != ticket.epoch:
            return Verdict.FENCED
        return Verdict.OK if lane.find(ticket.pending.order) is not None else Verdict.DUP

    def _apply(self, outcome: Outcome, made: Committed) -> None:
        pending = outcome.ticket.pending
        lane = self._lanes[pending.group]
        lane.state = outcome.lane_state or lane.state
        pending.attempts = outcome.attempts
        if outcome.kind is Kind.RETRY:
            pending.not_before = outcome.not_before
            return
        if outcome.digest:
            self._digests.add(outcome.digest)
        items, requests = self._stages.pop(outcome.stage, ((), ()))
        live = self.live
        made.grew.update(fresh.group for fresh in self._add(requests))
        made.fresh += self._add(outcome.discovered)
        made.duplicates += len(requests) + len(outcome.discovered) - (self.live - live)
        tier, number = pending.order
        for index, item in enumerate((*items, *outcome.items)):
            if self._cursors:
                key = f"{self._name}.{tier}.{number}.{index}"
                self._log.append(Row(item.data, key, pending.request.url, item.value, item.type))
            self.logged += 1
        lane.remove(pending.order)
        self.live -= 1

    def _add(self, requests: Sequence[Request]) -> list[Pending]:
        fresh: list[Pending] = []
        for request in requests:
            key = request.key
            if not request.dont_filter:
                if key in self.known:
                    continue
                self.known.add(key)
            name = lane_name(request)
            lane = self._lanes.get(name)
            if lane is None:
                lane = self._lanes[name] = _Lane(name)
            pending = Pending((-request.priority, next(self._numbers)), request, name)
            lane.add(pending)
            self.live += 1
            if lane.held:
                fresh.append(pending)
            else:
                self._free[name] = lane
        return fresh

    async def checkpoint(self) -> None:
        """Do nothing: nothing survives the process."""

    def sync_with(self, sync: Callable[[], None]) -> None:
        """Do nothing: there are no checkpoints."""

    async def extend(self, groups: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return two empty lists: there is no other owner."""
        return [], []

    async def release(self, group: str, epoch: int, state: dict[str, Any]) -> None:
        """End the lease of a group, and store the state of its lane."""
        lane = self._lanes.get(group)
        if lane is None or lane.epoch != epoch:
            return
        lane.held = False
        lane.state = state
        if lane.tiers:
            self._free[group] = lane

    async def reserve(self, scope: str, cost: float) -> float:
        """Return 0: there is no other owner."""
        return 0.0

    def follows(self, sink: str) -> bool:
        """Return `False`: there was no earlier run."""
        return False

    def sinks(self) -> dict[str, Any]:
        """Return nothing: there was no earlier run."""
        return {}

    async def rename_sinks(self, names: Mapping[str, str]) -> None:
        """Do nothing: there was no earlier run."""

    def written_behind(self, sink: str) -> Iterator[Row]:
        """Return nothing: there was no earlier run."""
        return iter(())

    async def follow(self, sink: str) -> tuple[int, Any]:
        """Register a sink, which reads from here on, and return the number of its next item and `None`."""
        self._cursors[sink] = self.logged
        return self.logged, None

    async def read(self, after: int, n: int) -> list[Row]:
        """Return up to `n` items from number `after` on."""
        first = self.logged - len(self._log)
        return list(itertools.islice(self._log, after - first, after - first + n))

    async def record_run(self, run: RunRow) -> None:
        """Do nothing: there is no later run."""

    async def advance(self, sink: str, cursor: int, position: Any) -> None:
        """Record the position of a sink, and forget the items that every sink has stored."""
        msgspec.json.encode(position)  # a position that a job could not keep is refused here, too
        self._cursors[sink] = cursor
        first = self.logged - len(self._log)
        for _ in range(min(self._cursors.values()) - first):
            self._log.popleft()
