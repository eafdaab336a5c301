"""A job in Redis, in Valkey, and in a cluster: the contract of shared stores, and servers that end or refuse."""

from __future__ import annotations

import itertools
import random
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import coredis
import pytest
import trio
from crawler_plugins.stores.redis import Redis, connection
from crawler_plugins.stores.redis.inspect import inspect_job
from crawler_plugins.stores.redis.opening import open_store
from integration.databases.clocks import redis_clock
from integration.databases.servers import PASSWORD, Server, ask_redis, redis, redis_cluster
from integration.fleet.fleet import fleet, job_url
from support.store_contract import OpenWorker, SharedStoreContract, Sleep, extended
from support.stores import A, claimed, done, requests

from crawler import Item, Response, Spider, crawl
from crawler.errors import JobError, JobLost, LeaseLost
from crawler.store import CommitResult, ItemRow
from crawler.testing import FakeSite

pytestmark = pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
"""coredis leaves streams in memory behind when a connection ends."""
JOBS = itertools.count()
LONGEST = 60.0
"""Timeout in seconds, which no test needs that passes."""


def job(server: Server, **options: object) -> str:
    """Return the URL of a new job on a server."""
    return job_url(server, f"job_{next(JOBS)}", **options)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with redis() as running:
        yield running


@pytest.fixture(scope="module")
def valkey() -> Iterator[Server]:
    with redis("valkey-server") as running:
        yield running


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    with redis_cluster() as running:
        yield running[0]


class TestRedis(SharedStoreContract):
    @pytest.fixture
    def place(self, server: Server) -> Server:
        """The server of the job."""
        return server

    @pytest.fixture
    def url(self, place: Server) -> str:
        return job(place)

    @pytest.fixture
    def open_worker(self, url: str, monkeypatch: pytest.MonkeyPatch) -> OpenWorker:
        monkeypatch.setattr(connection, "LONGEST_SLEEP", 2 * LONGEST)
        return lambda: open_store(url)

    @pytest.fixture
    def clock(self) -> None:
        """The calls of the tests take real time."""

    @pytest.fixture
    def sleep(self, place: Server, url: str, monkeypatch: pytest.MonkeyPatch) -> Sleep:
        return partial(redis_clock(monkeypatch, place), url)


class TestValkey(TestRedis):
    @pytest.fixture
    def place(self, valkey: Server) -> Server:
        return valkey


class TestCluster(TestRedis):
    @pytest.fixture
    def place(self, cluster: Server) -> Server:
        return cluster

    @pytest.fixture
    def url(self, place: Server) -> str:
        return job(place, cluster="yes")


async def test_a_worker_that_was_killed_was_last_seen_before_a_time_without_workers(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, pass_time = job(server), redis_clock(monkeypatch, server)
    async with open_store(url), open_store(url) as two:
        await pass_time(url, 3 * two.lease)
        await extended(two)
        killed, alive = (await inspect_job(url)).workers
        assert killed.seen > 3 * two.lease - 1
        assert alive.seen < two.lease / 2


async def test_a_server_that_crashes_loses_nothing_and_the_workers_wait_for_it(server: Server) -> None:
    url = job(server)
    async with open_store(url, power=True) as store:
        await store.ingest(requests("1", "2"))
        first, second = await claimed(store)
        await store.follow("sink")
        await store.commit([done(first, items=[ItemRow(b"{}")], discovered=requests("3"))])
        server.stop()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, delayed_start, server)
            assert (await store.commit([done(second)])).results == [CommitResult.OK]
        assert (await store.commit([done(first)])).results == [CommitResult.DUP]
        assert (store.live, store.logged) == (1, 1)
        assert [row.data for row in await store.read(0, 10)] == [b"{}"]


def delayed_start(server: Server) -> None:
    """Start a server that is away for a moment."""
    trio.run(trio.sleep, 0.5)
    server.start()


