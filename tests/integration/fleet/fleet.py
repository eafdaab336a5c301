"""Several workers that share a job in a database: separate processes, which are killed and stopped.

::

    with postgresql() as server, fleet(folder, server, seed=1, hosts=12, pages=600) as crawl:
        crawl.run(random.Random(1), kills=8, pauses=2, restarts=1)
        figures = crawl.figures()
        assert figures.holds()

It is the crawl of `integration.kills.harness`, so the figures are the same: lost, twice, refetches, early starts. The
items are read from the database.
"""

from __future__ import annotations

import json
import random
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import trio
from integration.databases.servers import Server
from integration.fleet.cables import Cables
from integration.kills.harness import Durable, Figures, durable
from integration.kills.results import Item
from support.environments import environment
from support.processes import DEVNULL, Process

from crawler.errors import JobError
from crawler.store.registry import find_store

__all__ = ["Fleet", "fleet", "job_url"]

LEFT_BEHIND = re.compile(
    r"Exception ignored in: <function MemoryObject.*\n(?:Traceback.*\n(?:  .*\n)+)?"
    r"ResourceWarning: Unclosed <MemoryObject.*\n"
)
"""What Python says of the streams in memory that coredis does not close when a connection ends."""
LEASE = 2.0
"""Seconds after which a worker that is not heard of loses its groups, unless `Fleet.lease` is another number."""
REMOVED = "did not reach the store"
"""Part of the warning of a worker whose groups others have."""
LONGEST = 120.0
"""Timeout of a whole crawl, in seconds, unless `Fleet.longest` is another one."""


def job_url(server: Server, job: str, url: str | None = None, **options: object) -> str:
    """Return the URL of a job in the database of a server, which may be reached by another URL than its first."""
    place, _, query = (url or server.url).partition("?")
    parameters = [query] * bool(query) + [f"{name}={value}" for name, value in options.items()]
    return f"{place}/{job}?{'&'.join(parameters)}"


