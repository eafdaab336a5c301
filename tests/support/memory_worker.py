"""`MemoryWorker`: the access of one worker to a `MemoryJob`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from support.memory_groups import NOBODY, GroupRow, RequestRow
from support.memory_job import StateRow
from support.memory_log import MemoryLog

from crawler.frontier import Pending, lane_name
from crawler.frontier.ticket import START, Order
from crawler.hooks.page_effects import MISSING
from crawler.messages import Request, Row
from crawler.stats import Stats
from crawler.store.checkpoint import Checkpoint
from crawler.store.outcome import ItemRow, Kind, Observations, Outcome
from crawler.store.protocol import (
    Claimed,
    CommitResult,
    Committed,
    Extended,
    Group,
    Ingested,
    RemoteChanges,
    ResumeState,
)

__all__ = ["MemoryWorker"]

COUNTED: Final = (CommitResult.OK, CommitResult.DUP, CommitResult.SAME_CONTENT)
"""Verdicts after which the counts of a worker are true."""


class MemoryWorker(MemoryLog):
    """The store of one worker. The methods are those of `Store`.

    Every method lets other tasks run first, as a database would, and is one transaction from then on.

    Parameters:
        job: The rows.
        owner: That of this worker.
    """

    # ---- the lease ---------------------------------------------------------------------------------------------------

    async def extend(self) -> Extended | None:
        """Renew the lease."""
        if not await self._transaction():
            return None
        job, owner = self._job, self._owner
        job.reap(owner)
        owner.until = job.now() + job.lease
        mine = job.groups.of(self.owner)
        grew = [group.name for group in mine if group.grew]
        for group in mine:
            group.grew = False
        self._answer()
        wanted = [group.name for group in mine if group.waiting]
        return Extended(grew=grew, wanted=wanted, surplus=job.surplus(owner), changes=self._news())

    async def changed(self) -> None:
        """Wait until another owner has changed something."""
        await self._job.changed.wait()

    async def claim(self, groups: int, n: int, names: Collection[str] = ()) -> Claimed:
        """Lease groups: those of these names, and others with requests."""
        if not await self._transaction():
            return Claimed(groups=[])
        job, owner = self._job, self._owner
        job.reap(owner)
        leased = [self._lease(group, n) for group in self._named(names)]
        room = min(groups, job.share() - job.groups.busy_of(self.owner))
        leased += [self._lease(group, n) for group in job.groups.ready(job.now(), room)]
        seeds = not job.exhausted and job.seeds in (NOBODY, self.owner)
        if seeds:
            job.seeds = self.owner
        self._answer()
        return Claimed(groups=leased, next_at=self._next_at(names), seeds=seeds, changes=self._news())

    def _named(self, names: Collection[str]) -> list[GroupRow]:
        """Return the groups of these names that may be leased, and wait for the others and for no more than these."""
        job, groups = self._job, self._job.groups
        wanted = [groups.get(name) for name in names]
        free = [group for group in wanted if group.is_free_for(self.owner, job.now())]
        rest = [group for group in wanted if group not in free]
        groups.stop_waiting(self.owner, [group.name for group in rest])
        for group in rest:
            if group.owner != self.owner and groups.wait(group, self.owner):
                job.changed.set()
        return free

    def _lease(self, group: GroupRow, n: int) -> Group:
        self._job.groups.lease(group, self.owner)
        robots = self._job.robots.get(group.name)
        return Group(
            name=group.name,
            epoch=group.epoch,
            state=group.state,
            head=self._requests_after(group, START, n),
            more=len(group.requests) > n,
            robots=() if robots is None else (robots,),
            unclean=group.unclean,
        )

    def _next_at(self, names: Collection[str]) -> float:
        job = self._job
        groups = (*job.groups.free.values(), *(job.groups.get(name) for name in names))
        waits = [group.ready_at for group in groups]
        leases = [other.until for other in job.owners.values() if other is not self._owner]
        return min((at for at in (*waits, *leases) if at > job.now()), default=math.inf)

    async def release(self, group: str, epoch: int, state: dict[str, Any], wait: float = 0.0) -> None:
        """End the lease of a group."""
        if not await self._transaction():
            return
        row = self._job.groups.get(group)
        if (row.owner, row.epoch) == (self.owner, epoch):
            row.state = state or row.state
            row.ready_at = self._job.now() + wait
            row.unclean = False
            self._job.groups.give_up(row)
            self._job.changed.set()

    def _news(self, *, all_states: bool = False) -> RemoteChanges:
        """Return what other owners have written since the last news, or all states."""
        job, owner = self._job, self._owner
        cookies = [change for writer, change in job.cookies[owner.cookies :] if writer != self.owner]
        notes = [(name, value) for writer, name, value in job.notes[owner.notes :] if writer != self.owner]
        states: dict[str, dict[str, Any]] = {}
        for (plugin, name), row in job.states.items():
            if all_states or (row.version > owner.version and row.writer != self.owner):
                states.setdefault(plugin, {})[name] = row.value
        owner.cookies, owner.notes, owner.version = len(job.cookies), len(job.notes), job.version
        return RemoteChanges(
            cookies=cookies,
            states=states,
            version=job.version,
            networks=[value for name, value in notes if name == "networks"],
            origins=[value for name, value in notes if name == "origins"],
        )

    # ---- requests ----------------------------------------------------------------------------------------------------

    async def ingest(self, requests: Sequence[Request], *, exhausted: bool = False) -> Ingested:
        """Add requests that are not known."""
        if not await self._transaction():
            return Ingested()
        live = self._job.live
        fresh = self._add(requests)
        self._job.exhausted = self._job.exhausted or exhausted
        self._job.changed.set()
        self._answer()
        return Ingested(fresh=fresh, added=self._job.live - live)

    def _add(self, requests: Sequence[Request]) -> list[Pending]:
        """Add the requests that are not known, and return those in groups of this owner."""
        job, fresh = self._job, list[Pending]()
        for request in requests:
            if not request.dont_filter:
                if request.key in job.known:
                    continue
                job.known.add(request.key)
            group = job.groups.get(lane_name(request))
            order = (-request.priority, next(job.numbers))
            job.groups.add(group, order, RequestRow(request))
            job.live += 1
            if group.owner == self.owner:
                fresh.append(Pending(order, request, group.name))
            else:
                group.grew = group.owner != NOBODY
                job.changed.set()
        return fresh

    async def more(self, group: str, epoch: int, after: Order, n: int) -> list[Pending]:
        """Return the next requests of a group."""
        if not await self._transaction():
            return []
        return self._requests_after(self._job.groups.get(group), after, n)

    @staticmethod
    def _requests_after(group: GroupRow, after: Order, n: int) -> list[Pending]:
        orders = sorted(order for order in group.requests if order > after)[:n]
        found: list[Pending] = []
        for order in orders:
            row = group.requests[order]
            pending = Pending(order, row.request, group.name, row.attempts)
            pending.not_before = row.not_before
            found.append(pending)
        return found

    async def begin_again(self) -> None:
        """Begin a finished crawl again, unless another worker has just done so."""
        job = self._job
        if await self._transaction() and job.exhausted and not job.live:
            job.known.clear()
            job.digests.clear()
            job.past, job.seeds, job.exhausted = Stats(), NOBODY, False
            job.round += 1
        self._answer()

    async def resume_state(self) -> ResumeState:
        """Return what the workers so far have committed."""
        await self._transaction()
        job, owner = self._job, self._owner
        cookies = {(c.session, c.domain, c.path, c.name): c.value for _, c in job.cookies}
        notes = {name: value for _, name, value in job.notes}
        owner.cookies, owner.notes, owner.version = len(job.cookies), len(job.notes), job.version
        return ResumeState(
            checkpoint=Checkpoint(
                stats=job.total().to_json(lanes=True),
                networks=notes.get("networks"),
                origins=notes.get("origins"),
                exhausted=job.exhausted,
            ),
            states=self._states(),
            cookies=[(session, value) for (session, *_), value in cookies.items() if value is not None],
            now=job.now(),
            version=job.version,
            gone=job.positions,
        )

    def _states(self) -> dict[str, dict[str, Any]]:
        """Return all states, as values."""
        states: dict[str, dict[str, Any]] = {}
        for (plugin, name), row in self._job.states.items():
            if row.value is not MISSING:
                states.setdefault(plugin, {})[name] = msgspec.json.decode(row.value)
        return states

    # ---- commits -----------------------------------------------------------------------------------------------------

    async def stage(self, stage: int, items: Sequence[ItemRow], requests: Sequence[Request]) -> None:
        """Store effects of a page whose callback is still running."""
        if await self._transaction():
            kept = self._owner.stages.setdefault(stage, ([], []))
            kept[0].extend(items)
            kept[1].extend(requests)

    async def has_body(self, digest: bytes) -> bool:
        """Return whether a page whose body has this digest is committed."""
        await self._transaction()
        return digest in self._job.digests

    async def commit(self, outcomes: Sequence[Outcome], observations: Observations | None = None) -> Committed:
        """Commit outcomes, each one completely or not at all."""
        if not await self._transaction():
            return Committed(results=[CommitResult.FENCED] * len(outcomes))
        made = Committed()
        for outcome in outcomes:
            verdict = self._settle(outcome)
            made.results.append(verdict)
            items, requests = self._owner.stages.pop(outcome.stage, ((), ()))
            if outcome.kind is not Kind.RETRY and verdict in (CommitResult.OK, CommitResult.SAME_CONTENT):
                if verdict is CommitResult.OK:
                    self._apply(outcome, items, requests, made)
                self._save_states(outcome.state)
                self._job.live -= 1
        if observations is not None:
            self._observe(observations, has_counts=all(verdict in COUNTED for verdict in made.results))
        if self._job.live == 0:
            self._job.changed.set()
        self._answer()
        made.changes = self._news(all_states=CommitResult.CONFLICT in made.results)
        return made

    def _settle(self, outcome: Outcome) -> CommitResult:
        """Remove one request, or store its next attempt."""
        job, ticket, order = self._job, outcome.ticket, outcome.ticket.pending.order
        group = job.groups.get(ticket.pending.group)
        if (group.owner, group.epoch) != (self.owner, ticket.epoch):
            return CommitResult.FENCED
        group.state = outcome.lane_state or group.state
        row = group.requests.get(order)
        if row is None:
            return CommitResult.DUP
        others = [state.version for state in job.states.values() if state.writer != self.owner]
        if outcome.state and max(others, default=0) > outcome.state_version:
            return CommitResult.CONFLICT
        if outcome.kind is Kind.RETRY:
            row.attempts, row.not_before = outcome.attempts, outcome.not_before
            return CommitResult.OK
        job.groups.settle(group, order)
        if outcome.digest and outcome.digest in job.digests:
            return CommitResult.SAME_CONTENT
        return CommitResult.OK

    def _apply(self, outcome: Outcome, items: Sequence[ItemRow], requests: Sequence[Request], made: Committed) -> None:
        """Make the effects of a page true: those that were staged, then its others."""
        job, pending = self._job, outcome.ticket.pending
        if outcome.digest:
            job.digests.add(outcome.digest)
        live = job.live
        made.grew.update(fresh.group for fresh in self._add(requests))
        made.fresh += self._add(outcome.discovered)
        made.duplicates += len(requests) + len(outcome.discovered) - (job.live - live)
        tier, number = pending.order
        for index, item in enumerate((*items, *outcome.items)):
            row = Row(item.data, f"{tier}.{number}.{index}", pending.request.url, item.value, item.type)
            self._owner.log.append(row)

    def _save_states(self, states: Mapping[str, dict[str, Any]]) -> None:
        job = self._job
        if states:
            job.version += 1
            job.changed.set()
        for plugin, changed in states.items():
            for name, value in changed.items():
                job.states[plugin, name] = StateRow(value, job.version, self.owner)

    def _observe(self, observations: Observations, *, has_counts: bool) -> None:
        """Store observations. The counts are true only if each outcome that they include is committed."""
        job, checkpoint = self._job, observations.checkpoint
        if checkpoint.stats is not None and has_counts:
            self._owner.stats.restore(checkpoint.stats)
        for name, value in (("networks", checkpoint.networks), ("origins", checkpoint.origins)):
            if value is not None:
                job.notes.append((self.owner, name, value))
        for name, state in (checkpoint.budgets or {}).items():
            if job.groups.get(name).owner == self.owner:
                job.groups.get(name).state = state
        self._save_states(observations.states)
        job.cookies += ((self.owner, change) for change in observations.cookies)
        job.robots |= {answer.origin: answer for answer in observations.robots}
