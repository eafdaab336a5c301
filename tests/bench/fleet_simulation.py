"""A fleet in virtual time: many workers, hosts and pages, by the frontier, the limits and the store of real crawls.

::

    python tests/bench/fleet_simulation.py [--hosts 1000] [--pages 10000] [--workers 4] [--tasks 256] [--delay 1.0]
        [--connect 0.0] [--store memory|redis] [--refusals 0.0] [--kills 0] [--seed 1]

Each worker has a `Frontier`, `SharedPeers` and a store of its own; only the fetches are simulated: a request goes out
after `--connect` seconds on average, exponentially distributed, a page takes as long as its host does, some answers are
a 429 with ``Retry-After``, and killed workers leave their leases to the others. The job is in memory, or in a Redis
server whose functions read the virtual time. The numbers of pages of the hosts follow a power law; pages and hosts are
found by links.

*again* counts the pages that were fetched again after kills and refusals, *early* the starts within the delay of a host
or its ``Retry-After``. *bound* is the longer of two times: that of the largest host by its delay, and that of all pages
if no task ever waits. *busy* is the share of the tasks' time in which they fetch. *fair* is Jain's index of the pages
that known hosts with pages left had got at half of the bound: 1.0 if all had got the same number. The exit code is 1 if
a page is lost or early.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import random
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, cast

import trio
from msgspec import Struct, field

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crawler_plugins.stores.redis.address import Address
from crawler_plugins.stores.redis.connection import Connection
from crawler_plugins.stores.redis.redis_store import RedisStore
from integration.databases.servers import redis
from support.memory_job import MemoryJob

from crawler.engine.lane_loader import LaneLoader
from crawler.frontier import Frontier, PageTicket
from crawler.http.cookies import CookieJar
from crawler.messages import Request
from crawler.settings import Settings
from crawler.shared.peers import SharedPeers
from crawler.shared.remote_changes import RemoteValues, SharedStates
from crawler.store import CommitResult, Kind, Outcome, SharedStore

LEASE, FRESH, BEAT = 60.0, 48.0, 5.0
"""Seconds."""
COMMIT = 0.05
"""Seconds in which outcomes gather for a commit."""
RETRY_AFTER = 30
LINKS = 10
"""Pages, and hosts, that a page has the first links to."""
EARLY = 1e-5
"""Tolerance for the error of floating-point numbers, in seconds."""
REAL_TIME = """local t = call('TIME')
  return tonumber(t[1]) + tonumber(t[2]) / 1e6"""
VIRTUAL_TIME = "return tonumber(redis.call('GET', P .. ':clock') or 0)"


class Web:
    """Hosts with pages. Page 0 links to other hosts, and each page to others of its host.

    Parameters:
        hosts, pages: Their numbers.
        chance: Source of the sizes and response times.
    """

    def __init__(self, hosts: int, pages: int, chance: random.Random) -> None:
        weights = [min(chance.paretovariate(1.1), 300.0) for _ in range(hosts)]
        scale = (pages - hosts) / sum(weights)
        self.sizes = [1 + int(weight * scale) for weight in weights]
        self.seconds = [chance.lognormvariate(-1.2, 0.6) for _ in range(hosts)]
        """How long the pages of each host take."""

    def links(self, host: int, page: int) -> Iterator[Request]:
        """Yield the links of a page: to pages that nobody else links to, and to the first page of its host."""
        for child in range(LINKS * page + 1, min(LINKS * page + 1 + LINKS, self.sizes[host])):
            yield Request(f"https://h{host}.test/{child}")
        if page == 0:
            for other in range(LINKS * host + 1, min(LINKS * host + 1 + LINKS, len(self.sizes))):
                yield Request(f"https://h{other}.test/0")
        yield Request(f"https://h{host}.test/0")

    def bound(self, delay: float, tasks: int) -> float:
        """Return the seconds that no crawl can stay below."""
        work = sum(size * seconds for size, seconds in zip(self.sizes, self.seconds, strict=True))
        return max(max(self.sizes) * delay, work / tasks)


def place(request: Request) -> tuple[int, int]:
    """Return the numbers of the host and the page of a request."""
    host, page = request.url.removeprefix("https://h").split(".test/")
    return int(host), int(page)


class HostRow(Struct):
    """What a server sees of the crawl."""

    last: float = -math.inf
    refused_until: float = -math.inf
    known_at: float = math.inf
    starts: int = 0
    at_half: int = 0


class Simulation:
    """The time, the events to come, and what the servers see."""

    def __init__(self, web: Web, options: argparse.Namespace, chance: random.Random) -> None:
        self.web = web
        self.options = options
        self.chance = chance
        self.now = 1_800_000_000.0
        self.began = self.now
        self.events: list[tuple[float, int, Callable[[], Awaitable[None]]]] = []
        self.hosts = [HostRow() for _ in web.sizes]
        self.early = self.committed = 0
        self.busy = 0.0
        self.half = web.bound(options.delay, options.workers * options.tasks) / 2
        self._numbers = itertools.count()

    def clock(self) -> float:
        """Return the virtual time."""
        return self.now

    def at(self, at: float, event: Callable[[], Awaitable[None]]) -> None:
        """Call something at a time."""
        heapq.heappush(self.events, (at, next(self._numbers), event))

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Let the events happen until the crawl is over."""
        halved = False
        while not is_over():
            at, _, event = heapq.heappop(self.events)
            self.now = max(self.now, at)
            if not halved and self.now - self.began >= self.half:
                halved = True
                for host in self.hosts:
                    host.at_half = host.starts
            await event()

    def start(self, host: int) -> float:
        """Note a request to a host, and return how long the response takes."""
        row = self.hosts[host]
        self.early += self.now < row.last + self.options.delay - EARLY or self.now < row.refused_until - EARLY
        row.last = self.now
        row.known_at = min(row.known_at, self.now)
        row.starts += 1
        return self.web.seconds[host] * self.chance.uniform(0.5, 1.5)

    def fairness(self) -> float:
        """Return Jain's index of the pages at half of the time, over known hosts with pages left."""
        counts = [
            row.at_half
            for row, size in zip(self.hosts, self.web.sizes, strict=True)
            if row.known_at < self.began + self.half / 4 and row.at_half < size
        ]
        return sum(counts) ** 2 / (len(counts) * sum(n * n for n in counts)) if any(counts) else 1.0


