"""The log of a worker begins with it, and ends with its lease. The rest is in the contract of shared stores."""

from __future__ import annotations

import pytest
from support.memory_job import MemoryJob
from trio.testing import MockClock


async def test_the_log_of_a_worker_begins_with_it(autojump_clock: MockClock) -> None:
    job = MemoryJob()
    first = job.join()
    await first.follow("sink")
    await first.rename_sinks({"sink": "other"})
    second = job.join()
    assert (second.sinks(), second.follows("sink"), list(second.written_behind("sink"))) == ({}, False, [])
    assert await second.follow("sink") == (0, None)


async def test_a_position_that_is_not_json_is_refused(autojump_clock: MockClock) -> None:
    worker = MemoryJob().join()
    with pytest.raises(TypeError):
        await worker.advance("sink", 0, object())
