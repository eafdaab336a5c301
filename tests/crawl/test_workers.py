"""Several crawls as workers of one job, in virtual time: kills, cuts, late joiners. Nothing is lost, twice or early."""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from support.memory_job import MemoryJob
from support.rawserver import ok, start
from support.workers import Kept, Worker, kept_items
from trio.testing import MockClock

from crawler import Pace, Produced, Request, Response, Settings, Sink, Spider
from crawler.engine.shutdown import FINISH_GRACE
from crawler.errors import LeaseLost
from crawler.monitor import Monitor
from crawler.sinks.position import TAIL, Position
from crawler.store import Store
from crawler.testing import FakeSite, Page
from crawler.transport.curl import CurlTransport

DELAY = 1.0
LEASE = 60.0
FRESH = 0.8 * LEASE


class Hosts(Spider):
    """Follows all links, and gives an item for each page."""

    start_urls = ("https://h0.test/",)
    settings = Settings(obey_robots=False, delay=DELAY, jitter=0.0)

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url}
        yield from response.follow_all()


class Site(FakeSite):
    """Hosts of which each page links to the next one, to all others of its host, and to each host."""

    def __init__(self, hosts: int, pages: int, seconds: float = 0.1) -> None:
        starts = "".join(f'<a href="https://h{host}.test/">host</a>' for host in range(hosts))
        made: dict[str, Any] = {}
        for host in range(hosts):
            links = "".join(f'<a href="/{page}">page</a>' for page in range(1, pages))
            for page in range(pages):
                made[f"https://h{host}.test/{page or ''}"] = Page(starts + links, delay=seconds)
        super().__init__(made)
        self.urls = sorted(made)

    def check(self, *, refetched: int = 0, delay: float = DELAY) -> None:
        """Check that no host was asked too early, and that few pages were fetched again."""
        times: dict[str, list[float]] = defaultdict(list)
        for visit in self.log:
            times[httpx.URL(visit.url).host].append(visit.at)
        for host, at in times.items():
            assert all(b - a >= delay - 1e-6 for a, b in pairwise(at)), host
        assert len(self.urls) <= len(self.log) <= len(self.urls) + refetched


