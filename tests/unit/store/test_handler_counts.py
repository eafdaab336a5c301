"""`HandlerCounts`: the stored counts are those of the pending requests, whatever happens to these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.stores import B, claimed, done, failed, requests

from crawler.messages import Request
from crawler.store import Kind, Outcome
from crawler.store.handler_counts import MAX_CALLS, HandlerCounts
from crawler.store.inspect import retry_failed
from crawler.store.sqlite import SqliteStore


async def counts(job: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Return the counts that the next run of a job would see."""
    with SqliteStore(job) as store:
        found = (await store.resume_state()).handlers
    return found.callbacks, found.errbacks


def test_a_count_of_zero_is_removed() -> None:
    found = HandlerCounts()
    request = Request("https://site.test/", errback="gone")
    found.add(request)
    assert (found.callbacks, found.errbacks) == ({"parse": 1}, {"gone": 1})
    found.add(request, -1)
    assert (found.callbacks, found.errbacks) == ({}, {})


async def test_every_way_into_and_out_of_the_pending_requests_is_counted(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1", "2", "3", "1"))
        await store.ingest(requests("4", "5", callback="item", errback="gone"))
        assert (await store.resume_state()).handlers == HandlerCounts({"parse": 3, "item": 2}, {"gone": 2})
        rows = {row.request.url[-1]: row for row in await claimed(store)}
        await store.stage(1, [], requests("7", host=B, callback="staged"))
        await store.commit(
            [
                done(rows["1"], discovered=requests("2", "6", callback="item"), stage=1),
                Outcome(kind=Kind.RETRY, ticket=rows["2"], attempts=1),
                failed(rows["4"]),
            ]
        )
    assert await counts(job) == ({"parse": 2, "item": 2, "staged": 1}, {"gone": 1})
    assert retry_failed(job) == 1
    assert await counts(job) == ({"parse": 2, "item": 3, "staged": 1}, {"gone": 2})


async def test_a_commit_that_fails_changes_no_count(job: Path) -> None:
    with SqliteStore(job) as store:
        await store.ingest(requests("1"))
        (held,) = await claimed(store)
        broken: Any = [Request("https://site.test/2", callback="item"), None]
        with pytest.raises(AttributeError):
            await store.commit([done(held, discovered=broken)])
        assert (await store.resume_state()).handlers == HandlerCounts({"parse": 1}, {})
    assert await counts(job) == ({"parse": 1}, {})


async def test_the_names_of_arguments_are_counted(job: Path) -> None:
    made = [*requests("1", callback="item", cb_kwargs={"b": 1, "a": None}), *requests("2", "3", callback="item")]
    with SqliteStore(job) as store:
        await store.ingest(made)
        found = (await store.resume_state()).handlers
    assert found.calls() == {("item", ("a", "b")): 1, ("item", ()): 2}
    with SqliteStore(job) as store:
        assert (await store.resume_state()).handlers == found
    for request in made:
        found.add(request, -1)
    assert found == HandlerCounts()


def test_names_of_arguments_that_are_data_are_not_counted_for_ever() -> None:
    found = HandlerCounts()
    made = [Request("https://site.test/", cb_kwargs={f"a{n}": 1}) for n in range(MAX_CALLS + 9)]
    for request in made:
        found.add(request)
    assert (len(found.keywords), found.callbacks) == (MAX_CALLS, {"parse": MAX_CALLS + 9})
    for request in made:
        found.add(request, -1)
    assert found == HandlerCounts()
