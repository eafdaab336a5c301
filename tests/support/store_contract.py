"""The contract of a store that several workers share: one suite, which every such store passes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, ClassVar, TypeAlias

import msgspec
import pytest
import trio
from support.stores import A, B, done, paths, requests, ticket

from crawler.frontier import PageTicket
from crawler.messages import Request
from crawler.stats import Stats
from crawler.store import (
    Checkpoint,
    CommitResult,
    CookieChange,
    Extended,
    Group,
    ItemRow,
    Kind,
    Observations,
    Outcome,
    Store,
)
from crawler.store.outcome import OUTDATED

__all__ = ["OpenWorker", "SharedStoreContract", "Sleep"]

OpenWorker: TypeAlias = Callable[[], AbstractAsyncContextManager[Store]]
"""Opens the store of one more worker of the job of this test."""
Sleep: TypeAlias = Callable[[float], Awaitable[None]]
"""Lets some seconds pass for the store."""
LONGEST = 60.0
"""Timeout in seconds, which no test needs that passes."""
C = "http://c.test"


def hosts(*names: str) -> list[Request]:
    """Return one request for each host."""
    return [request for name in names for request in requests("1", host=name)]


def tickets(*groups: Group) -> list[PageTicket]:
    """Return a ticket for each request in the heads of groups."""
    return [ticket(pending, group.epoch) for group in groups for pending in group.head]


async def extended(store: Store) -> Extended:
    """Renew a lease that has not ended."""
    answer = await store.extend()
    assert answer is not None
    return answer


def counted(**counts: int) -> Observations:
    """Return observations with the counts of one worker."""
    return Observations(checkpoint=Checkpoint(stats=Stats(**counts).to_json(lanes=True)))


class SharedStoreContract:
    """A subclass has the fixtures `open_worker` and `clock`: one of trio, or `None`."""

    lease: ClassVar[float] = 60.0

    @pytest.fixture
    def sleep(self) -> Sleep:
        """Let time pass; before a test opens a job."""
        return trio.sleep

    @pytest.fixture
    async def stack(self) -> Any:
        """Close what a test has opened."""
        async with AsyncExitStack() as stack:
            yield stack

    @pytest.fixture
    async def one(self, stack: AsyncExitStack, open_worker: OpenWorker) -> Store:
        """The store of the first worker."""
        return await stack.enter_async_context(open_worker())

    @pytest.fixture
    async def two(self, one: Store, stack: AsyncExitStack, open_worker: OpenWorker) -> Store:
        """The store of the second worker."""
        return await stack.enter_async_context(open_worker())

    async def outlive(self, sleep: Sleep, store: Store) -> None:
        """Renew one lease until those of all others have ended."""
        for _ in range(5):
            await sleep(self.lease / 4)
            await extended(store)

    # ---- owners and leases

    async def test_every_worker_is_an_owner_and_later_ones_have_higher_numbers(
        self, clock: object, one: Store, two: Store
    ) -> None:
        assert one.shared
        assert one.durable
        assert 0 < one.owner < two.owner
        assert one.lease == self.lease

    async def test_a_job_has_a_name_that_all_workers_know(self, clock: object, one: Store, two: Store) -> None:
        assert one.job_name == two.job_name != ""

    async def test_the_clock_of_the_store_is_the_same_for_all(self, clock: object, one: Store, two: Store) -> None:
        first = (await one.resume_state()).now
        second = (await two.resume_state()).now
        assert first is not None
        assert second is not None
        assert first <= second < first + self.lease

    async def test_a_group_has_one_owner(self, clock: object, one: Store, two: Store) -> None:
        await one.ingest(hosts(A))
        [group] = (await one.claim(10, 10)).groups
        assert (group.name, paths(group.head), group.unclean) == (A, ["1"], False)
        assert (await two.claim(10, 10)).groups == []
        assert not two.unclaimed

    async def test_groups_are_divided_among_owners(self, clock: object, one: Store, two: Store) -> None:
        await one.ingest(hosts(*(f"http://h{n}.test" for n in range(7))))
        first, second = await one.claim(10, 10), await two.claim(10, 10)
        assert (len(first.groups), len(second.groups)) == (4, 3)
        assert len({group.name for group in (*first.groups, *second.groups)}) == 7

    async def test_an_owner_learns_how_many_groups_are_too_many(
        self, clock: object, one: Store, open_worker: OpenWorker, stack: AsyncExitStack
    ) -> None:
        await one.ingest(hosts(*(f"http://h{n}.test" for n in range(6))))
        held = (await one.claim(10, 10)).groups
        assert len(held) == 6
        assert (await extended(one)).surplus == 0
        two = await stack.enter_async_context(open_worker())
        assert (await extended(one)).surplus == 3
        for group in held[:3]:
            await one.release(group.name, group.epoch, {})
        assert len((await two.claim(10, 10)).groups) == 3
        assert (await extended(one)).surplus == 0

    async def test_a_lease_that_is_renewed_never_ends(
        self, clock: object, sleep: Sleep, one: Store, two: Store
    ) -> None:
        await one.ingest(hosts(A))
        [held] = tickets(*(await one.claim(10, 10)).groups)
        for _ in range(6):
            await sleep(self.lease / 3)
            await extended(one)
            await extended(two)
        assert (await two.claim(10, 10)).groups == []
        assert (await one.commit([done(held)])).results == [CommitResult.OK]

    async def test_groups_of_an_owner_that_is_gone_come_free_with_all_their_requests(
        self, clock: object, sleep: Sleep, one: Store, two: Store
    ) -> None:
        await one.ingest(requests("1", "2"))
        [lost] = (await one.claim(10, 10)).groups
        await self.outlive(sleep, two)
        [group] = (await two.claim(10, 10)).groups
        assert group.epoch > lost.epoch
        assert group.unclean
        assert paths(group.head) == ["1", "2"]
        assert await one.extend() is None

    async def test_a_commit_of_an_owner_that_is_gone_changes_nothing(
        self, clock: object, sleep: Sleep, one: Store, two: Store
    ) -> None:
        await one.ingest(hosts(A))
        [late] = tickets(*(await one.claim(10, 10)).groups)
        await self.outlive(sleep, two)
        await two.claim(10, 10)
        outcome = done(late, discovered=requests("2"), items=[ItemRow(b"{}")], state={"spider": {"n": b"1"}})
        assert (await one.commit([outcome], counted(pages=9))).results == [CommitResult.FENCED]
        await one.release(A, late.epoch, {"next_start": 9.0})
        await one.ingest(requests("3"), exhausted=True)
        await extended(two)
        assert (two.live, two.logged, two.exhausted, two.others["pages"]) == (1, 0, False, 0)
        assert (await two.resume_state()).states == {}

    async def test_an_owner_that_leaves_releases_its_groups_at_once(
        self, clock: object, one: Store, open_worker: OpenWorker
    ) -> None:
        await one.ingest(hosts(A, B))
        async with open_worker() as two:
            [group] = (await two.claim(1, 10)).groups
        found = {group.name: group for group in (await one.claim(10, 10)).groups}
        assert set(found) == {A, B}
        assert found[group.name].unclean  # it has not been released, so nobody knows what is in flight

    async def test_no_lease_ends_while_the_store_serves_no_owner(
        self, clock: object, sleep: Sleep, one: Store, two: Store
    ) -> None:
        await one.ingest(hosts(A, B))
        held = tickets(*(await one.claim(1, 10)).groups)
        await extended(two)
        await sleep(3 * self.lease)
        await extended(two)
        await extended(one)
        assert (await one.commit([done(each) for each in held])).results == [CommitResult.OK]

    # ---- groups that go from one owner to another

    async def test_a_group_is_leased_when_its_limits_are_ready_and_not_before(
        self, clock: object, sleep: Sleep, one: Store, two: Store
    ) -> None:
        await one.ingest(hosts(A))
        [group] = (await one.claim(10, 10)).groups
        wait = self.lease / 4
        await one.release(A, group.epoch, {"next_start": 5.0}, wait)
        claimed = await two.claim(10, 10)
        now = (await two.resume_state()).now
        assert now is not None
        assert claimed.groups == []
        assert now < claimed.next_at <= now + wait
        await sleep(wait * 1.01)
        [again] = (await two.claim(10, 10)).groups
        assert again.state == {"next_start": 5.0}

    async def test_the_state_of_limits_that_a_commit_stores_goes_with_the_group(
        self, clock: object, sleep: Sleep, one: Store, two: Store
    ) -> None:
        await one.ingest(requests("1", "2"))
        [group] = (await one.claim(10, 10)).groups
        first = tickets(group)[0]
        await one.commit([done(first, lane_state={"next_start": 7.0})])
        await self.outlive(sleep, two)
        [again] = (await two.claim(10, 10)).groups
        assert again.state == {"next_start": 7.0}

    async def test_learned_limits_are_stored_with_an_outcome_that_was_settled_already(
        self, clock: object, one: Store, two: Store
    ) -> None:
        await one.ingest(requests("1", "2"))
        [group] = (await one.claim(10, 10)).groups
        first = tickets(group)[0]
        await one.commit([done(first, lane_state={"next_start": 7.0})])
        again = await one.commit([done(first, lane_state={"next_start": 9.0}, items=[ItemRow(b"{}")])])
        assert (again.results, one.logged) == ([CommitResult.DUP], 0)
        await one.release(A, group.epoch, {})
        [passed_on] = (await two.claim(10, 10)).groups
        assert passed_on.state == {"next_start": 9.0}

    async def test_a_group_that_is_needed_by_name_is_leased_without_requests(
        self, clock: object, one: Store, two: Store
    ) -> None:
        [budget] = (await one.claim(0, 10, ["key:A"])).groups
        assert (budget.name, budget.head, budget.more) == ("key:A", [], False)
        assert (await two.claim(0, 10, ["key:A"])).groups == []
        assert list((await extended(one)).wanted) == ["key:A"]
        observations = Observations(checkpoint=Checkpoint(budgets={"key:A": {"rates": [3.0]}, "key:B": {}}))
        await one.commit([], observations)
        await one.release("key:A", budget.epoch, {})
        [passed_on] = (await two.claim(0, 10, ["key:A"])).groups
        assert passed_on.state == {"rates": [3.0]}
        assert list((await extended(two)).wanted) == []

    async def test_owners_that_wait_for_a_group_get_it_in_turn(
        self, clock: object, one: Store, two: Store, open_worker: OpenWorker, stack: AsyncExitStack
    ) -> None:
        three = await stack.enter_async_context(open_worker())
        await one.ingest(hosts(A))
        [group] = (await one.claim(10, 10)).groups
        assert (await three.claim(0, 10, [A])).groups == []
        assert (await two.claim(0, 10, [A])).groups == []
        await one.release(A, group.epoch, {})
        assert (await one.claim(10, 10)).groups == []
        assert (await two.claim(10, 10, [A])).groups == []
        [turn] = (await three.claim(0, 10, [A])).groups
        await three.release(A, turn.epoch, {})
        assert [group.name for group in (await two.claim(0, 10, [A])).groups] == [A]

    async def test_an_owner_that_no_longer_waits_delays_no_other_owner(
        self, clock: object, one: Store, two: Store
    ) -> None:
        await one.ingest(hosts(A))
        [group] = (await one.claim(10, 10)).groups
        await two.claim(0, 10, [A])
        await two.claim(0, 10)
        assert list((await extended(one)).wanted) == []
        await one.release(A, group.epoch, {})
        assert len((await one.claim(10, 10)).groups) == 1

    async def test_requests_for_a_group_of_another_owner_are_announced_to_it(
        self, clock: object, one: Store, two: Store
    ) -> None:
        await one.ingest(hosts(A, B))
        [first] = (await one.claim(1, 10)).groups
        [second] = (await two.claim(1, 10)).groups
        [held] = tickets(first)
        committed = await one.commit([done(held, discovered=requests("2", "3", host=second.name))])
        assert (committed.fresh, committed.grew) == ([], set())
        assert list((await extended(two)).grew) == [second.name]
        assert list((await extended(two)).grew) == []
        after = second.head[-1].order
        assert paths(await two.more(second.name, second.epoch, after, 10)) == ["2", "3"]

    async def test_another_worker_is_woken(self, clock: object, one: Store, two: Store) -> None:
        woken = trio.Event()

        async def wait() -> None:
            await two.changed()
            woken.set()

        with trio.fail_after(LONGEST):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                for number in itertools.count():  # it may not listen yet when the first host comes
                    await extended(two)
                    await one.ingest(hosts(f"http://h{number}.test"))
                    with trio.move_on_after(0.5):
                        await woken.wait()
                        break

    # ---- start requests and counts

    async def test_one_owner_at_a_time_runs_start(self, clock: object, sleep: Sleep, one: Store, two: Store) -> None:
        assert (await one.claim(1, 1)).seeds
        assert (await one.claim(1, 1)).seeds
        assert not (await two.claim(1, 1)).seeds
        await self.outlive(sleep, two)
        assert (await two.claim(1, 1)).seeds
        ingested = await two.ingest([*hosts(A), *hosts(A)], exhausted=True)
        assert (ingested.added, ingested.fresh) == (1, [])
        await extended(two)
        assert two.exhausted
        assert not (await two.claim(1, 1)).seeds

    async def test_a_finished_crawl_begins_again_once(self, clock: object, one: Store, two: Store) -> None:
        await one.ingest(hosts(A), exhausted=True)
        [held] = tickets(*(await one.claim(1, 10)).groups)
        await one.commit([done(held)])
        for store in (two, one):
            await store.begin_again()
            assert (store.round, store.exhausted) == (2, False)
        assert (await one.ingest(hosts(A), exhausted=True)).added == 1

    async def test_counts_are_summed_over_all_owners_and_those_that_are_gone(
        self, clock: object, sleep: Sleep, one: Store, two: Store, open_worker: OpenWorker, stack: AsyncExitStack
    ) -> None:
        await one.commit([], counted(pages=3, items=1))
        await one.commit([], counted(pages=5, items=2, failed=1))
        await two.commit([], counted(pages=7))
        await extended(one)
        assert dict(one.others) == {"pages": 7, "items": 0, "failed": 0}
        assert dict(two.others) == {"pages": 5, "items": 2, "failed": 1}
        await self.outlive(sleep, two)
        assert two.others["pages"] == 5
        three = await stack.enter_async_context(open_worker())
        await extended(three)
        assert three.others["pages"] == 12
        kept = (await three.resume_state()).checkpoint.stats
        assert kept is not None
        assert msgspec.json.decode(kept)["pages"] == 12

    async def test_a_request_is_settled_once_and_live_counts_those_of_all(
        self, clock: object, one: Store, two: Store
    ) -> None:
        await one.ingest(hosts(A, B))
        [held] = tickets(*(await one.claim(1, 10)).groups)
        again = await one.commit([done(held), done(held, items=[ItemRow(b"{}")])])
        assert again.results == [CommitResult.OK, CommitResult.DUP]
        await extended(two)
        assert (one.live, two.live, one.logged) == (1, 1, 0)

    async def test_a_retry_keeps_its_attempts_and_time_under_another_owner(
        self, clock: object, one: Store, two: Store
    ) -> None:
        await one.ingest(hosts(A))
        [group] = (await one.claim(1, 10)).groups
        [held] = tickets(group)
        retry = Outcome(kind=Kind.RETRY, ticket=held, attempts=2, not_before=99.0, discovered=requests("no"))
        assert (await one.commit([retry])).results == [CommitResult.OK]
        await one.release(A, group.epoch, {})
        [[again]] = [group.head for group in (await two.claim(1, 10)).groups]
        assert (again.attempts, again.not_before, again.order) == (2, 99.0, held.pending.order)
        assert two.live == 1

    # ---- what all workers know

    async def test_changes_of_states_reach_the_others(self, clock: object, one: Store, two: Store) -> None:
        await one.commit([], Observations(states={"spider": {"n": b"1", "gone": b"2"}}))
        news = (await extended(two)).changes
        assert news.states == {"spider": {"n": b"1", "gone": b"2"}}
        assert news.version > 0
        assert (await extended(two)).changes.states == {}
        assert (await extended(one)).changes.states == {}
        resumed = await two.resume_state()
        assert resumed.states == {"spider": {"n": 1, "gone": 2}}
        assert resumed.version == news.version

    async def test_a_change_of_a_state_from_an_old_value_is_refused(
        self, clock: object, one: Store, two: Store
    ) -> None:
        await one.ingest([*requests("1", "2"), *hosts(B)])
        mine = tickets(*(await one.claim(1, 10)).groups)
        theirs = tickets(*(await two.claim(1, 10)).groups)
        began = (await one.resume_state()).version
        changed = done(mine[0], state={"spider": {"n": b"1"}}, state_version=began)
        assert (await one.commit([changed])).results == [CommitResult.OK]
        stale = done(
            theirs[0], state={"spider": {"n": b"1"}}, state_version=began, items=[ItemRow(b"{}")], discovered=hosts(C)
        )
        refused = await two.commit([stale])
        assert refused.results == [CommitResult.CONFLICT]
        assert refused.changes.states == {"spider": {"n": b"1"}}
        assert (two.live, two.logged) == ((3 - 1), 0)
        fresh = done(theirs[0], state={"spider": {"n": b"2"}}, state_version=refused.changes.version)
        assert (await two.commit([fresh])).results == [CommitResult.OK]
        assert (await one.resume_state()).states == {"spider": {"n": 2}}

    async def test_changes_from_values_that_were_replaced_are_refused_whoever_has_replaced_them(
        self, clock: object, one: Store, two: Store
    ) -> None:
        await one.ingest(requests("1", "2"))
        first, second = tickets(*(await one.claim(1, 10)).groups)
        outdated = done(first, state={"spider": {"n": b"1"}}, state_version=OUTDATED)
        assert (await one.commit([outdated])).results == [CommitResult.CONFLICT]
        assert (await one.commit([done(second, state={"spider": {"n": b"2"}})])).results == [CommitResult.OK]
        refused = await one.commit([outdated])
        assert (refused.results, refused.changes.states) == ([CommitResult.CONFLICT], {"spider": {"n": b"2"}})

    async def test_learned_limits_are_stored_even_if_a_page_is_not_committed(
        self, clock: object, one: Store, two: Store
    ) -> None:
        await one.ingest(requests("1"))
        await one.commit([], Observations(states={"spider": {"n": b"1"}}))
        [group] = (await two.claim(1, 1)).groups
        stale = done(*tickets(group), state={"spider": {"n": b"2"}}, state_version=0, lane_state={"pause": 30})
        assert (await two.commit([stale])).results == [CommitResult.CONFLICT]
        await two.release(group.name, group.epoch, {})
        assert [group.state for group in (await one.claim(1, 1)).groups] == [{"pause": 30}]

    async def test_changes_of_states_by_one_owner_do_not_conflict(self, clock: object, one: Store, two: Store) -> None:
        await one.ingest(requests("1", "2"))
        first, second = tickets(*(await one.claim(1, 10)).groups)
        outcomes = [done(held, state={"spider": {"n": value}}) for held, value in ((first, b"1"), (second, b"2"))]
        assert (await one.commit(outcomes)).results == [CommitResult.OK, CommitResult.OK]

    async def test_cookies_and_networks_reach_the_others(self, clock: object, one: Store, two: Store) -> None:
        cookie = CookieChange(session="s", domain="a.test", path="/", name="id", value=b'{"x":1}')
        checkpoint = Checkpoint(networks=b'{"opened":[]}', origins=b'["http://a.test"]')
        await one.commit([], Observations(cookies=[cookie], checkpoint=checkpoint))
        news = (await two.claim(1, 1)).changes
        [seen] = news.cookies
        assert (seen.session, seen.domain, seen.path, seen.name, seen.value) == ("s", "a.test", "/", "id", b'{"x":1}')
        assert (list(news.networks), list(news.origins)) == ([b'{"opened":[]}'], [b'["http://a.test"]'])
        assert list((await extended(two)).changes.cookies) == []
        assert list((await two.resume_state()).cookies) == [("s", b'{"x":1}')]
        await two.commit([], Observations(cookies=[msgspec.structs.replace(cookie, value=None)]))
        assert [change.value for change in (await extended(one)).changes.cookies] == [None]
        assert list((await one.resume_state()).cookies) == []

    async def test_of_two_pages_with_one_body_the_commit_keeps_the_first(
        self, clock: object, one: Store, two: Store
    ) -> None:
        await one.ingest(hosts(A, B))
        [mine] = tickets(*(await one.claim(1, 10)).groups)
        [theirs] = tickets(*(await two.claim(1, 10)).groups)
        assert not await two.has_body(b"body")
        await one.commit([done(mine, digest=b"body", items=[ItemRow(b"{}")])])
        await two.stage(1, [ItemRow(b"{}")], requests("staged"))
        late = done(theirs, digest=b"body", items=[ItemRow(b"{}")], discovered=requests("2"), stage=1, staged_items=1)
        assert (await two.commit([late])).results == [CommitResult.SAME_CONTENT]
        assert await two.has_body(b"body")
        assert (two.live, one.logged, two.logged) == (0, 1, 0)

    async def test_staged_effects_of_two_owners_are_apart(self, clock: object, one: Store, two: Store) -> None:
        await one.ingest(hosts(A, B))
        [mine] = tickets(*(await one.claim(1, 10)).groups)
        [theirs] = tickets(*(await two.claim(1, 10)).groups)
        await one.stage(1, [ItemRow(b'{"by":1}')], requests("by-one"))
        await two.stage(1, [ItemRow(b'{"by":2}')], [])
        await one.follow("sink")
        await two.follow("sink")
        await one.commit([done(mine, stage=1, staged_items=1)])
        await two.commit([done(theirs, stage=1, staged_items=1)])
        assert [row.item for row in await one.read(0, 10)] == [{"by": 1}]
        assert [row.item for row in await two.read(0, 10)] == [{"by": 2}]
        assert two.live == 1

    # ---- the log of items

    async def test_each_owner_has_the_items_that_it_has_committed(self, clock: object, one: Store, two: Store) -> None:
        await one.ingest(hosts(A, B))
        for store in (one, two):
            assert await store.follow("sink") == (0, None)
            [held] = tickets(*(await store.claim(1, 10)).groups)
            await store.commit([done(held, items=[ItemRow(f'{{"by":{store.owner}}}'.encode())])])
        for store in (one, two):
            rows = await store.read(0, 10)
            assert [row.item for row in rows] == [{"by": store.owner}]
            assert rows[0].sinks == ()
            assert store.logged == 1
        await extended(two)
        await extended(one)
        assert (one.behind, two.behind) == (0, 1)  # the first one does not wait for the second
        await one.advance("sink", 1, {"end": 9})
        await one.commit([])
        await extended(two)
        assert two.behind == 0
        assert await one.follow("sink") == (1, {"end": 9})

    async def test_items_of_an_owner_that_is_gone_go_to_the_sinks_that_have_not_stored_them(
        self, clock: object, sleep: Sleep, one: Store, two: Store
    ) -> None:
        await one.ingest(hosts(A))
        for store in (one, two):
            await store.follow("quick")
            await store.follow("slow")
        [held] = tickets(*(await one.claim(1, 10)).groups)
        items = [ItemRow(f'{{"n":{n}}}'.encode()) for n in range(4)]
        await one.commit([done(held, items=items)])
        await one.advance("quick", 3, {"end": 3})
        await one.advance("slow", 1, {"end": 1})
        await one.commit([])
        await self.outlive(sleep, two)
        assert two.logged == 3
        assert [(row.item["n"], row.sinks) for row in await two.read(0, 10)] == [
            (1, ("slow",)),
            (2, ("slow",)),
            (3, ()),
        ]
        assert two.behind == 0
        assert (await two.resume_state()).gone == {one.owner: {"quick": {"end": 3}, "slow": {"end": 1}}}
        await one.advance("slow", 4, None)
        assert await one.read(0, 10) == []
        for sink in ("quick", "slow"):
            await two.advance(sink, 3, None)

    async def test_items_that_an_owner_has_left_are_taken_over(
        self, clock: object, one: Store, open_worker: OpenWorker, stack: AsyncExitStack
    ) -> None:
        await one.ingest(hosts(A, B))
        await one.claim(1, 10)
        async with open_worker() as two:
            await two.follow("sink")
            [held] = tickets(*(await two.claim(1, 10)).groups)
            await two.commit([done(held, items=[ItemRow(b'{"n":1}')])])
        await extended(one)
        assert [row.item for row in await one.read(0, 10)] == [{"n": 1}]

    async def test_keys_of_items_are_unique_over_all_owners(self, clock: object, one: Store, two: Store) -> None:
        await one.ingest([*requests("1", "2"), *requests("1", "2", host=B)])
        keys: list[str] = []
        for store in (one, two):
            await store.follow("sink")
            for held in tickets(*(await store.claim(1, 10)).groups):
                await store.commit([done(held, items=[ItemRow(b"{}"), ItemRow(b"{}")])])
            keys += [row.key for row in await store.read(0, 10)]
        assert len(set(keys)) == len(keys) == 8

    async def test_a_shared_job_has_no_sinks_of_earlier_runs(self, clock: object, one: Store) -> None:
        await one.follow("sink")
        assert one.sinks() == {}
        assert not one.follows("sink")
        assert list(one.written_behind("sink")) == []
        assert one.folder is None
        assert (await one.claim(1, 1)).next_at == math.inf
