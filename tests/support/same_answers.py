"""Random operations of the owners of a job, whose answers any two stores have to agree on.

::

    answers = await Replay(open_worker).run(steps)
    assert answers == await Replay(open_another_worker).run(steps)
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from hypothesis import strategies as st
from support.store_contract import OpenWorker
from support.stores import failed, paths, ticket

from crawler.frontier import PageTicket, Pending
from crawler.messages import Request
from crawler.store import Claimed, CommitResult, Group, ItemRow, Kind, Outcome, Store

if TYPE_CHECKING:
    from crawler.store import SharedStore

__all__ = ["STEPS", "Replay", "Step"]

HOSTS: Final = [f"http://h{number}.test" for number in range(3)]
Step: TypeAlias = tuple[str, int, dict[str, Any]]
"""The name of a method of `Replay`, the number of an owner, and the arguments; a method ignores those of others."""

_hosts = st.integers(0, len(HOSTS) - 1)
_links = st.lists(st.tuples(_hosts, st.integers(0, 7), st.integers(-1, 1), st.booleans()), max_size=5)
_pages = st.tuples(
    _hosts,
    st.sampled_from([Kind.DONE, Kind.DONE, Kind.DONE, Kind.RETRY, Kind.FAILED, Kind.REFUSED]),
    _links,
    st.integers(0, 2),  # items
    st.sampled_from([b"", b"", b"one", b"other"]),  # the digest of the body
    st.booleans(),  # whether half of its effects are staged
)
FIRST: Final[list[Step]] = [
    ("ingest", 0, {"links": [(host, path, 0, True) for host in range(len(HOSTS)) for path in range(4)]}),
    ("claim", 0, {"hosts": {0, 1}, "n": 100}),
    ("claim", 1, {"hosts": {2}, "n": 100}),
]
"""Without them, most steps would have nothing to do."""
NAMES: Final = ["commit"] * 6 + ["ingest", "claim", "claim", "release", "extend", "deliver", "rejoin"]
STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.integers(0, 1),  # the owner
        st.fixed_dictionaries(
            {
                "links": _links,
                "exhausted": st.booleans(),
                "hosts": st.sets(_hosts),
                "host": _hosts,
                "n": st.just(100),
                "pages": st.lists(_pages, min_size=1, max_size=3),
            }
        ),
    ),
    min_size=8,
    max_size=25,
)
"""Lists of steps."""


class _Owner:
    """One worker, and what it holds."""

    def __init__(self, store: Store, stack: AsyncExitStack) -> None:
        self.store = store
        self.stack = stack
        self.groups: dict[str, Group] = {}
        self.tickets: dict[str, list[PageTicket]] = {}
        self.stages = 0
        self.cursor = 0


class Replay:
    """Owners that take steps, and say what they were answered.

    Two owners lease lanes by name, since the store is free to choose among others. An only owner gets all lanes.

    Parameters:
        open_worker: Opens the store of an owner of a new job.
        owners: Their number: 1 or 2.
    """

    def __init__(self, open_worker: OpenWorker, owners: int = 2) -> None:
        self._open_worker = open_worker
        self._is_only = owners == 1
        self._owners: list[_Owner] = []

    async def run(self, steps: list[Step]) -> list[Any]:
        """Take the steps; return the answers, and at the end what is left in the job."""
        self._owners = [await self._join() for _ in range(1 if self._is_only else 2)]
        try:
            answers = []
            for name, number, arguments in [*FIRST, *steps]:
                owner = self._owners[number % len(self._owners)]
                answers.append((name, await getattr(self, name)(owner, **arguments)))
            for owner in self._owners:
                for host in range(len(HOSTS)):
                    await self.release(owner, host=host)
            return [*answers, await self._rest()]
        finally:
            for owner in self._owners:
                await owner.stack.aclose()

    async def _join(self) -> _Owner:
        stack = AsyncExitStack()
        owner = _Owner(await stack.enter_async_context(self._open_worker()), stack)
        await owner.store.follow("sink")
        return owner

    async def _rest(self) -> Any:
        """Return the requests and items that are left in the job."""
        owner = self._owners[0]
        found = []
        for host in HOSTS:
            claimed = await self._claim(owner, 100, [host])
            found += sorted((group.name, _shown(group.head)) for group in claimed.groups)
        rows = [[row.item["n"] for row in await each.store.read(each.cursor, 1000)] for each in self._owners]
        return found, rows, owner.store.live

    # ---- steps -------------------------------------------------------------------------------------------------------

    async def ingest(self, owner: _Owner, *, links: list[Any], exhausted: bool = False, **_: object) -> Any:
        """Add requests."""
        ingested = await owner.store.ingest(_requests(links), exhausted=exhausted)
        self._take(owner, ingested.fresh)
        return _shown(ingested.fresh), ingested.added, self._state(owner)

    async def claim(self, owner: _Owner, *, hosts: set[int], n: int, **_: object) -> Any:
        """Lease some lanes by name."""
        names = [HOSTS[host] for host in sorted(hosts)]
        claimed = await self._claim(owner, n, [name for name in names if name not in owner.groups])
        for group in claimed.groups:
            owner.groups[group.name] = group
            owner.tickets[group.name] = [ticket(pending, group.epoch) for pending in group.head]
        found = sorted((group.name, _shown(group.head), group.more, group.state) for group in claimed.groups)
        return found, not self._is_only and claimed.seeds, self._state(owner)

    async def release(self, owner: _Owner, *, host: int, **_: object) -> Any:
        """Give a lane back."""
        group = owner.groups.pop(HOSTS[host], None)
        if group is not None:
            owner.tickets.pop(group.name)
            await owner.store.release(group.name, group.epoch, {"releases": group.state.get("releases", 0) + 1})

    async def extend(self, owner: _Owner, **_: object) -> Any:
        """Renew the lease, if it may end."""
        if not owner.store.shared:
            return [], [], self._state(owner)
        extended = await cast("SharedStore", owner.store).extend()
        assert extended is not None
        for name in extended.grew:
            await self._reload(owner, name)
        return sorted(extended.grew), sorted(extended.wanted), self._state(owner)

    async def commit(self, owner: _Owner, *, pages: list[Any], **_: object) -> Any:
        """Commit the first pages of some lanes."""
        await self.extend(owner)
        outcomes = []
        for host, *page in pages:
            held = [tickets for _, tickets in sorted(owner.tickets.items()) if tickets]
            if held:
                tickets = held[host % len(held)]
                tickets.sort(key=lambda each: (each.request.url, -each.pending.attempts))
                outcomes.append(await self._outcome(owner, tickets.pop(0), *page))
        committed = await owner.store.commit(outcomes)
        self._take(owner, committed.fresh)  # before a lane is read again: that finds them, too
        for outcome, verdict in zip(outcomes, committed.results, strict=True):
            name = outcome.ticket.pending.group
            if verdict is CommitResult.CONFLICT or (outcome.kind is Kind.RETRY and verdict is CommitResult.OK):
                await self._reload(owner, name)
        for name in committed.grew:
            await self._reload(owner, name)
        # Of equal requests, of which one was staged and one was not, the store is free to take either.
        lanes = sorted(committed.grew.union(row.group for row in committed.fresh))
        fresh = lanes if any(outcome.stage for outcome in outcomes) else _shown(committed.fresh)
        return committed.results, fresh, committed.duplicates, self._state(owner)

    async def _outcome(
        self, owner: _Owner, held: PageTicket, kind: Kind, links: list[Any], items: int, digest: bytes, staged: bool,
    ) -> Outcome:  # fmt: skip
        if kind is Kind.FAILED:
            return failed(held)
        if kind is not Kind.DONE:
            return Outcome(kind=kind, ticket=held, attempts=held.pending.attempts + 1)
        requests = _requests(links)
        rows = [ItemRow(b'{"n":"%s %d"}' % (held.request.url.encode(), n)) for n in range(items)]
        effects: dict[str, Any] = {"items": rows, "discovered": requests, "digest": digest}
        if staged:
            owner.stages += 1
            await owner.store.stage(owner.stages, rows[:1], requests[:2])
            effects |= {"items": rows[1:], "discovered": requests[2:], "stage": owner.stages}
            effects["staged_items"] = len(rows[:1])
        if digest:
            await owner.store.has_body(digest)
        return Outcome(kind=Kind.DONE, ticket=held, attempts=1, page=True, **effects)

    async def deliver(self, owner: _Owner, *, n: int, **_: object) -> Any:
        """Let the sink store some items."""
        rows = await owner.store.read(owner.cursor, n)
        if rows:
            owner.cursor += len(rows)
            await owner.store.advance("sink", owner.cursor, {"at": owner.cursor})
        return [(row.item["n"], row.page) for row in rows]

    async def rejoin(self, owner: _Owner, **_: object) -> Any:
        """Leave, and join again as another owner."""
        if self._is_only:
            return
        await self.deliver(owner, n=1000)  # the store is free to choose who takes over the rest of a log
        await cast("SharedStore", owner.store).extend()
        await owner.stack.aclose()
        self._owners[self._owners.index(owner)] = await self._join()

    # ---- inside ------------------------------------------------------------------------------------------------------

    async def _claim(self, owner: _Owner, n: int, names: list[str]) -> Claimed:
        if self._is_only:
            return await owner.store.claim(100, n)
        return await cast("SharedStore", owner.store).claim(0, n, names)

    async def _reload(self, owner: _Owner, name: str) -> None:
        """Read the requests of a lane again."""
        group = owner.groups.get(name)
        if group is not None:
            rows = await owner.store.more(name, group.epoch, (-(2**31), -1), 100)
            owner.tickets[name] = [ticket(pending, group.epoch) for pending in rows]

    @staticmethod
    def _take(owner: _Owner, fresh: list[Pending]) -> None:
        for pending in fresh:
            if pending.group in owner.groups:
                held = owner.tickets[pending.group]
                held.append(ticket(pending, owner.groups[pending.group].epoch))

    @staticmethod
    def _state(owner: _Owner) -> tuple[Any, ...]:
        return owner.store.live, owner.store.exhausted, owner.store.logged


def _requests(links: list[Any]) -> list[Request]:
    return [
        Request(f"{HOSTS[host]}/{path}", priority=priority, dont_filter=not is_filtered)
        for host, path, priority, is_filtered in links
    ]


def _shown(rows: list[Pending]) -> list[tuple[str, str, int]]:
    """Return requests without their order, which is free among those of one commit."""
    return sorted((row.group, path, row.attempts) for row, path in zip(rows, paths(rows), strict=True))
