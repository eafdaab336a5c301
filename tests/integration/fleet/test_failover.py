"""A job whose primary is killed and replaced by its replica: in Redis, in a cluster of it, and in PostgreSQL."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import trio
from crawler_plugins.stores.postgres.store import PostgresStore
from crawler_plugins.stores.redis.opening import open_store
from integration.databases.clocks import redis_clock
from integration.databases.servers import (
    Server,
    ask_redis,
    postgresql,
    postgresql_standby,
    redis_cluster,
    redis_pair,
)
from integration.fleet.fleet import fleet, job_url
from support.stores import claimed, done, paths, requests

from crawler.errors import LeaseLost
from crawler.store import CommitResult, ItemRow

pytestmark = pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
"""coredis leaves streams in memory behind when a connection ends."""
LONGEST = 60.0
"""Seconds."""


@pytest.fixture
def nodes() -> Iterator[list[Server]]:
    with redis_cluster(replicas=1) as running:
        yield running


def port_of(node: Server) -> str:
    return node.url.rpartition(":")[2]


def primary_of(nodes: list[Server], asked: Server, key: str) -> Server:
    """Return the node that another one says has a key."""
    slot = int(ask_redis(asked, "cluster", "keyslot", key))
    for row in map(str.split, ask_redis(asked, "cluster", "nodes").splitlines()):
        bounds = [part.split("-") for part in row[8:] if not part.startswith("[")]
        if "master" in row[2] and any(int(bound[0]) <= slot <= int(bound[-1]) for bound in bounds):
            port = row[1].partition("@")[0].rpartition(":")[2]
            return next(node for node in nodes if port_of(node) == port)
    raise LookupError(key)


async def test_a_primary_that_is_killed_and_replaced_by_its_replica_has_lost_nothing(nodes: list[Server]) -> None:
    url = f"{nodes[0].url}/failover?cluster=yes&replicas=1&lease=60"
    killed = primary_of(nodes, nodes[0], "{crawler:failover}")
    witness = next(node for node in nodes if node is not killed)

    async def restart_as_replica() -> None:
        while primary_of(nodes, witness, "{crawler:failover}") is killed:
            await trio.sleep(0.1)
        await trio.to_thread.run_sync(killed.start)

    async with open_store(url) as store:
        await store.ingest(requests("1", "2"))
        first, second = await claimed(store)
        await store.follow("sink")
        effects = {"items": [ItemRow(b"{}")], "discovered": requests("3"), "lane_state": {"pause": 30}}
        assert (await store.commit([done(first, **effects)])).results == [CommitResult.OK]
        killed.stop()  # by SIGKILL
        with trio.fail_after(LONGEST):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(restart_as_replica)
                assert (await store.commit([done(second)])).results == [CommitResult.OK]
        assert "role:slave" in ask_redis(killed, "info", "replication")
        assert (await store.commit([done(first)])).results == [CommitResult.DUP]
        assert (store.live, store.logged) == (1, 1)
        assert [row.data for row in await store.read(0, 10)] == [b"{}"]
        await store.release(first.pending.group, first.epoch, {})
        [group] = (await store.claim(1, 1)).groups
        assert (group.state, [pending.request.url[-2:] for pending in group.head]) == ({"pause": 30}, ["/3"])


def test_workers_whose_primary_is_replaced_by_its_replica_lose_and_double_nothing(tmp_path: Path) -> None:
    settings = {"workers": 8, "delay": 0.15, "grace": 1.0}
    with (
        redis_pair() as server,
        fleet(tmp_path, server, seed=4, hosts=9, pages=60, size=3, lease=20, settings=settings) as crawl,
    ):
        crawl.run(random.Random(4), restarts=2)
        figures = crawl.figures()
        assert figures.holds(), (figures, crawl.said)
        assert figures.refetches == 0


async def test_commits_that_a_replica_lacks_are_made_again_and_no_two_workers_request_from_one_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with redis_pair(replicas=0) as server:
        url = job_url(server, "lost", lease=60)
        pass_time = redis_clock(monkeypatch, server)
        async with open_store(url) as one, open_store(url) as two:
            await one.ingest(requests("1", "2"))
            first, second = await claimed(one)
            assert await two.extend() is not None
            with one._connection._client.ensure_replication(1, 10_000):
                await one._connection._client.set("all", "so far")  # the replica has got it
            assert server.replica is not None
            assert server.replica.process is not None
            os.kill(server.replica.process.pid, signal.SIGSTOP)
            assert (await one.commit([done(first, items=[ItemRow(b"{}")])])).results == [CommitResult.OK]
            server.stop()
            server.start()
            await two.extend()  # its connection has ended, so the answer may be lost
            with pytest.raises(LeaseLost, match="has lost commits of this worker"):
                await one.commit([done(second)])
            assert (await two.claim(1, 2)).groups == []  # the other one has not ended
            await one._connection.call("leave", {"me": str(one.owner)})
            with pytest.raises(LeaseLost, match="has lost commits of this worker"):
                await one.extend()
            for _ in range(4):
                await pass_time(url, 15.0)
                await two.extend()
            [group] = (await two.claim(1, 2)).groups
            assert group.unclean
            assert [pending.request.url[-2:] for pending in group.head] == ["/1", "/2"]
            assert two.logged == 0


# ---- PostgreSQL ------------------------------------------------------------------------------------------------------


def ask(server: Server, query: str) -> object:
    """Return the only value that a server of PostgreSQL answers."""
    with psycopg.connect(server.url, autocommit=True) as database:
        row = database.execute(query).fetchone()  # type: ignore[arg-type]  # it is one of this file
        assert row is not None
        return row[0]


@pytest.mark.parametrize("received", [True, False], ids=["received", "lost"])
async def test_a_worker_ends_if_a_standby_takes_over_that_has_not_received_its_commits(received: bool) -> None:
    with postgresql() as primary, postgresql_standby(primary) as standby:
        url = job_url(primary, "failover").replace(f"{primary.scratch}", f"{primary.scratch},{standby.scratch}")
        if not received:
            url += "&target_session_attrs=read-write"
        async with PostgresStore.open(url) as store:
            await store.ingest(requests("1", "2"))
            first, second = await claimed(store)
            if not received:
                wait_until_it_has_all(primary)
                standby.stop()
            assert (await store.commit([done(first)])).results == [CommitResult.OK]
            if received:
                wait_until_it_has_all(primary)
            primary.stop()
            if not received:
                standby.start()
            with trio.fail_after(LONGEST):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(promote, standby)
                    if received:
                        assert (await store.commit([done(second)])).results == [CommitResult.OK]
                        assert (await store.commit([done(first)])).results == [CommitResult.DUP]
                    else:
                        with pytest.raises(LeaseLost, match="has lost commits of this worker"):
                            await store.commit([done(second)])
                        with pytest.raises(LeaseLost):
                            await store.extend()
        async with PostgresStore.open(url) as store:
            assert store.live == (0 if received else 2)
            groups = (await store.claim(1, 10)).groups
            assert all(group.unclean for group in groups)
            assert [path for group in groups for path in paths(group.head)] == ([] if received else ["1", "2"])


def test_workers_whose_database_has_lost_commits_join_again_and_lose_and_double_nothing(tmp_path: Path) -> None:
    settings = {"workers": 8, "delay": 0.1, "grace": 1.0}
    with postgresql() as primary, postgresql_standby(primary) as standby:
        both = primary.url.replace(f"{primary.scratch}", f"{primary.scratch},{standby.scratch}")
        primary.url = f"{both}&target_session_attrs=read-write"
        with fleet(tmp_path, primary, seed=45, hosts=9, pages=150, size=3, lease=20, settings=settings) as crawl:
            for _ in range(crawl.size):
                crawl.start()
            crawl.crawl.wait_for_requests(crawl.running[0], 30)
            standby.stop()
            crawl.crawl.wait_for_requests(crawl.running[0], 40)
            primary.stop()
            standby.start()
            assert ask(standby, "SELECT pg_promote(wait => false)")
            crawl.finish()
            figures = crawl.figures()
            faults = (figures.lost, figures.twice, figures.wrong, figures.early, figures.trespasses, figures.miscounted)
            assert (faults, figures.items) == ((0,) * 6, figures.pages), (figures, crawl.said)
            assert figures.refetches > 0
            assert "has lost commits of this worker" in "".join(crawl.said)


def wait_until_it_has_all(primary: Server) -> None:
    """Wait until the standby has all commits."""
    while not ask(
        primary, "SELECT count(*) > 0 AND bool_and(replay_lsn = pg_current_wal_lsn()) FROM pg_stat_replication"
    ):
        time.sleep(0.02)


async def promote(standby: Server) -> None:
    """Let a standby take over, some time after a worker has found it."""
    await trio.sleep(0.3)
    await trio.to_thread.run_sync(ask, standby, "SELECT pg_promote()")
