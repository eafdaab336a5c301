"""The same random operations have the same answers in memory, PostgreSQL, Redis and Valkey.

``HYPOTHESIS_PROFILE=thorough python -m pytest -n 0 --servers tests/integration/fleet/test_same_answers.py`` tries more.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest
import trio
from crawler_plugins.stores.postgres.store import PostgresStore
from crawler_plugins.stores.redis.opening import open_store
from hypothesis import HealthCheck, given, settings
from integration.databases.servers import Server, postgresql, redis
from integration.fleet.fleet import job_url
from support.examples import examples
from support.memory_job import MemoryJob
from support.same_answers import STEPS, Replay, Step
from support.store_contract import OpenWorker

pytestmark = pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
"""coredis leaves streams in memory behind when a connection ends."""
JOBS = itertools.count()
KINDS: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "postgresql": postgresql, "redis": redis, "valkey": partial(redis, "valkey-server"),
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with KINDS[request.param]() as running:
        yield running


def new_job(server: Server) -> OpenWorker:
    """Return a function that opens the store of a worker of a new job."""
    url = job_url(server, f"job_{next(JOBS)}")
    if url.startswith("postgresql"):
        return lambda: PostgresStore.open(url)
    return lambda: open_store(url)


@given(steps=STEPS)
@settings(examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_server_answers_as_the_reference_does(server: Server, steps: list[Step]) -> None:
    expected = trio.run(Replay(MemoryJob().worker).run, steps)
    assert trio.run(Replay(new_job(server)).run, steps) == expected
