"""The store of a shared job in a real PostgreSQL."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import psycopg
import pytest
import trio
from crawler_plugins.stores.postgres import store as postgres_store
from crawler_plugins.stores.postgres.connection import Connection
from crawler_plugins.stores.postgres.inspect import inspect_job
from crawler_plugins.stores.postgres.store import PostgresStore
from integration.databases.clocks import postgres_clock
from integration.databases.servers import Server, postgresql
from support.store_contract import OpenWorker, SharedStoreContract, Sleep, extended
from support.stores import A, done, paths, requests, ticket

from crawler import JobError, Request
from crawler.frontier.ticket import START
from crawler.store import CommitResult, ItemRow, Store

numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgresql() as running:
        yield running


def url_of(server: Server, job: str, **options: object) -> str:
    """Return the URL of a job in the database of a server."""
    place, _, query = server.url.partition("?")
    return f"{place}/{job}?{query}" + "".join(f"&{name}={value}" for name, value in options.items())


@pytest.fixture
def url(server: Server) -> str:
    """The URL of a job that no other test has."""
    return url_of(server, f"job{next(numbers)}")


class TestPostgresStore(SharedStoreContract):
    @pytest.fixture
    def clock(self) -> None:
        """The calls of the tests take real time."""

    @pytest.fixture
    def sleep(self, url: str, monkeypatch: pytest.MonkeyPatch) -> Sleep:
        return partial(postgres_clock(monkeypatch), url)

    @pytest.fixture
    def open_worker(self, url: str, monkeypatch: pytest.MonkeyPatch) -> OpenWorker:
        monkeypatch.setattr(postgres_store, "POLL", math.inf)

        def open_one() -> AbstractAsyncContextManager[Store]:
            return PostgresStore.open(url)

        return open_one


async def test_a_worker_that_was_killed_was_last_seen_before_a_time_without_workers(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_time = postgres_clock(monkeypatch)
    async with PostgresStore.open(url), PostgresStore.open(url) as two:
        await pass_time(url, 3 * two.lease)
        await extended(two)
        killed, alive = (await inspect_job(url)).workers
        assert killed.seen > 3 * two.lease - 1
        assert alive.seen < two.lease / 2


# ---- answers that are lost -------------------------------------------------------------------------------------------


class Losing:
    """Loses the answers to some statements after the server has executed them, as a cut of the network does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        """Parts of the statements whose next answer is lost."""
        self.lost = 0
        run = Connection.run

        async def lose(connection: Connection, statement: str, parameters: Any = ()) -> list[Any]:
            rows = await run(connection, statement, parameters)
            for text in self.texts:
                if text in statement:
                    self.texts.remove(text)
                    self.lost += 1
                    connection.end()
                    raise psycopg.OperationalError("the connection was lost")
            return rows

        monkeypatch.setattr(Connection, "run", lose)


async def test_calls_whose_answers_are_lost_take_effect_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    losing = Losing(monkeypatch)
    async with PostgresStore.open(url) as store:
        losing.texts = ["ingest(", "claim_lanes("]
        ingested = await store.ingest(requests("1", "2"), exhausted=True)
        assert ingested.added == 2
        [group] = (await store.claim(10, 10)).groups
        assert paths(group.head) == ["1", "2"]
        first = ticket(group.head[0], group.epoch)
        losing.texts = ["INSERT INTO staged (owner, stage, number, type, item", "commit_outcomes("]
        await store.stage(1, [ItemRow(b'{"n":1}')], requests("4"))
        outcome = done(first, stage=1, staged_items=1, items=[ItemRow(b'{"n":2}')], discovered=requests("2", "3"))
        committed = await store.commit([outcome])
        assert committed.results == [CommitResult.OK]
        assert (committed.duplicates, committed.fresh, committed.grew) == (1, [], {A})
        assert [row.data for row in await store.read(0, 10)] == [b'{"n":1}', b'{"n":2}']
        assert store.live == 3
        assert sorted(paths(await store.more(A, group.epoch, START, 10))) == ["2", "3", "4"]
        losing.texts = ["extend_lease("]
        extended = await store.extend()
        assert extended is not None
        assert extended.grew == [A]
        assert losing.lost == 5


async def test_answers_arrive_in_the_order_in_which_the_calls_took_effect(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Connection.run
    order: list[str] = []

    async def slow(connection: Connection, statement: str, parameters: Any = ()) -> list[Any]:
        rows = await run(connection, statement, parameters)
        if "FROM lane AS l" in statement:  # the requests of claimed groups
            await trio.sleep(0.1)
        return rows

    async with PostgresStore.open(url) as store:
        await store.ingest(requests("1"))
        monkeypatch.setattr(Connection, "run", slow)

        async def claim() -> None:
            await store.claim(1, 1)
            order.append("claim")

        async def others() -> None:
            await trio.sleep(0.05)
            await store.extend()
            order.append("extend")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(claim)
            nursery.start_soon(others)
    assert order == ["claim", "extend"]


async def test_a_call_that_is_cancelled_leaves_a_store_that_works(url: str) -> None:
    async with PostgresStore.open(url) as store:
        with trio.move_on_after(0) as scope:
            await store.ingest(requests("1"))
        assert scope.cancelled_caught
        assert (await store.ingest(requests("2"))).added == 1
        assert (await store.claim(10, 10)).groups[0].name == A


async def test_a_page_of_many_megabytes_is_committed(url: str) -> None:
    async with PostgresStore.open(url) as store:
        await store.ingest(requests("1"), exhausted=True)
        [group] = (await store.claim(1, 1)).groups
        data = b'{"text":"%s"}' % (b"x" * 20_000_000)
        await store.commit([done(ticket(group.head[0], group.epoch), items=[ItemRow(data)])])
        [row] = await store.read(0, 1)
        assert row.data == data


async def test_requests_and_states_keep_their_form(url: str) -> None:
    wanted = Request(
        "http://a.test/1?q=%C3%A9#x", method="POST", body=b"\x00\xff", headers={"X-A": "b"}, priority=-7,
        meta={"nested": [1, {"a": None}]}, callback="parse_page", cb_kwargs={"x": 1},
    )  # fmt: skip
    async with PostgresStore.open(url) as store:
        await store.ingest([wanted])
        [group] = (await store.claim(1, 1)).groups
        assert group.head[0].request == wanted
        assert group.head[0].order[0] == 7
        handlers = (await store.resume_state()).handlers
        assert handlers.calls() == {("parse_page", ("x",)): 1}


async def test_a_database_with_another_encoding_is_refused(server: Server) -> None:
    with psycopg.connect(server.url, autocommit=True) as database:
        database.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
    url = url_of(server, "job").replace("/postgres/", "/latin/")
    with pytest.raises(JobError, match="the encoding of the database is not UTF8"):
        async with PostgresStore.open(url):
            pass


async def test_a_job_that_has_finished_begins_again_once(url: str) -> None:
    async with PostgresStore.open(url) as one, PostgresStore.open(url) as two:
        await one.ingest(requests("1"), exhausted=True)
        [group] = (await one.claim(1, 1)).groups
        await one.commit([done(ticket(group.head[0], group.epoch))])
        await one.begin_again()
        assert (await one.ingest(requests("1"))).added == 1
        await two.begin_again()
        assert (one.round, two.round, two.live) == (2, 2, 1)