@dataclass
class Fleet:
    """A crawl of a served web that several workers share; created by `fleet`."""

    crawl: Durable
    server: Server
    job: str
    size: int
    """Number of workers."""
    cables: Cables | None = None
    """The cables from each worker to the server, if they can be cut."""
    lease: float = LEASE
    """Seconds after which a worker that is not heard of loses its groups."""
    longest: float = LONGEST
    """Timeout of the whole crawl, in seconds."""
    running: list[Process] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """The standard error of each worker that has ended."""
    _cable_of: dict[int, int] = field(default_factory=dict)
    _files: dict[Process, Path] = field(default_factory=dict)
    """Where each worker writes its standard error."""
    _absent: list[tuple[float, float]] = field(default_factory=list)
    """Beginnings and ends of times in which a test kept a worker from its server, on the monotonic clock."""
    _mending: list[threading.Timer] = field(default_factory=list)
    _mending_of: dict[int, threading.Timer] = field(default_factory=dict)
    """The last one of each cable."""

    def start(self) -> Process:
        """Start one worker."""
        words = self.crawl.command(job=None)
        cable, place = 0, None
        if self.cables is not None:
            used = [self._cable_of[process.pid] for process in self.running]
            cable = min(range(self.size), key=used.count)
            place = self.server.url.replace(self.cables.address(0), self.cables.address(cable))
        url = job_url(self.server, self.job, place, lease=self.lease)
        command = [*words[:2], "worker", url, *words[3:], "--log-json"]  # in place of -m crawler run SPIDER
        said = self.crawl.folder / f"said-{len(self._files)}"
        with said.open("wb") as file:  # a pipe that nobody reads would be full some time
            process = Process(command, cwd=self.crawl.folder, env=environment(), stdout=DEVNULL, stderr=file.fileno())
        self._files[process] = said
        self._cable_of[process.pid] = cable
        self.running.append(process)
        return process

    def run(self, chance: random.Random, *, kills: int = 0, pauses: int = 0, restarts: int = 0, cuts: int = 0) -> None:
        """Run the crawl; kill, pause and cut off random workers and restart the server at random moments."""
        self.crawl._first = time.monotonic()
        for _ in range(self.size):
            self.start()
        share = self.crawl.expected_requests() / (kills + pauses + restarts + cuts + 1)
        events = ["kill"] * kills + ["pause"] * pauses + ["restart"] * restarts + ["cut"] * cuts
        chance.shuffle(events)
        deadline = time.monotonic() + self.longest
        for event in events:
            self.crawl.wait_for_requests(chance.choice(self.running), chance.uniform(0.2, 1.2) * share)
            assert time.monotonic() < deadline
            getattr(self, event)(chance)
        self.finish()

    def finish(self) -> None:
        """Wait until all workers have ended."""
        for mending in self._mending:
            mending.join()
        while self.running:
            self.end(self.running[0])
        self.crawl._last = time.monotonic()

    def kill(self, chance: random.Random) -> None:
        """Kill a worker, and start another one."""
        process = chance.choice(self.running)
        process.send_signal(signal.SIGKILL)
        self.crawl.kills.append(time.monotonic())
        self.end(process, -signal.SIGKILL)
        if len(self.running) < self.size:
            self.start()

    def pause(self, chance: random.Random) -> None:
        """Stop a worker for longer than its lease, and let it continue: the others have its groups then."""
        process = chance.choice(self.running)
        process.send_signal(signal.SIGSTOP)
        seconds = self.lease * chance.uniform(1.1, 1.8)
        self._note_absence(seconds)  # what it had in flight is fetched again
        timer = threading.Timer(seconds, process.send_signal, [signal.SIGCONT])
        timer.start()

    def cut(self, chance: random.Random) -> None:
        """Cut a worker off the server, for a shorter time than its lease or for a longer one, by turns."""
        assert self.cables is not None
        cable = self._cable_of[chance.choice(self.running).pid]
        if (mending := self._mending_of.get(cable)) is not None:
            mending.join()  # it would end the second cut, too
        seconds = self.lease * (chance.uniform(1.2, 2.0) if len(self._mending) % 2 else chance.uniform(0.1, 0.6))
        self.cables.cut(cable)
        self._note_absence(seconds)  # what it had in flight may be fetched again
        self.crawl.blind.append(self._absent[-1])
        self._mending.append(threading.Timer(seconds, self.cables.mend, [cable]))
        self._mending_of[cable] = self._mending[-1]
        self._mending[-1].start()

    def restart(self, chance: random.Random) -> None:
        """Crash the server, and start it again."""
        self.server.stop()
        time.sleep(chance.uniform(0.0, 0.5))
        self.server.start()

    def end(self, process: Process, code: int = 0) -> None:
        """Wait for the end of a worker."""
        process.wait(self.longest)
        self.running.remove(process)
        said = self.said_by(process)
        self.said.append(said)
        self.crawl.kills += self._unexpected(said)
        assert "Traceback" not in said, said
        if process.returncode == 2 and "cannot " in said:  # it was started while the server was away
            self.start()
        else:
            assert process.returncode in (code, 0), (process.returncode, said)

    def said_by(self, process: Process) -> str:
        """Return what a worker has written to its standard error: a JSON object per line."""
        return LEFT_BEHIND.sub("", self._files[process].read_text())

    def _note_absence(self, seconds: float) -> None:
        now = time.monotonic()
        self.crawl.kills.append(now)
        self._absent.append((now, now + seconds))

    def _unexpected(self, said: str) -> list[float]:
        """Return when a worker found out that it was removed though no test had kept it from its server.

        On a busy machine it may have got no processor for the time of a lease. It is a pause like those of the tests.
        """
        records = [json.loads(line) for line in said.splitlines() if REMOVED in line]
        since = time.time() - time.monotonic()
        times = [datetime.fromisoformat(record["time"]).timestamp() - since for record in records]
        return [at for at in times if not any(begin <= at <= end + self.lease for begin, end in self._absent)]

    def wait_for_workers(self) -> None:
        """Wait until all workers have joined the job."""
        deadline = time.monotonic() + self.longest
        while self._joined() < self.size:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _joined(self) -> int:
        url = job_url(self.server, self.job)
        try:
            return len(trio.run(find_store(url).inspect, url).workers)
        except JobError:  # it does not exist yet
            return 0

    def items(self) -> list[Item]:
        """Return the items in the database."""
        return trio.run(self._items)

    async def _items(self) -> list[Item]:
        url = job_url(self.server, self.job)
        found: list[Item] = []
        async with find_store(url).items(url) as following:
            while rows := await following():
                found += [(row.item["url"], row.item["n"]) for row in rows]
        return found

    def figures(self) -> Figures:
        """Compare the items, the report and the log of the web's server with the expected results."""
        self.crawl.elsewhere = {"the database": self.items}
        return self.crawl.figures()


@contextmanager
def fleet(
    folder: Path,
    server: Server,
    *,
    seed: int,
    hosts: int,
    pages: int,
    job: str = "kills",
    size: int = 4,
    cables: Cables | None = None,
    lease: float = LEASE,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Fleet]:
    """Return a crawl that has not been started, and serve its web until the block is left.

    Parameters:
        folder: An empty folder for what the workers write.
        server: Of the database.
        seed, hosts, pages: Arguments of the `Web`.
        job: The name of the job.
        size: Number of workers.
        cables: From each worker to the server.
        lease: Seconds after which a worker that is not heard of loses its groups.
        settings: Settings of the crawl.
    """
    with durable(folder, seed=seed, hosts=hosts, pages=pages, outputs=[], settings=settings) as crawl:
        found = Fleet(crawl, server, job, size, cables, lease)
        try:
            yield found
        finally:
            for mending in found._mending:
                mending.join()
            for process in found.running:
                process.send_signal(signal.SIGKILL)