async def test_a_call_whose_answer_is_lost_takes_effect_once(server: Server, monkeypatch) -> None:
    async with open_store(job(server)) as store:
        await store.ingest(requests("1", dont_filter=True))
        [held] = await claimed(store)
        held_by = store._connection
        send, lost = held_by._call, []

        async def lose_first_answer(*arguments: object) -> object:
            answer = await send(*arguments)
            if not lost:
                lost.append(answer)
                raise coredis.exceptions.ConnectionError("lost")
            return answer

        monkeypatch.setattr(held_by, "_call", lose_first_answer)
        effects = {"items": [ItemRow(b"{}")], "discovered": requests("2", "2", dont_filter=True)}
        committed = await store.commit([done(held, **effects)])
        assert (committed.results, len(committed.fresh), store.live, store.logged) == ([CommitResult.OK], 2, 2, 1)
        lost.clear()
        assert (await store.ingest(requests("3", dont_filter=True))).added == 1
        assert store.live == 3


async def test_a_worker_ends_if_the_server_has_lost_acknowledged_commits(server: Server) -> None:
    url = job(server)
    async with open_store(url) as one, open_store(url) as two:
        await one.ingest(requests("1"))
        [held] = await claimed(one)
        key = f"{one._connection._key}:o:{one.owner}"
        await one._connection._client.hset(key, {"last": "1"})  # as after a crash that has lost the claim
        with pytest.raises(LeaseLost, match=r"/\w+ has lost commits of this worker that it had acknowledged"):
            await one.commit([done(held)])
        with pytest.raises(LeaseLost, match="has lost commits of this worker"):
            await one.extend()
        assert (await two.claim(1, 1)).groups == []  # the first worker has not learned of it yet, and may ask the host
        await one._connection.call("leave", {"me": str(one.owner)})
        [group] = (await two.claim(1, 1)).groups
        assert group.unclean


async def test_a_worker_ends_if_a_server_has_lost_that_it_released_a_group(server: Server) -> None:
    async with open_store(job(server)) as store:
        await store.ingest(requests("1"))
        [group] = (await store.claim(1, 1)).groups
        key = f"{store._connection._key}:o:{store.owner}"
        before = await store._connection._client.hget(key, "last")
        await store.release(group.name, group.epoch, {})
        await store._connection._client.hset(key, {"last": before})
        with pytest.raises(LeaseLost, match="has lost commits of this worker"):
            await store.extend()


async def test_a_worker_of_a_job_that_is_gone_is_none_of_the_job_that_has_its_place(server: Server) -> None:
    url = job(server)
    async with open_store(url) as old:
        await old.ingest(requests("1"))
        [held] = await claimed(old)
        client = old._connection._client
        async for key in client.scan_iter(f"{old._connection._key}*"):
            await client.delete([key])
        with pytest.raises(
            JobLost, match=r"/\w+ no longer exists: its server has lost the data, or the job was deleted"
        ):
            await old.commit([done(held)])
        async with open_store(url) as new:
            assert new.owner == old.owner
            await new.ingest(requests("1", "2"))  # more calls than the other worker has made
            [_, waiting] = await claimed(new)
            await new.commit([done(waiting)])
            for call in (old.commit([done(held)]), old.advance("sink", 1, None), old.extend(), old.resume_state()):
                with pytest.raises(JobLost, match="no longer exists"):
                    await call
            await old._connection.call("leave", {"job": old.job_name, "me": str(old.owner)})
            assert await new.extend() is not None
            assert new.live == 1


