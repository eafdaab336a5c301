"""The same random operations have the same answers in every store in memory and in a folder."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import trio
from hypothesis import given
from support.examples import examples
from support.memory_job import MemoryJob
from support.same_answers import STEPS, Replay, Step

from crawler.store import MemoryStore, Store
from crawler.store.sqlite import SqliteStore


@asynccontextmanager
async def in_memory() -> AsyncIterator[Store]:
    """Open a job in memory, for its only owner."""
    with closing(MemoryStore()) as store:
        yield store


@asynccontextmanager
async def in_a_folder() -> AsyncIterator[Store]:
    """Open a job in a new folder."""
    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder, "job")) as store:
        yield store


@given(STEPS)
@examples(60)
def test_the_only_owner_gets_the_same_answers_from_every_store(steps: list[Step]) -> None:
    expected = trio.run(Replay(MemoryJob().worker, owners=1).run, steps)
    assert trio.run(Replay(in_memory, owners=1).run, steps) == expected
    assert trio.run(Replay(in_a_folder, owners=1).run, steps) == expected