class Worker:
    """A worker whose fetches are simulated."""

    def __init__(self, simulation: Simulation, store: SharedStore) -> None:
        self.simulation = simulation
        self.store = store
        self.is_dead = False
        self.pages = 0
        settings = Settings(obey_robots=False, delay=simulation.options.delay, jitter=0.0)
        self._tasks = simulation.options.tasks
        self._in_flight = 0
        self._outcomes: list[Outcome] = []
        self._looks_at = math.inf
        self._frontier = Frontier(settings, chance=simulation.chance)
        self._frontier.reports_sending = True
        clock, values = cast("Any", simulation.clock), RemoteValues(CookieJar(), None, None)
        self._peers = SharedPeers(self._frontier, store, clock, SharedStates(), values, (), cast("Any", None))
        self._lanes = LaneLoader(self._frontier, store, self._peers, clock)

    async def beat(self) -> None:
        """Renew the lease, and look what may start."""
        if self.is_dead:
            return
        sent = self.simulation.now
        extended = await self.store.extend()
        assert extended is not None
        self._frontier.starts_until = sent + FRESH
        self._peers.apply(extended)
        self.simulation.at(sent + BEAT, self.beat)
        await self.look()

    async def look(self) -> None:
        """Start what may start, as the scheduler of the engine does."""
        simulation, frontier = self.simulation, self._frontier
        if self.is_dead:
            return
        await self._lanes.make_room()
        await self._lanes.keep_up()
        again = math.inf
        while self._in_flight < self._tasks:
            ticket, at = frontier.pop(simulation.now)
            if ticket is None:
                again = min(again, at)
                break
            assert isinstance(ticket, PageTicket)
            self._start(ticket)
        again = max(simulation.now, min(again, self._peers.due_at()))
        if frontier.windows.to_refill():
            again = simulation.now
        if simulation.now < self._looks_at <= again:
            return  # it looks before then
        if again < math.inf:
            self._looks_at = again
            simulation.at(again, self._look_again)

    async def _look_again(self) -> None:
        self._looks_at = math.inf
        await self.look()

    def _start(self, ticket: PageTicket) -> None:
        """Let the bytes of a request go out, as soon as there is a connection."""
        simulation = self.simulation
        self._in_flight += 1
        connect = simulation.options.connect

        async def send() -> None:
            if not self.is_dead:
                self._send(ticket)
                await self.look()

        if connect:
            simulation.at(simulation.now + simulation.chance.expovariate(1 / connect), send)
        else:
            self._send(ticket)

    def _send(self, ticket: PageTicket) -> None:
        simulation = self.simulation
        host, _ = place(ticket.request)
        seconds = simulation.start(host)
        self._frontier.sent(ticket, simulation.now)

        async def end() -> None:
            if not self.is_dead:
                simulation.busy += seconds
                await self._end(ticket, host, seconds)

        simulation.at(simulation.now + seconds, end)

    async def _end(self, ticket: PageTicket, host: int, seconds: float) -> None:
        """Let the limits learn from a response, and commit the page soon."""
        simulation = self.simulation
        is_refused = simulation.chance.random() < simulation.options.refusals
        headers = [("Retry-After", f"{RETRY_AFTER}")] if is_refused else []
        self._frontier.answered(
            ticket, simulation.now, status=429 if is_refused else 200, headers=cast("Any", headers), body=b"",
            first_byte=seconds,
        )  # fmt: skip
        self._in_flight -= 1
        if is_refused:
            simulation.hosts[host].refused_until = simulation.now + RETRY_AFTER
            outcome = Outcome(kind=Kind.RETRY, ticket=ticket, attempts=ticket.pending.attempts)
        else:
            links = list(simulation.web.links(*place(ticket.request)))
            outcome = Outcome(kind=Kind.DONE, ticket=ticket, attempts=1, page=True, discovered=links)
        if not self._outcomes:
            simulation.at(simulation.now + COMMIT, self._commit)
        self._outcomes.append(outcome)
        await self.look()

    async def _commit(self) -> None:
        """Commit as the writer of the engine does."""
        if self.is_dead:
            return
        outcomes, self._outcomes = self._outcomes, []
        for lane, outcome in {outcome.ticket.lane: outcome for outcome in outcomes}.items():
            outcome.lane_state = lane.state()
        committed = await self.store.commit(outcomes)
        frontier = self._frontier
        frontier.push(committed.fresh)
        frontier.reload(committed.grew)
        for outcome, verdict in zip(outcomes, committed.results, strict=True):
            assert verdict in (CommitResult.OK, CommitResult.DUP), verdict
            if outcome.kind is Kind.RETRY:
                frontier.put_back(outcome.ticket, outcome.not_before)
                continue
            frontier.settle(outcome.ticket)
            self.pages += verdict is CommitResult.OK
            self.simulation.committed += verdict is CommitResult.OK
        await self.look()