@pytest.mark.parametrize("power", [True, False], ids=["power", "process"])
async def test_after_a_crash_no_group_is_leased_that_a_worker_may_hold_whose_claim_is_lost(
    server: Server, power: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = 60.0
    url = job(server, lease=lease)
    pass_time = redis_clock(monkeypatch, server)
    async with open_store(url, power=power) as one, open_store(url, power=power) as two:
        await one.ingest([*requests("1"), *requests("1", host="http://b.test")])
        [group] = (await one.claim(1, 1)).groups
        server.stop()
        server.start()
        claimed = await two.claim(1, 1, [group.name])
        assert claimed.groups == []
        now = (await two.resume_state()).now
        assert now is not None
        assert now < claimed.next_at <= now + lease
        assert not two.unclaimed
        await one.extend()
        await two.extend()
        if power:  # the server knows all workers, and has heard of each
            assert two.unclaimed
        else:  # it may not know one that has joined in the last second
            assert (await two.claim(1, 1)).groups == []
            for _ in range(4):
                await pass_time(url, lease / 4)
                await one.extend()
                await two.extend()
        assert [each.name for each in (await two.claim(1, 1)).groups] == ["http://b.test"]
    async with open_store(url, power=power) as three:
        assert three.owner > two.owner + 1  # somebody may have got the numbers between


async def test_a_connection_may_break_any_number_of_times(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LAST_PAUSE", 0.0)
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.0)
    host, port = server.url.rpartition("@")[2].split(":")
    async with coredis.Redis(host, int(port), password=PASSWORD) as client, open_store(job(server)) as store:
        own = await client.client_id()
        for _ in range(70):
            with trio.fail_after(LONGEST):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(store.changed)
                    waiting: list[int] = []
                    while not waiting:
                        others = [each for each in await client.client_list() if int(each["id"]) != own]
                        waiting = [int(each["id"]) for each in others if each["cmd"] == "blpop"]
                    await client.client_kill(identifier=waiting[0])
                assert await store.extend() is not None


async def test_a_worker_waits_while_its_server_is_a_replica_and_looks_for_another_one(server: Server) -> None:
    async with open_store(job(server)) as store:
        await store.extend()
        [before] = store._connection._client.connection_pool._online_connections
        answers: list[object] = []

        async def extend() -> None:
            answers.append(await store.extend())

        ask_redis(server, "replicaof", "127.0.0.1", "1")
        try:
            with trio.fail_after(LONGEST):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(extend)
                    while before.usable:
                        await trio.sleep(0.01)
                    nursery.cancel_scope.cancel(reason="it waits, and has given up the connection")
            assert answers == []
        finally:
            ask_redis(server, "replicaof", "no", "one")
        with trio.fail_after(LONGEST):
            assert await store.extend() is not None


@pytest.mark.parametrize("more", ["", "?cluster=yes"])
async def test_a_server_that_never_answers_is_an_error_soon_and_its_wait_can_be_cancelled(
    monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    monkeypatch.setattr(connection, "OPEN_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, trio.fail_after(LONGEST):
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0/job{more}"
        with pytest.raises(JobError, match=r"cannot connect: the server does not answer in 0\.3 s"):
            await open_store(url).__aenter__()
        with trio.move_on_after(0.1) as scope:
            await open_store(url).__aenter__()
        assert scope.cancelled_caught


async def test_an_error_of_the_server_is_reported_in_one_line(server: Server) -> None:
    with pytest.raises(JobError, match="refuses the user or password") as caught:
        async with open_store(job(server).replace("pass%2Fword%40", "wrong-pass")):
            pass
    assert "wrong-pass" not in str(caught.value)
    with pytest.raises(JobError, match="Unable to establish a connection to 127.0.0.1:1"):
        async with open_store("redis://127.0.0.1:1/shop"):
            pass


async def test_a_server_that_has_not_loaded_its_data_says_so(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def info(self: object, *sections: str) -> dict[str, object]:
        return {"loading": 1, "aof_enabled": 0}  # as a server says after a restart

    monkeypatch.setattr(coredis.Redis, "info", info)
    with pytest.raises(JobError, match="the server is loading its data"):
        async with open_store(job(server), power=True):
            pass


async def test_a_page_that_is_too_large_for_the_server_is_one_line_and_many_large_pages_are_no_problem(
    server: Server, tmp_path: Path
) -> None:
    ask_redis(server, "config", "set", "proto-max-bulk-len", str(40_000_000))
    try:
        async with open_store(job(server)) as store:
            await store.ingest(requests("1"))
            [held] = await claimed(store)
            with trio.fail_after(LONGEST), pytest.raises(JobError, match="links of 50 MB cannot be stored: the server"):
                await store.commit([done(held, items=[ItemRow(b'"%b"' % (b"x" * 50_000_000))])])
            item = ItemRow(b'"small"')
            assert (await store.commit([done(held, items=[item])])).results == [CommitResult.OK]

        class Large(Spider):
            start_urls = [f"https://site.test/{n}" for n in range(12)]

            def parse(self, response: Response) -> Iterator[Item]:
                yield {"url": response.url, "text": "x" * 7_000_000}

        site = FakeSite({f"/{n}": "page" for n in range(12)})
        with trio.fail_after(LONGEST):
            report = await crawl(Large(), job=job(server), outputs=[tmp_path / "items.jsonl"], transport=site.transport)
        assert (report.finished, report.items, report.failed) == ("finished", 12, 0)
    finally:
        ask_redis(server, "config", "set", "proto-max-bulk-len", str(512 * 1024**2))


async def test_more_replicas_than_there_are_is_one_line(server: Server) -> None:
    with pytest.raises(JobError, match="replicas is 2, and the server has 0"):
        async with open_store(job(server, replicas=2)):
            pass


async def test_a_password_that_is_wrong_after_a_restart_ends_the_worker(server: Server) -> None:
    host, port = server.url.rpartition("@")[2].split(":")
    async with coredis.Redis(host, int(port), password=PASSWORD) as client:
        await client.acl_setuser("keeper", "on", ">secret", "~*", "&*", "+@all")
    async with open_store(job(server).replace(":pass", "keeper:pass").replace("pass%2Fword%40", "secret")) as store:
        server.stop()
        server.start()  # without what was not saved
        with trio.fail_after(LONGEST), pytest.raises(JobError, match="refuses the user or password") as caught:
            await store.extend()
    assert "secret" not in str(caught.value)


async def test_a_server_that_deletes_keys_is_refused(server: Server) -> None:
    host, port = server.url.rpartition("@")[2].split(":")
    async with coredis.Redis(host, int(port), password=PASSWORD) as client:
        await client.config_set({"maxmemory-policy": "allkeys-lru"})
        with pytest.raises(JobError, match="set maxmemory-policy to noeviction"):
            async with open_store(job(server)):
                pass
        await client.config_set({"maxmemory-policy": "noeviction"})


async def test_a_job_is_shown_and_its_failures_are_queued_again(server: Server) -> None:
    from support.stores import failed  # noqa: PLC0415

    url = job(server)
    with pytest.raises(JobError, match="does not exist"):
        await Redis.inspect(url)
    async with open_store(url) as store:
        await store.ingest(requests("1", "2", callback="parse_item"), exhausted=True)
        first, _ = await claimed(store)
        await store.commit([failed(first, items=[ItemRow(b'{"n":1}')])])
        found = await Redis.inspect(url)
        assert (found.state.waiting, found.groups, found.free, len(found.workers)) == (1, 1, 0, 1)
        assert found.state.waiting_by_lane == {A: 1}
        assert found.state.failed_by_reason == {"connect_failed": 1}
        assert [failure.url for failure in found.failures] == [f"{A}/1"]
        with pytest.raises(JobError, match="in use by workers"):
            await Redis.retry_failed(url)
    async with Redis.items(url) as following:
        assert [row.item for row in await following()] == [{"n": 1}]
        assert await following() == []
    assert await Redis.retry_failed(url) == 1
    found = await Redis.inspect(url)
    assert (found.state.waiting, found.failures) == (2, [])
    async with open_store(url) as store:
        assert (await store.resume_state()).handlers.callbacks == {"parse_item": 2}


# ---- whole crawls ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["redis-server", "valkey-server"])
def test_four_workers_of_which_some_are_killed_and_paused_while_the_server_restarts_lose_and_double_nothing(
    program: str, tmp_path: Path
) -> None:
    settings = {"workers": 8, "delay": 0.02, "grace": 1.0, "durability": "power"}
    with redis(program) as server, fleet(tmp_path, server, seed=1, hosts=12, pages=300, settings=settings) as crawl:
        crawl.run(random.Random(1), kills=5, pauses=2, restarts=2)
        assert crawl.figures().holds(), (crawl.figures(), crawl.said)
