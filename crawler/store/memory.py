"""`MemoryStore`: the store of a crawl without a job. It ends with its process.

A crawl that knows more URLs than fit keeps the digests of their keys, and pending requests in a temporary file.
"""

from __future__ import annotations

import itertools
import secrets
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio
from msgspec import Struct

from crawler.frontier import Pending, lane_name
from crawler.frontier.ticket import START, Order
from crawler.messages import Request, Row
from crawler.store.outcome import RETRY, ItemRow, Observations, Outcome
from crawler.store.own_log import OwnLog
from crawler.store.protocol import OK, Claimed, CommitResult, Committed, Group, Ingested, ResumeState
from crawler.store.runs import RunRow

if TYPE_CHECKING:
    from crawler.store.compact_keys import CompactKeys
    from crawler.store.pending_on_disk import PendingOnDisk

__all__ = ["MemoryStore"]

STEP: Final = 10_000
"""Requests of a large page that are added before other tasks run."""


class _Lane(Struct, eq=False):
    """The pending requests of one group that are in memory, by tier and then in order of arrival."""

    name: str
    number: int
    on_disk: int = 0
    """Number of its requests that are not in memory."""
    tiers: dict[int, dict[int, Pending]] = {}
    epoch: int = 0
    held: bool = False
    state: dict[str, Any] = {}

    def add(self, pending: Pending) -> None:
        tier, number = pending.order
        self.tiers.setdefault(tier, {})[number] = pending

    def has(self, order: Order) -> bool:
        return order[1] in self.tiers.get(order[0], ())

    def remove(self, order: Order) -> bool:
        """Remove a request, and return whether it was in memory."""
        tier = self.tiers.get(order[0], {})
        if tier.pop(order[1], None) is None:
            return False
        if not tier:
            del self.tiers[order[0]]
        return True

    def requests_after(self, after: Order, n: int) -> list[Pending]:
        """Return the first `n` requests that come after `after` in order."""
        found: list[Pending] = []
        for tier in sorted(tier for tier in self.tiers if tier >= after[0]):
            rows = (row for row in self.tiers[tier].values() if row.order > after)
            found += itertools.islice(rows, n - len(found))
            if len(found) == n:
                break
        return found