async def test_workers_share_a_crawl_and_each_page_is_fetched_once(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(), Site(hosts=8, pages=10)
    workers = [Worker(job, Hosts(), site) for _ in range(4)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
    site.check()
    assert sorted(kept_items(job, workers)) == site.urls
    assert all(len(worker.kept.rows) > 0 for worker in workers)
    for worker in workers:
        assert worker.report is not None
        assert (worker.report.finished, worker.report.pages, worker.report.items) == ("finished", 80, 80)
        assert worker.report.requests == 80
    assert trio.current_time() < 3 * 10 * DELAY  # 8 hosts one after another would take 80 s


async def test_a_worker_that_joins_later_gets_its_share_of_the_hosts(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(), Site(hosts=6, pages=60)
    first, second = Worker(job, Hosts(), site), Worker(job, Hosts(), site)
    async with trio.open_nursery() as nursery:
        await nursery.start(first.work)
        await trio.sleep(20)
        await nursery.start(second.work)
        await trio.sleep(5)
        held = [
            sum(1 for group in job.groups.rows.values() if group.owner == worker.owner) for worker in (first, second)
        ]
    assert held == [3, 3]
    site.check()
    assert sorted(kept_items(job, [first, second])) == site.urls


async def test_a_worker_knows_that_others_hold_all_hosts(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(), Site(hosts=1, pages=60)
    workers = [Worker(job, Hosts(), site) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
        await trio.sleep(3.5)
        holds = [any(group.owner == worker.owner for group in job.groups.rows.values()) for worker in workers]
        crawls = [worker.engine.crawl for worker in workers if worker.engine is not None]
        assert sorted(holds) == [False, True]
        assert [Monitor(crawl).snapshot().held_by_others for crawl in crawls] == [not own for own in holds]


@pytest.mark.parametrize("seed", range(6))
async def test_workers_that_are_killed_or_cut_off_lose_nothing_and_keep_nothing_twice(
    autojump_clock: MockClock, seed: int
) -> None:
    lease = 20.0
    job, site, chance = MemoryJob(lease), Site(hosts=10, pages=12), random.Random(seed)
    settings = Settings(workers=4)

    def worker() -> Worker:
        return Worker(job, Hosts(), site, settings=settings, keeps=[Kept("slow", seconds=3.0)])

    async def cut(each: Worker, seconds: float) -> None:
        each.connection.cut()
        await trio.sleep(seconds)
        if not each.is_dead:
            each.connection.restore()

    workers, losses = [worker() for _ in range(3)], 0
    async with trio.open_nursery() as nursery:
        for each in workers:
            await nursery.start(each.work)
        while losses < 8 and (alive := [each for each in workers if not each.ended.is_set()]):
            await trio.sleep(chance.uniform(0.2, 6))
            losses += 1
            if chance.random() < 0.3:
                nursery.start_soon(cut, chance.choice(alive), chance.uniform(1, 3 * lease))
            else:
                chance.choice(alive).kill()
            workers.append(worker())
            await nursery.start(workers[-1].work)
    assert losses >= 3
    for name in ("kept", "slow"):
        assert sorted(kept_items(job, workers, name)) == site.urls
    site.check(refetched=losses * 4)
    assert job.total().items == len(site.urls)


async def test_the_unreported_last_start_of_a_killed_worker_counts(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(lease=20.0), Site(hosts=1, pages=4, seconds=5.0)
    settings = Settings(delay=90.0)  # longer than a lease
    workers = [Worker(job, Hosts(), site, settings=settings) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        await nursery.start(workers[0].work)
        await trio.sleep(92.0)
        assert len(site.log) == 2
        workers[0].kill()  # the second page is not committed
        await nursery.start(workers[1].work)
    assert sorted(kept_items(job, workers)) == site.urls
    site.check(refetched=1, delay=90.0)


async def test_a_later_worker_delivers_the_items_of_one_that_was_killed_at_the_end(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=2, pages=5)
    first, second = (Worker(job, Hosts(), site, keeps=[Kept("slow", seconds=30.0)]) for _ in range(2))
    async with trio.open_nursery() as nursery:
        await nursery.start(first.work)
        await trio.sleep(20.0)
        assert (job.live, job.exhausted) == (0, True)
        first.kill()
        await nursery.start(second.work)
    for name in ("kept", "slow"):
        assert sorted(kept_items(job, [first, second], name)) == site.urls
    site.check()


async def test_a_worker_that_is_cut_off_for_longer_than_its_lease_starts_nothing_and_ends(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=4, pages=160)
    seen: dict[str, list[float]] = defaultdict(list)
    settings = Settings(workers=1_000)  # what waits for a commit must not be what keeps others from starting
    first, second = (Worker(job, spider, site, settings=settings) for spider in (Hosts(), Hosts()))

    def watch(worker: Worker, name: str) -> Worker:
        transport = site.transport

        async def handle(request: httpx.Request) -> httpx.Response:
            seen[name].append(trio.current_time())
            return await transport.handle_async_request(request)

        worker.site = FakeSite({})
        worker.site.transport = httpx.MockTransport(handle)
        return worker

    async with trio.open_nursery() as nursery:
        await nursery.start(watch(first, "first").work)
        await trio.sleep(5)
        await nursery.start(watch(second, "second").work)
        await trio.sleep(20)
        first.connection.cut()
        cut_at = trio.current_time()
        await trio.sleep(LEASE * 2)
        first.connection.restore()
        await first.ended.wait()
        assert trio.current_time() < cut_at + LEASE * 2 + 5
    assert isinstance(first.error, LeaseLost)
    assert cut_at + FRESH - LEASE / 3 - 2 * DELAY < max(seen["first"]) <= cut_at + FRESH
    assert sum(at > cut_at + LEASE for at in seen["second"]) > 100
    said = [record.message for record in caplog.records if "does not answer" in record.message]
    assert len(said) == 1
    assert sorted(kept_items(job, [first, second])) == site.urls
    site.check(refetched=2 * int(FRESH))


async def test_a_store_that_is_away_for_longer_than_a_lease_costs_nothing_but_time(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=4, pages=60)
    workers = [Worker(job, Hosts(), site) for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
        await trio.sleep(20)
        for worker in workers:
            worker.connection.cut()
        await trio.sleep(3 * LEASE)
        quiet = [visit.at for visit in site.log if trio.current_time() - 2 * LEASE < visit.at]
        for worker in workers:
            worker.connection.restore()
    assert quiet == []
    assert all(worker.report is not None for worker in workers)
    assert sum("does not answer" in record.message for record in caplog.records) == len(workers)
    assert sum("answers again" in record.message for record in caplog.records) == len(workers)
    assert sorted(kept_items(job, workers)) == site.urls
    site.check()


async def test_a_worker_that_is_stopped_finishes_requests_in_flight_and_leaves(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=6, pages=20, seconds=2.0)
    first, second = Worker(job, Hosts(), site), Worker(job, Hosts(), site)
    async with trio.open_nursery() as nursery:
        await nursery.start(first.work)
        await nursery.start(second.work)
        await trio.sleep(15)
        first.interrupt()
        await first.ended.wait()
        assert first.owner not in job.owners
    assert first.report is not None
    assert first.report.interrupted
    assert sorted(kept_items(job, [first, second])) == site.urls
    site.check()  # nothing was fetched again


async def test_a_worker_that_is_stopped_does_not_wait_for_a_store_that_is_away(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=4, pages=20)
    first, second = (Worker(job, Hosts(), site, settings=Settings(grace=5.0)) for _ in range(2))
    async with trio.open_nursery() as nursery:
        await nursery.start(first.work)
        await trio.sleep(10.0)
        first.connection.cut()
        await trio.sleep(1.0)
        first.interrupt()
        with trio.fail_after(5.0 + 5 * FINISH_GRACE):
            await first.ended.wait()
        await nursery.start(second.work)
    assert first.report is not None
    assert first.report.interrupted
    assert "the store of the job does not answer: the report is about this worker only" in caplog.messages
    assert sorted(kept_items(job, [first, second])) == site.urls


@pytest.mark.parametrize("name", ["resume_state", "follow", "advance", "commit", "claim", "ingest"])
@pytest.mark.parametrize("calls", range(1, 5))
async def test_a_worker_that_is_stopped_ends_whichever_call_of_the_store_has_no_answer(
    autojump_clock: MockClock, name: str, calls: int
) -> None:
    class Cutting(Worker):
        """Its connection is cut when a method is called for the last of some times."""

        async def _open_store(self, stack: AsyncExitStack) -> Store:
            store, left = await super()._open_store(stack), calls
            found = getattr(self.connection, name)

            async def call(*args: Any, **options: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    self.connection.cut()
                return await found(*args, **options)

            setattr(self.connection, name, call)
            return store

    job, site = MemoryJob(LEASE), Site(hosts=4, pages=5)
    first, second = (kind(job, Hosts(), site, settings=Settings(grace=5.0)) for kind in (Cutting, Worker))
    async with trio.open_nursery() as nursery:
        await nursery.start(first.work)
        await trio.sleep(30.0)
        if not first.interrupt():
            first.cancel()  # as Ctrl-C does before the crawl has begun
        with trio.fail_after(5.0 + 6 * FINISH_GRACE):
            await first.ended.wait()
        await nursery.start(second.work)
    assert sorted(kept_items(job, [first, second])) == site.urls


class Counting(Hosts):
    """Counts its pages in its state."""

    def parse(self, response: Response) -> Produced:
        self.state["pages"] = self.state.get("pages", 0) + 1
        yield from super().parse(response)


async def test_the_state_of_the_spider_loses_no_change_of_any_worker(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=4, pages=8)
    workers = [Worker(job, Counting(), site) for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
    [counted] = [row.value for (_, name), row in job.states.items() if name == "pages"]
    assert counted == str(len(site.urls)).encode()
    assert sorted(kept_items(job, workers)) == site.urls
    assert workers[0].report is not None
    assert workers[0].report.pages == len(site.urls)
    assert workers[0].report.requests == len(site.urls)
    site.check()  # a page is handled again where another worker was faster, and not fetched again


class Distant(Worker):
    """A worker whose job answers late, so that it learns of changes of others at any time. Changes come in order."""

    pauses: tuple[float, ...] = (0.0, 0.05, 0.4)
    passed_at = 0.0
    """When the last call or answer passes."""

    async def _open_store(self, stack: AsyncExitStack) -> Store:
        store, chance = await super()._open_store(stack), random.Random(len(self.shared_job.owners))

        async def reach() -> None:
            self.passed_at = max(self.passed_at + 1e-6, trio.current_time() + chance.choice(self.pauses))
            await trio.sleep_until(self.passed_at)

        self.connection._reach = reach  # type: ignore[method-assign]
        return store


class Summing(Hosts):
    """Counts its pages in one value of its state, and in another by the length of their URLs."""

    settings = Settings(obey_robots=False, delay=0.02, jitter=0.0, per_host=4)

    def parse(self, response: Response) -> Produced:
        for name in ("pages", f"pages {len(response.url) % 3}"):
            self.state[name] = self.state.get(name, 0) + 1
        yield from super().parse(response)


@pytest.mark.parametrize("hosts", [3, 5, 8])
async def test_changes_of_states_are_counted_once_however_late_a_worker_learns_of_those_of_others(
    autojump_clock: MockClock, hosts: int
) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=hosts, pages=40, seconds=0.05)
    workers = [Distant(job, Summing(), site) for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
    counted = {name: int(row.value) for (_, name), row in job.states.items()}
    assert counted.pop("pages") == sum(counted.values()) == len(site.urls)
    assert sorted(kept_items(job, workers)) == site.urls
    site.check(delay=0.02)


class Waiting(Hosts):
    """Reads and writes its state, and then waits."""

    async def parse(self, response: Response) -> Any:  # type: ignore[override]
        self.state["pages"] = self.state.get("pages", 0) + 1
        await trio.sleep(0.03)
        return [{"url": response.url}, *response.follow_all()]


async def test_pages_that_wait_between_conflicts_do_not_refuse_each_other_forever(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=5, pages=20, seconds=0.05)
    settings = Settings(delay=0.02, per_host=4)
    workers = [Distant(job, Waiting(), site, settings=settings) for _ in range(3)]
    for worker in workers:
        worker.pauses = (0.05,)
    with trio.fail_after(600):
        async with trio.open_nursery() as nursery:
            for worker in workers:
                await nursery.start(worker.work)
    assert sorted(kept_items(job, workers)) == site.urls
    site.check(delay=0.02)


class Knowing(Sink):
    """Keeps what a sink knows before the crawl."""

    def __init__(self) -> None:
        self.known: list[str] = []

    def divide(self, part: int) -> None:
        self.known.append(f"{self.shared_job} {part}")

    def check(self) -> None:
        self.known.append(f"check {self.shared_job}")

    async def persist(self, batch: Any) -> None: ...


async def test_a_sink_knows_which_job_its_worker_shares_before_it_checks_its_place(autojump_clock: MockClock) -> None:
    worker = Worker(MemoryJob(LEASE), Hosts(), Site(hosts=1, pages=1), outputs=[sink := Knowing()])
    await worker.work()
    assert sink.known == [f"memory {worker.owner}", "check memory"]


class Keyed(Hosts):
    """Each request costs a unit of one key."""

    settings = Settings(obey_robots=False, delay=0.0, jitter=0.0, pacing={"key:A": {"rate": "60/min"}})
    start_urls = tuple(f"https://h{host}.test/" for host in range(4))

    def start(self) -> Produced:
        for url in self.start_urls:
            yield Request(url, quotas={"key:A": 1})

    def parse(self, response: Response) -> Produced:
        yield {"url": response.url}
        yield from (link.replace(quotas={"key:A": 1}) for link in response.follow_all())


async def test_a_budget_holds_over_all_workers(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=4, pages=15)
    workers = [Worker(job, Keyed(), site) for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
    at = sorted(visit.at for visit in site.log)
    assert all(b - a >= 1.0 - 1e-6 for a, b in pairwise(at))
    assert sorted(kept_items(job, workers)) == site.urls
    assert at[-1] < 1.5 * len(site.urls)  # passing the budget on costs little
    assert sum(1 for worker in workers if worker.kept.rows) > 1


class Fetching(Hosts):
    """Each page fetches something in place from one host, on which another worker may be."""

    async def parse(self, response: Response) -> Any:  # type: ignore[override]
        await self.crawl.fetch(Request(f"https://h0.test/api?from={response.url}"))
        return [{"url": response.url}, *response.follow_all()]


async def test_a_fetch_in_place_of_a_host_of_another_worker_waits_for_that_host(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=3, pages=6)
    site.pages["https://h0.test/api"] = Page("{}")
    workers = [Worker(job, Fetching(), site) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
    assert sorted(kept_items(job, workers)) == site.urls
    site.check(refetched=1000)


async def test_limits_of_the_crawl_are_about_the_sum_of_all_workers(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=6, pages=100)
    workers = [Worker(job, Hosts(), site, settings=Settings(max_pages=60)) for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
    for worker in workers:
        assert worker.report is not None
        assert worker.report.finished == "max_pages"
        assert 60 <= worker.report.pages <= 60 + 6  # one request of each host was in flight


async def test_each_worker_writes_a_file_of_its_own(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job, site = MemoryJob(), Site(hosts=4, pages=5)
    workers = [Worker(job, Hosts(), site, outputs=["items.jsonl"]) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        for worker in workers:
            await nursery.start(worker.work)
    written = {path.name: path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert sorted(written) == ["items-00001.jsonl", "items-00002.jsonl"]
    assert sorted(json.loads(line)["url"] for lines in written.values() for line in lines) == site.urls


async def test_no_item_is_in_the_files_of_two_workers_when_one_took_over_from_a_killed_one(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job, site = MemoryJob(LEASE), Site(hosts=3, pages=10)
    first, second = (Worker(job, Hosts(), site, outputs=["items.jsonl"]) for _ in range(2))
    async with trio.open_nursery() as nursery:
        await nursery.start(first.work)
        await nursery.start(second.work)
        await trio.sleep(5.0)

        async def advance(*_: Any) -> None:
            await trio.sleep_forever()  # the items are in the file, and the job does not know

        monkeypatch.setattr(first.connection, "advance", advance, raising=False)
        await trio.sleep(2.0)
        first.kill()
    written = {path.name: path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert sorted(written) == ["items-00001.jsonl", "items-00002.jsonl"]
    assert sorted(json.loads(line)["url"] for lines in written.values() for line in lines) == site.urls


async def test_no_item_is_in_the_files_of_two_workers_when_one_was_killed(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job, site = MemoryJob(LEASE), Site(hosts=3, pages=10)
    first = Worker(job, Hosts(), site, outputs=["items.jsonl"])
    async with trio.open_nursery() as nursery:
        await nursery.start(first.work)
        await trio.sleep(5.0)
        first.kill()
        owner = job.owners[first.owner]
        position = owner.positions["jsonl:items.jsonl"]
        # as if the last answer of the store had been lost: the file has what the job does not know of
        owner.cursors["jsonl:items.jsonl"] -= 1
        lines = (tmp_path / "items-00001.jsonl").read_bytes().splitlines(keepends=True)
        before, kept = len(lines), b"".join(lines[:-1])
        known = {"end": len(kept), "tail": Position.at(0, kept[-TAIL:], "").tail}
        owner.positions["jsonl:items.jsonl"] = position | known
        last = Worker(job, Hosts(), site, outputs=["items.jsonl"])
        await trio.sleep(2 * LEASE)
        early = Worker(job, Hosts(), site, outputs=["items.jsonl"])
        await nursery.start(early.work)  # which takes over
        await early.ended.wait()
        await nursery.start(last.work)  # which finds the positions of those that are gone
    written = {path.name: path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert len(written["items-00001.jsonl"]) == before - 1
    assert sorted(json.loads(line)["url"] for lines in written.values() for line in lines) == site.urls


@pytest.mark.parametrize(
    "template", ["items-%(n)d.jsonl?max_rows=4", "%(type)s.jsonl", "%(type)s-%(n)d.jsonl.gz?max_rows=4"]
)
async def test_no_item_is_twice_in_the_series_of_workers_of_which_some_were_killed(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    monkeypatch.chdir(tmp_path)
    job, site = MemoryJob(LEASE), Site(hosts=3, pages=10)

    def worker() -> Worker:
        return Worker(job, Hosts(), site, outputs=[template])

    first = worker()
    async with trio.open_nursery() as nursery:
        await nursery.start(first.work)
        for _ in range(6):
            await trio.sleep(1.0)
            before = json.loads(json.dumps(job.owners[first.owner].positions))
            cursors = dict(job.owners[first.owner].cursors)
        await trio.sleep(2.1)
        first.kill()
        owner = job.owners[first.owner]
        assert owner.cursors != cursors
        owner.positions, owner.cursors = before, cursors  # as if the last answers of the store had been lost
        await trio.sleep(2 * LEASE)
        early = worker()
        await nursery.start(early.work)  # which takes over
        await early.ended.wait()
        await nursery.start(worker().work)  # which finds the positions of those that are gone
    texts = [
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in tmp_path.iterdir()
    ]
    assert sorted(json.loads(line)["url"] for text in texts for line in text.splitlines()) == site.urls


class Pondering(Kept):
    """Takes its time before each request."""

    async def answer(self, request: Request) -> None:  # type: ignore[override]
        await trio.sleep(10.0)


async def test_requests_that_have_waited_for_the_lease_start_one_by_one(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=1, pages=80)
    settings = Settings(pacing={"*": Pace(slow_start=False)}, workers=100)
    worker = Worker(job, Hosts(), site, settings=settings, keeps=[Pondering("pondering")])
    async with trio.open_nursery() as nursery:
        await nursery.start(worker.work)
        await trio.sleep(15.0)
        worker.connection.cut()
        await trio.sleep(2 * LEASE)
        worker.connection.restore()
    site.check()


class SlowNames:
    """A resolver that takes its time."""

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        await trio.sleep(1.5)
        return ("127.0.0.1",)


async def test_a_request_whose_connection_is_made_when_the_lease_is_over_is_not_sent(nursery: trio.Nursery) -> None:
    seen: list[float] = []

    async def handler(peer: Any) -> None:
        while await peer.request():
            seen.append(trio.current_time())
            await peer.send(ok())

    server, job = await start(nursery, handler), MemoryJob(lease=1.0)
    spider = Hosts(start_urls=[f"http://site.test:{server.port}/"])
    async with CurlTransport(resolver=SlowNames()) as transport:
        site = FakeSite({})
        site.transport = transport
        worker = Worker(job, spider, site, settings=Settings(delay=0.0))
        await nursery.start(worker.work)
        await trio.sleep(0.2)
        worker.connection.cut()
        await trio.sleep(2.3)
        assert seen == []
        worker.connection.restore()
        await worker.ended.wait()
    assert len(seen) == 1
    assert worker.report is not None
    assert (worker.report.pages, worker.report.requests, worker.report.retries) == (1, 1, 0)


class Later(Hosts):
    """Finds its start requests one by one."""

    async def start(self) -> AsyncIterator[Request]:  # type: ignore[override]
        for host in range(6):
            yield Request(f"https://h{host}.test/")
            await trio.sleep(5.0)


async def test_start_is_run_by_one_worker_and_resumed_by_another_one(autojump_clock: MockClock) -> None:
    job, site = MemoryJob(LEASE), Site(hosts=6, pages=3)
    for url in site.urls:
        site.pages[url] = Page('<a href="/1">1</a><a href="/2">2</a>')
    workers = [Worker(job, Later(), site) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        await nursery.start(workers[0].work)
        await trio.sleep(1.0)
        await nursery.start(workers[1].work)
        await trio.sleep(10.0)
        assert job.seeds == workers[0].owner
        assert len(site.log) < len(site.urls)
        workers[0].kill()
    assert sorted(kept_items(job, workers)) == site.urls
    site.check(refetched=6)
