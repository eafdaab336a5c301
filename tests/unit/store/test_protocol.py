"""The contract of `Store`: one suite that every store passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.stores import A, B, claimed, done, paths, requests, ticket

from crawler.store import CommitResult, FailureRow, ItemRow, Kind, MemoryStore, Outcome, Store
from crawler.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "memory and disk", "sqlite", "sqlite, power"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "memory and disk":
        with closing(MemoryStore(max_keys=1, max_pending=1)) as made:
            yield made
    else:
        with SqliteStore(tmp_path / "job", power="power" in request.param) as made:
            yield made


async def test_ingest_is_idempotent_by_key(store: Store) -> None:
    await store.ingest(requests("1", "2", "1"))
    await store.ingest(requests("2"))
    assert store.live == 2
    assert f"{A}/1" in store.known
    assert paths(await claimed(store)) == ["1", "2"]


async def test_a_request_that_is_not_to_be_filtered_comes_every_time(store: Store) -> None:
    await store.ingest(requests("1", "1", dont_filter=True))
    assert store.live == 2


async def test_method_and_body_make_another_request(store: Store) -> None:
    await store.ingest([*requests("1"), *requests("1", method="POST"), *requests("1", method="POST", body=b"x")])
    assert store.live == 3


async def test_a_claim_returns_the_first_requests_by_priority_then_age(store: Store) -> None:
    await store.ingest([*requests("1", "2"), *requests("first", priority=5), *requests("last", priority=-1)])
    assert paths(await claimed(store)) == ["first", "1", "2", "last"]


async def test_a_group_is_claimed_once_and_again_after_its_release(store: Store) -> None:
    await store.ingest(requests("1"))
    assert store.unclaimed
    first = (await store.claim(10, 10)).groups[0]
    assert not store.unclaimed
    assert (await store.claim(10, 10)).groups == []
    await store.release(first.name, first.epoch, {"next_start": 5.0})
    assert store.unclaimed
    again = (await store.claim(10, 10)).groups[0]
    assert again.epoch > first.epoch
    assert again.state == {"next_start": 5.0}
    assert paths(again.head) == ["1"]


async def test_a_claim_leases_no_more_groups_than_requested(store: Store) -> None:
    await store.ingest([request for n in range(9) for request in requests("1", host=f"http://h{n}.test")])
    assert len((await store.claim(4, 10)).groups) == 4
    assert store.unclaimed


async def test_more_returns_the_following_requests_by_key_whichever_were_settled(store: Store) -> None:
    await store.ingest(requests(*map(str, range(10))))
    group = (await store.claim(1, 3)).groups[0]
    assert paths(group.head) == ["0", "1", "2"]
    assert group.more
    await store.commit([done(ticket(group.head[1], group.epoch))])
    after = group.head[-1].order
    assert paths(await store.more(group.name, group.epoch, after, 4)) == ["3", "4", "5", "6"]
    assert paths(await store.more(group.name, group.epoch, after, 100)) == [str(n) for n in range(3, 10)]


async def test_a_commit_ends_a_request_and_returns_the_fresh_ones_of_its_groups(store: Store) -> None:
    await store.ingest(requests("1"))
    [first] = await claimed(store)
    committed = await store.commit([done(first, discovered=[*requests("1", "2", "2"), *requests("x", host=B)])])
    assert committed.results == [CommitResult.OK]
    assert paths(committed.fresh) == ["2"]
    assert committed.duplicates == 2
    assert store.live == 2
    assert store.unclaimed  # the other host


async def test_a_second_commit_of_the_same_request_changes_nothing(store: Store) -> None:
    await store.ingest(requests("1"))
    [first] = await claimed(store)
    again = await store.commit([done(first), done(first, discovered=requests("2"), items=[ItemRow(b"{}")])])
    assert again.results == [CommitResult.OK, CommitResult.DUP]
    assert (store.live, store.logged) == (0, 0)


async def test_learned_limits_are_stored_with_an_outcome_that_was_settled_already(store: Store) -> None:
    await store.ingest(requests("1", "2"))
    first, _ = await claimed(store)
    await store.commit([done(first, lane_state={"next_start": 7.0})])
    again = await store.commit([done(first, lane_state={"next_start": 9.0})])
    assert again.results == [CommitResult.DUP]
    await store.release(A, first.epoch, {})
    [group] = (await store.claim(10, 10)).groups
    assert group.state == {"next_start": 9.0}


async def test_a_commit_under_an_old_lease_changes_nothing(store: Store) -> None:
    await store.ingest(requests("1"))
    [first] = await claimed(store)
    await store.release(A, first.epoch, {})
    await claimed(store)
    fenced = await store.commit([done(first, discovered=requests("2"))])
    assert fenced.results == [CommitResult.FENCED]
    assert store.live == 1
    assert f"{A}/2" not in store.known


async def test_a_retry_stays_pending_with_its_attempts_and_time(store: Store) -> None:
    await store.ingest(requests("1"))
    [first] = await claimed(store)
    retry = Outcome(kind=Kind.RETRY, ticket=first, attempts=2, not_before=99.0, discovered=requests("no"))
    assert (await store.commit([retry])).results == [CommitResult.OK]
    assert store.live == 1
    await store.release(A, first.epoch, {})
    [again] = await claimed(store)
    assert (again.pending.attempts, again.pending.not_before) == (2, 99.0)
    assert again.pending.order == first.pending.order


async def test_failed_and_refused_requests_are_settled(store: Store) -> None:
    await store.ingest(requests("1", "2"))
    one, two = await claimed(store)
    failure = FailureRow(reason="connect_failed", message="refused")
    failed = Outcome(kind=Kind.FAILED, ticket=one, failure=failure, items=[ItemRow(b"{}")])
    await store.commit([failed, Outcome(kind=Kind.REFUSED, ticket=two)])
    assert (store.live, store.logged) == (0, 1)


async def test_sinks_follow_the_log_each_at_its_own_pace(store: Store) -> None:
    await store.follow("quick")
    await store.follow("slow")
    await store.ingest(requests(*map(str, range(3))))
    for row in await claimed(store):
        number = row.request.url[-1]
        await store.commit([done(row, items=[ItemRow(f'{{"n":{number}}}'.encode()), ItemRow(b"{}")])])
    assert store.logged == 6
    rows = await store.read(0, 4)
    assert [bytes(row.data) for row in rows] == [b'{"n":0}', b"{}", b'{"n":1}', b"{}"]
    assert len({row.key for row in await store.read(0, 100)}) == 6
    await store.advance("quick", 4, None)
    assert len(await store.read(0, 100)) == 6  # the slow one still needs them
    await store.advance("slow", 2, None)
    assert [bytes(row.data) for row in await store.read(2, 1)] == [b'{"n":1}']
    await store.advance("slow", 6, None)
    await store.advance("quick", 6, None)
    assert await store.read(6, 100) == []


async def test_the_end_of_the_start_requests_is_stored_with_the_last_of_them(store: Store) -> None:
    await store.ingest(requests("1"))
    assert not store.exhausted
    await store.claim(1, 1)
    ingested = await store.ingest(requests("1", "2"), exhausted=True)
    assert (ingested.added, paths(ingested.fresh)) == (1, ["2"])
    assert store.exhausted


async def test_of_two_pages_with_one_body_the_commit_keeps_the_first(store: Store) -> None:
    await store.ingest(requests("1", "2"))
    one, two = await claimed(store)
    assert not await store.has_body(b"body")
    await store.stage(3, [ItemRow(b"{}")], requests("4"))
    effects: dict[str, Any] = {"digest": b"body", "items": [ItemRow(b"{}")]}
    second = done(two, discovered=requests("3"), stage=3, staged_items=1, **effects)
    committed = await store.commit([done(one, **effects), second])
    assert committed.results == [CommitResult.OK, CommitResult.SAME_CONTENT]
    assert (store.live, store.logged) == (0, 1)


async def test_staged_effects_become_true_with_the_outcome_of_their_page_and_before_its_other_effects(
    store: Store,
) -> None:
    await store.follow("sink")
    await store.ingest(requests("1"))
    [first] = await claimed(store)
    await store.stage(7, [ItemRow(b'{"n":0}'), ItemRow(b'{"n":1}')], requests("2", "3", "2"))
    await store.stage(7, [ItemRow(b'{"n":2}')], [*requests("4"), *requests("x", host=B)])
    assert (store.live, store.logged) == (1, 0)
    outcome = done(first, discovered=requests("4", "5"), items=[ItemRow(b'{"n":3}')], stage=7, staged_items=3)
    committed = await store.commit([outcome])
    assert committed.results == [CommitResult.OK]
    assert paths(committed.fresh) == ["5"]
    assert committed.grew == {A}
    assert committed.duplicates == 2
    rows = await store.read(0, 10)
    assert [row.item["n"] for row in rows] == [0, 1, 2, 3]
    assert len({row.key for row in rows}) == 4
    assert (store.live, store.logged) == (5, 4)
    assert paths(await store.more(A, first.epoch, first.pending.order, 10)) == ["2", "3", "4", "5"]


async def test_staged_effects_of_an_earlier_try_of_a_page_are_discarded(store: Store) -> None:
    await store.ingest(requests("1"))
    [first] = await claimed(store)
    await store.stage(1, [ItemRow(b"{}")], requests("2"))
    await store.stage(2, [], requests("3"))
    await store.commit([done(first, stage=2)])
    assert (store.live, store.logged) == (1, 0)
    assert paths(await store.more(A, first.epoch, first.pending.order, 10)) == ["3"]


async def test_a_body_is_known_once_its_page_is_committed(store: Store) -> None:
    await store.ingest(requests("1", "2"))
    one, two = await claimed(store)
    assert not await store.has_body(b"body")
    await store.commit([Outcome(kind=Kind.RETRY, ticket=one, attempts=1), done(two, digest=b"body")])
    assert await store.has_body(b"body")
    assert not await store.has_body(b"another")


async def test_a_body_is_not_known_by_a_page_of_a_lost_lease(store: Store) -> None:
    await store.ingest(requests("1"))
    [one] = await claimed(store)
    assert not await store.has_body(b"body")
    late = ticket(one.pending, one.epoch + 1)
    assert (await store.commit([done(late, digest=b"body")])).results == [CommitResult.FENCED]
    assert not await store.has_body(b"body")