class MemoryStore(OwnLog):
    """Stores everything in dictionaries, for one owner. Items are kept until every sink has read them.

    The methods are those of `Store`. Close it after use.
    """

    shared: Final = False
    durable: Final = False
    round: Final = 1

    # Keys that are kept as they are, at about 170 bytes each; of later ones, digests are kept.
    # Pending requests in memory, at about 450 bytes each; more are kept on disk.
    def __init__(self, max_keys: int = 262_144, max_pending: int = 100_000) -> None:
        self.known: set[str] | CompactKeys = set()
        """The keys that are known: all of them."""
        self.live = 0
        self.exhausted = False
        self.logged = 0
        self._lanes: dict[str, _Lane] = {}
        self._free: dict[str, _Lane] = {}
        self._numbers = itertools.count()
        self._name = secrets.token_hex(6)
        self._log: deque[Row] = deque()
        self._cursors: dict[str, int] = {}
        self._digests: set[bytes] = set()
        self._stages: dict[int, tuple[list[ItemRow], list[bytes | Sequence[Request]]]] = {}
        self._max_keys = max_keys
        self._max_pending = max_pending
        self._on_disk = 0
        self._disk: PendingOnDisk | None = None

    def close(self) -> None:
        """Delete what is on disk."""
        if self._disk is not None:
            self._disk.close()

    @property
    def unclaimed(self) -> bool:
        """Whether there are groups with requests that are not leased."""
        return bool(self._free)

    async def ingest(self, requests: Sequence[Request], *, exhausted: bool = False) -> Ingested:
        """Add requests that are not known, and return those in leased groups."""
        live = self.live
        fresh = self._add(requests)
        self.exhausted = self.exhausted or exhausted
        return Ingested(fresh=fresh, added=self.live - live)

    async def claim(self, groups: int, n: int) -> Claimed:
        """Lease groups."""
        leased: list[Group] = []
        for lane in list(itertools.islice(self._free.values(), groups)):
            del self._free[lane.name]
            lane.held = True
            lane.epoch += 1
            head = self._requests_after(lane, START, n + 1)
            leased.append(Group(name=lane.name, epoch=lane.epoch, state=lane.state, head=head[:n], more=len(head) > n))
        return Claimed(groups=leased)

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Pending]:
        """Return the next requests of a group."""
        return self._requests_after(self._lanes[group], after, n)

    def _requests_after(self, lane: _Lane, after: Order, n: int) -> list[Pending]:
        found = lane.requests_after(after, n)
        if self._disk is None or not lane.on_disk:
            return found
        return sorted(found + self._disk.requests_after(lane.number, lane.name, after, n))[:n]

    async def begin_again(self) -> None:
        """Do nothing: there was no earlier run."""

    async def resume_state(self) -> ResumeState:
        """Return an empty state: there was no earlier run."""
        return ResumeState()

    async def stage(self, stage: int, items: Sequence[ItemRow], requests: Sequence[Request]) -> None:
        """Store effects of a page whose callback is still running."""
        kept = self._stages.setdefault(stage, ([], []))
        kept[0].extend(items)
        for start in range(0, len(requests), STEP):
            kept[1].append(_packed(requests[start : start + STEP]))

    async def has_body(self, digest: bytes) -> bool:
        """Return whether a page whose body has this digest is committed."""
        return digest in self._digests

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Commit outcomes. Observations are discarded: no later run will read them."""
        made = Committed()
        for outcome in outcomes:
            result = self._settle(outcome)
            made.results.append(result)
            if outcome.kind is not RETRY:
                if result is OK:
                    await self._apply(outcome, made)
                elif result is CommitResult.SAME_CONTENT:
                    self._stages.pop(outcome.stage, None)
                    self.live -= 1
        return made

    def _settle(self, outcome: Outcome) -> CommitResult:
        """Remove one request, or store its next attempt."""
        ticket, pending = outcome.ticket, outcome.ticket.pending
        lane = self._lanes[pending.group]
        if not lane.held or lane.epoch != ticket.epoch:
            return CommitResult.FENCED
        lane.state = outcome.lane_state or lane.state
        is_pending = self._put_off(lane, outcome) if outcome.kind is RETRY else self._remove(lane, pending.order)
        if not is_pending:
            return CommitResult.DUP
        pending.attempts = outcome.attempts
        return CommitResult.SAME_CONTENT if outcome.digest and outcome.digest in self._digests else OK

    def _put_off(self, lane: _Lane, outcome: Outcome) -> bool:
        """Store the next attempt of a request, and return whether the request is pending."""
        pending, disk = outcome.ticket.pending, self._disk
        order, attempts, not_before = pending.order, outcome.attempts, outcome.not_before
        if not lane.has(order) and (disk is None or not disk.put_off(lane.number, order, attempts, not_before)):
            return False
        pending.not_before = not_before
        return True

    def _remove(self, lane: _Lane, order: Order) -> bool:
        """Remove a request, and return whether it was pending."""
        if lane.remove(order):
            return True
        if self._disk is None or not self._disk.remove(lane.number, order):
            return False
        lane.on_disk -= 1
        self._on_disk -= 1
        return True

    async def _apply(self, outcome: Outcome, made: Committed) -> None:
        pending = outcome.ticket.pending
        if outcome.digest:
            self._digests.add(outcome.digest)
        items, parts = self._stages.pop(outcome.stage, ((), []))
        if parts or outcome.discovered:
            live, found = self.live, len(outcome.discovered)
            while parts:
                requests = _unpacked(parts.pop(0))
                found += len(requests)
                made.grew.update(fresh.group for fresh in self._add(requests))
                await trio.lowlevel.checkpoint()
            made.fresh += self._add(outcome.discovered)
            made.duplicates += found - (self.live - live)
        tier, number = pending.order
        for index, item in enumerate((*items, *outcome.items)):
            if self._cursors:
                key = f"{self._name}.{tier}.{number}.{index}"
                self._log.append(Row(item.data, key, pending.request.url, item.value, item.type))
            self.logged += 1
        self.live -= 1

    def _add(self, requests: Sequence[Request]) -> list[Pending]:
        fresh: list[Pending] = []
        known = self.known
        for request in requests:
            key = request.key
            if not request.dont_filter:
                if key in known:
                    continue
                known.add(key)
            name = lane_name(request)
            lane = self._lanes.get(name)
            if lane is None:
                lane = self._lanes[name] = _Lane(name, len(self._lanes))
            pending = Pending((-request.priority, next(self._numbers)), request, name)
            if self.live - self._on_disk < self._max_pending:
                lane.add(pending)
            else:
                self._write(lane, pending)
            self.live += 1
            if lane.held:
                fresh.append(pending)
            else:
                self._free[name] = lane
        if isinstance(known, set) and len(known) > self._max_keys:
            from crawler.store.compact_keys import CompactKeys  # noqa: PLC0415 - only a large crawl needs it

            self.known = CompactKeys(known)
        return fresh

    def _write(self, lane: _Lane, pending: Pending) -> None:
        """Write a pending request to disk; one that cannot be written stays in memory."""
        if self._disk is None:
            from crawler.store.pending_on_disk import PendingOnDisk  # noqa: PLC0415 - only a large crawl needs it

            self._disk = PendingOnDisk()
        try:
            self._disk.add(lane.number, pending)
        except (TypeError, ValueError):  # code of users has put into its mappings what JSON does not have
            lane.add(pending)
        else:
            lane.on_disk += 1
            self._on_disk += 1

    async def release(self, group: str, epoch: int, state: dict[str, Any]) -> None:
        """End the lease of a group, and store the state of its lane."""
        lane = self._lanes.get(group)
        if lane is None or lane.epoch != epoch:
            return
        lane.held = False
        lane.state = state or lane.state
        if lane.tiers or lane.on_disk:
            self._free[group] = lane

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


def _packed(requests: Sequence[Request]) -> bytes | Sequence[Request]:
    """Return staged requests as lines of JSON, which take a third of the memory."""
    try:
        return b"\n".join([request.to_json() for request in requests])
    except TypeError:  # code of users has put into its mappings what JSON does not have
        return requests


def _unpacked(part: bytes | Sequence[Request]) -> Sequence[Request]:
    return [Request.from_json(line) for line in part.split(b"\n")] if isinstance(part, bytes) else part
