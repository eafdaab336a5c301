"""The rules of who owns what. What workers see of them is in the contract of shared stores."""

from __future__ import annotations

from support.memory_job import MemoryJob, OwnerRow
from trio.testing import MockClock

from crawler.messages import Row


def log(*names: str, cursors: dict[str, int]) -> OwnerRow:
    rows = [Row(b"{}", name, "http://a.test/") for name in names]
    return OwnerRow(1, 0.0, log=rows, cursors=cursors)


def test_items_that_every_sink_has_stored_are_not_left() -> None:
    assert log("a", "b", cursors={"one": 2, "two": 2}).unstored() == []


def test_items_are_left_for_the_sinks_that_have_not_stored_them() -> None:
    left = log("a", "b", "c", cursors={"one": 2, "two": 1}).unstored()
    assert [(row.key, row.sinks) for row in left] == [("b", ("two",)), ("c", ())]


def test_items_of_a_worker_without_sinks_are_left() -> None:
    assert [row.key for row in log("a", cursors={}).unstored()] == ["a"]


def test_items_that_were_taken_over_are_left_for_the_same_sinks() -> None:
    owner = log(cursors={"one": 0, "two": 0})
    owner.log = [Row(b"{}", "a", "", sinks=("one",)), Row(b"{}", "b", "", sinks=("two",))]
    owner.cursors["one"] = 2
    assert [(row.key, row.sinks) for row in owner.unstored()] == [("b", ("two",))]


async def test_the_positions_of_owners_that_are_gone_are_kept(autojump_clock: MockClock) -> None:
    job = MemoryJob()
    async with job.worker() as worker:
        await worker.follow("sink")
        await worker.advance("sink", 0, {"end": 3})
    assert job.owners == {}
    assert (await job.join().resume_state()).gone == {worker.owner: {"sink": {"end": 3}}}