class VirtualConnection(Connection):
    """Calls functions of a server that read the time of a simulation."""

    simulation: Simulation
    _told = -math.inf

    def _source(self) -> str:
        found = super()._source()
        assert REAL_TIME in found
        return found.replace(REAL_TIME, VIRTUAL_TIME)

    async def call(self, name: str, arguments: Any) -> Any:
        """Tell the server the time, and call a function."""
        if self.simulation.now != self._told:
            self._told = self.simulation.now
            await self._client.set(f"{self._key}:clock", repr(self._told))
        return await super().call(name, arguments)


class Fleet(Struct):
    """The workers of a job."""

    join: Callable[[], Awaitable[SharedStore]]
    memory: Callable[[], Awaitable[int]]
    """Returns the bytes of the job; 0 if it is in this process."""
    workers: list[Worker] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def of(cls, simulation: Simulation) -> AsyncIterator[Self]:
        """Make a job."""
        if simulation.options.store == "memory":
            job = MemoryJob(LEASE)
            job._clock = cast("Any", simulation.clock)

            async def join_memory() -> SharedStore:
                return job.join()

            async def nothing() -> int:
                return 0

            yield cls(join_memory, nothing)
            return
        with redis("redis-server", "--appendfsync", "no", "--appendonly", "no") as server:
            connection = VirtualConnection(Address.parse(f"{server.url}/simulation?lease={LEASE}"), power=False)
            connection.simulation = simulation
            async with connection:

                async def join() -> SharedStore:
                    call = {"version": "1", "lease": LEASE, "name": "simulation", "host": "here"}
                    return RedisStore(connection, await connection.call("join", call))

                async def memory() -> int:
                    return int((await connection._client.info("memory"))["used_memory"])

                yield cls(join, memory)

    async def add(self, simulation: Simulation) -> Worker:
        """Let a worker join."""
        worker = Worker(simulation, await self.join())
        self.workers.append(worker)
        simulation.at(simulation.now, worker.beat)
        return worker


async def simulate(options: argparse.Namespace) -> dict[str, Any]:
    """Run one simulation; return its figures."""
    chance = random.Random(options.seed)
    web = Web(options.hosts, options.pages, chance)
    simulation = Simulation(web, options, chance)
    cpu, wall = time.process_time(), time.perf_counter()
    async with Fleet.of(simulation) as fleet:
        for _ in range(options.workers):
            first = await fleet.add(simulation)
        await first.store.ingest([Request("https://h0.test/0")], exhausted=True)

        async def kill() -> None:
            chance.choice([worker for worker in fleet.workers if not worker.is_dead]).is_dead = True
            await fleet.add(simulation)

        bound = web.bound(options.delay, options.workers * options.tasks)
        for n in range(options.kills):
            simulation.at(simulation.began + bound * (n + 1) / (options.kills + 1), kill)
        pages = sum(web.sizes)
        await simulation.run(lambda: simulation.committed >= pages)
        live = [worker for worker in fleet.workers if not worker.is_dead]
        extended = await live[0].store.extend()
        assert extended is not None
        took = simulation.now - simulation.began
        starts = sum(row.starts for row in simulation.hosts)
        figures = {
            "pages": pages,
            "starts": starts,
            "left": live[0].store.live,
            "early": simulation.early,
            "took": took,
            "bound": bound,
            "busy": simulation.busy / (took * options.workers * options.tasks),
            "fair": simulation.fairness(),
            "least": min(worker.pages for worker in live),
            "most": max(worker.pages for worker in live),
            "store": await fleet.memory(),
        }
    figures["us"] = 1e6 * (time.process_time() - cpu) / pages
    figures["wall"] = time.perf_counter() - wall
    return figures


COLUMNS = "{:>9} {:>9} {:>8} {:>7} {:>6} {:>5} {:>9} {:>9} {:>6} {:>6} {:>6} {:>15} {:>9} {:>7} {:>8}"
NAMES = (
    "hosts", "pages", "workers", "again", "early", "left", "took s", "bound s", "ratio", "busy", "fair",
    "pages a worker", "store MB", "us/page", "peak MB",
)  # fmt: skip


def main() -> None:
    """Run a simulation and print its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=1_000)
    parser.add_argument("--pages", type=int, default=10_000, help="of all hosts (10000)")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--tasks", type=int, default=256, help="of each worker (256)")
    parser.add_argument("--delay", type=float, default=1.0, help="between two starts on a host, in seconds (1.0)")
    parser.add_argument(
        "--connect", type=float, default=0.0, help="from a start until its bytes go out, on average (0)"
    )
    parser.add_argument("--refusals", type=float, default=0.0, help="share of answers that are a 429 (0)")
    parser.add_argument("--kills", type=int, default=0, help="of random workers (0)")
    parser.add_argument("--store", choices=("memory", "redis"), default="memory")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = trio.run(simulate, options)
    print(COLUMNS.format(*NAMES))
    print(
        COLUMNS.format(
            options.hosts, found["pages"], options.workers, found["starts"] - found["pages"], found["early"],
            found["left"], f"{found['took']:,.0f}", f"{found['bound']:,.0f}", f"{found['took'] / found['bound']:.2f}",
            f"{found['busy']:.2f}", f"{found['fair']:.2f}", f"{found['least']}-{found['most']}",
            f"{found['store'] / 1e6:,.0f}", f"{found['us']:.0f}",
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f}",
        )
    )  # fmt: skip
    print(f"{found['wall']:.0f} s of real time")
    raise SystemExit(1 if found["early"] or found["left"] else 0)


if __name__ == "__main__":
    main()
