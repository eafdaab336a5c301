"""Kill durable crawls of a generated web and check the results: each run is a process of the command line.

::

    with durable(folder, seed=1, hosts=8, pages=1200, outputs=["items.jsonl"], settings={"delay": 0.03}) as crawl:
        crawl.run_with_kills(6, random.Random(1))
        figures = crawl.figures()       # lost, twice, refetches, early starts, ...
        assert figures.holds()

The server is another process that is not killed; its log lists all requests with their times.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from integration.kills.plans import LINKS, Plan
from integration.kills.results import Item, content_of, read_output
from support.environments import environment
from support.processes import DEVNULL, PIPE, Process
from support.web import Web
from support.webserver import RETRY_AFTER, Hit, read_log, serve

__all__ = ["SPIDER", "Durable", "Figures", "durable"]

SPIDER = Path(__file__).parent / "everything.py"
LATE = 0.05
"""Tolerance for the time from the start of a request to the log of the server on a busy machine, in seconds."""
BUSY = 0.6
"""Maximum time after which a busy crawl reacts to a response, in seconds."""
LONGEST = 120.0
"""Timeout of one run, in seconds."""
ROBOTS = "/robots.txt"
LINE = 56
"""Approximate size of a line of the server's log, in bytes."""

ENDINGS = ("start", "kill", "pause", "signal", "two signals", "three signals", "shutdown")
"""Ways to end a run: SIGKILL or SIGTERM while it starts; SIGKILL; SIGKILL after a pause (SIGSTOP); one to three of
SIGINT and SIGTERM; SIGKILL during the shutdown after a signal."""

REPLACED = "a process that runs callbacks has ended"
"""A warning of `Durable.killing_callbacks`."""

Running = Process | subprocess.Popen[str]


@dataclass
class Figures:
    """The results of a crawl that was killed and resumed."""

    kills: int = 0
    """Number of kills."""
    pages: int = 0
    """Reachable pages."""
    items: int = 0
    """Items in each output."""
    lost: int = 0
    """Pages without an item, summed over the outputs."""
    twice: int = 0
    """Duplicate items, summed over the outputs."""
    wrong: int = 0
    """Items of unreachable pages, or with the number of another page."""
    requests: int = 0
    """Requests that the server received."""
    refetches: int = 0
    """Requests in addition to those of a crawl without kills, without those for robots.txt."""
    in_flight: int = 0
    """Maximum number of requests in flight at the kills: one per worker and kill."""
    early: int = 0
    """Starts within the delay of a lane or within the ``Retry-After`` of a 429."""
    forgotten: int = 0
    """Requests for a robots.txt that the run had fetched, or that the job must have had."""
    trespasses: int = 0
    """Requests out of scope or forbidden by robots.txt."""
    miscounted: int = 0
    """Difference between the pages and items of the report and those of the web."""
    seconds: float = 0.0
    """Seconds from the first start to the last end."""

    def holds(self) -> bool:
        """Return whether the crawl is complete, without duplicates and polite.

        A kill may cost the requests in flight and the responses that waited for their commit, together at most one
        per worker, and each robots.txt that was fetched since the last commit.
        """
        faults = (self.lost, self.twice, self.wrong, self.early, self.forgotten, self.trespasses, self.miscounted)
        return not any(faults) and self.items == self.pages and self.refetches <= self.in_flight

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Figures)))


@dataclass
class Durable:
    """A durable crawl of a served web; created by `durable`."""

    folder: Path
    web: Web
    log: Path
    """The log of the server."""
    outputs: Sequence[str]
    settings: Mapping[str, Any]
    drag: float
    """Additional delay of each response, in seconds."""
    plan: Plan = LINKS
    """The spider."""
    plugins: Sequence[str] = ()
    """Names of plugins in `SPIDER`."""
    fresh: bool = False
    """Whether each run starts an interpreter, as a user does, instead of forking one."""
    elsewhere: Mapping[str, Callable[[], list[Item]]] = field(default_factory=dict)
    """Outputs outside of the folder, with functions that return their items."""
    kills: list[float] = field(default_factory=list)
    """Times of the kills, in seconds of the monotonic clock."""
    blind: list[tuple[float, float]] = field(default_factory=list)
    """Beginnings and ends of times in which a run could not store what it learned, on the same clock."""
    is_quiet: bool = True
    """Whether the runs print no summary."""
    _running: list[Running] = field(default_factory=list)
    _first: float = 0.0
    _last: float = 0.0

    def command(self, *more: str | Path, job: str | None = "job") -> list[str]:
        """Return the arguments of the interpreter for one run; `job=None` means a crawl in memory."""
        words = ["run", self.plan.target, "--report", "report.json", *(["--job", job] if job else [])]
        words += ["--quiet"] if self.is_quiet else []
        for name, value in self.plan.arguments(self.web).items():
            words += ["-a", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
        for plugin in self.plugins:
            words += ["-p", f"{SPIDER.stem}:{plugin}"]
        for output in (*self.outputs, *self.elsewhere):
            words += ["-o", output]
        for name, value in self.settings.items():
            words += ["-s", f"{name}={value if isinstance(value, (str, int, float)) else json.dumps(value)}"]
        return ["-m", "crawler", *words, *map(str, more)]

    def start(self, *more: str | Path, job: str | None = "job", **options: Any) -> Running:
        """Start one run; `options` are those of `Process`, or of `subprocess.Popen` with ``preexec_fn``."""
        self._first = self._first or time.monotonic()
        words, limited = self.command(*more, job=job), "preexec_fn" in options
        options |= {"cwd": self.folder, "env": environment(limited=limited), "stdout": DEVNULL, "stderr": PIPE}
        process: Running
        if self.fresh or limited:
            process = subprocess.Popen([sys.executable, *words], text=True, **options)
        else:
            process = Process(words, **options)
        self._running.append(process)
        return process

    def end(self, process: Running) -> tuple[int, str]:
        """Wait for the end of a run; return its exit code and its standard error, without `REPLACED` lines."""
        _, said = process.communicate(timeout=LONGEST)
        self._last = time.monotonic()
        said = "".join(line for line in said.splitlines(keepends=True) if REPLACED not in line)
        assert "Traceback" not in said, said
        return process.returncode, said

    def run(self, *more: str | Path, job: str | None = "job", **options: Any) -> tuple[int, str]:
        """Start one run and wait for its end; return its exit code and its standard error."""
        return self.end(self.start(*more, job=job, **options))

    def finish(self, *more: str | Path, job: str | None = "job") -> None:
        """Start one run and check that it finishes."""
        code, said = self.run(*more, job=job)
        assert code == 0, (code, said)

    def wait_for_requests(self, process: Running, requests: float) -> None:
        """Wait until the server has received about `requests` more requests, or until the run has ended."""
        goal = self.log.stat().st_size + requests * LINE
        deadline = time.monotonic() + LONGEST
        while process.poll() is None and self.log.stat().st_size < goal:
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def kill(self, process: Running) -> None:
        """Kill a run and check its outputs."""
        process.send_signal(signal.SIGKILL)
        self.kills.append(time.monotonic())
        ended = self.end(process)
        assert ended == (-signal.SIGKILL, ""), ended
        self.look()

    @contextmanager
    def killing_callbacks(self, chance: random.Random) -> Iterator[list[int]]:
        """Kill processes that run callbacks at random moments while the block runs; yield their numbers."""
        killed: list[int] = []
        ended = threading.Event()

        def kill() -> None:
            while not ended.wait(chance.uniform(0.1, 0.5)):
                runs = [process.pid for process in self._running[-1:]]
                pids = [pid for run in runs for launcher in _children(run) for pid in _children(launcher)]
                if pids:
                    killed.append(chance.choice(pids))
                    with suppress(ProcessLookupError):
                        os.kill(killed[-1], signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            yield killed
        finally:
            ended.set()
            thread.join()

    def interrupt(self, process: Running, *signals: signal.Signals) -> tuple[int, str, float]:
        """Send signals; return the exit code, standard error, and the seconds from the last signal to the end.

        Requests in flight at the end of the grace period are lost as by a kill; the second signal ends the period.
        """
        for each in signals:
            time.sleep(0.2)  # two simultaneous signals count as one
            process.send_signal(each)
        sent = time.monotonic()
        code, said = self.end(process)
        ended = time.monotonic()
        self.kills.append(min(ended, sent + (float(self.settings["grace"]) if len(signals) == 1 else 0.0)))
        return code, said, ended - sent

    def run_with_kills(self, kills: int, chance: random.Random, *more: str | Path) -> None:
        """Run the crawl, kill it at random moments, and let it finish.

        One kill in six comes while the process starts or opens its job, the others during the crawl.
        """
        share = self.expected_requests() / (kills + 1)
        for _ in range(kills):
            process = self.start(*more)
            if chance.random() < 1 / 6:
                time.sleep(chance.uniform(0.0, 0.8 if self.fresh else 0.2))
            else:
                self.wait_for_requests(process, chance.uniform(1, 1.8 * share))
                time.sleep(chance.uniform(0.0, 0.02))
            if process.poll() is not None:  # it finished before the kill
                code, said = self.end(process)
                assert code == 0, (code, said)
                break
            self.kill(process)
        self.finish(*more)

    def run_with_endings(self, endings: int, chance: random.Random, *more: str | Path) -> None:
        """Run the crawl, end it at random moments in every way of `ENDINGS`, and let it finish."""
        share = self.expected_requests() / (endings + 1)
        for _ in range(endings):
            ending = chance.choice(ENDINGS)
            process = self.start(*more)
            if ending == "start":
                time.sleep(chance.uniform(0.0, 0.2))
            else:
                self.wait_for_requests(process, chance.uniform(1, 1.8 * share))
                time.sleep(chance.uniform(0.0, 0.02))
            if process.poll() is not None:  # it finished before
                code, said = self.end(process)
                assert code == 0, (code, said)
                break
            self._send(process, ending, chance)
            self.kills.append(time.monotonic())
            code, said = self.end(process)
            self.kills[-1] = time.monotonic()
            # A signal before the crawl, or behind its end, has its usual effect.
            assert -code in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT) or code in (130, 0), (ending, code, said)
            self.look()
        self.finish(*more)

    @staticmethod
    def _send(process: Running, ending: str, chance: random.Random) -> None:
        """Send the signals of one of `ENDINGS`."""
        if ending == "start":
            process.send_signal(chance.choice((signal.SIGKILL, signal.SIGTERM)))
        if ending == "pause":
            process.send_signal(signal.SIGSTOP)
            time.sleep(chance.uniform(0.0, 0.3))
            process.send_signal(signal.SIGCONT)
            time.sleep(chance.uniform(0.0, 0.05))
        if ending in ("kill", "pause"):
            process.send_signal(signal.SIGKILL)
        for _ in range({"signal": 1, "shutdown": 1, "two signals": 2, "three signals": 3}.get(ending, 0)):
            process.send_signal(chance.choice((signal.SIGINT, signal.SIGTERM)))
            time.sleep(chance.uniform(0.0, 0.12))
        if ending == "shutdown":
            process.send_signal(signal.SIGKILL)

    def look(self) -> None:
        """Check that the outputs consist of complete lines of JSON, except the last, and contain no duplicates."""
        for output in self.outputs:
            path = self.folder / output
            if ".jsonl" in path.suffixes and path.exists():
                items = [json.loads(line) for line in content_of(path).split(b"\n")[:-1]]
                assert len({item["url"] for item in items}) == len(items)

    def expected_requests(self) -> int:
        """Return the number of requests for pages in an undisturbed crawl, without redirects and missing pages."""
        asked = (*self.plan.pages(self.web), *self.plan.files(self.web))
        return sum(self.web.healthy_after(url) for url in asked)

    def figures(self) -> Figures:
        """Compare outputs, report and log with the expected results."""
        expected = self.plan.items(self.web)
        hits = read_log(self.log)
        figures = Figures(kills=len(self.kills), pages=len(expected), requests=len(hits))
        figures.seconds = self._last - self._first
        figures.in_flight = len(self.kills) * self._uncommitted()
        for items in self._items():
            counts = Counter(url for url, _ in items)
            figures.items = len(items)
            figures.lost += len(expected.keys() - counts.keys())
            figures.twice += sum(count - 1 for count in counts.values())
            figures.wrong += sum(expected.get(url) != number for url, number in items)
        pages = [hit for hit in hits if hit.path != ROBOTS]
        for url, count in Counter(f"http://{hit.host}:{self.web.port}{hit.path}" for hit in pages).items():
            figures.refetches += max(0, count - self.web.healthy_after(url))
            figures.trespasses += count if not self.web.allows(url) else 0
        for host in self.web.names:
            on_host = [hit for hit in hits if hit.host == host]
            figures.early += _too_early(on_host, self._delay(host)) + self._impatient(on_host)
            figures.forgotten += self._forgotten(on_host)
        figures.miscounted = sum(abs(found - right) for found, right in self._counts())
        return figures

    def _items(self) -> Iterator[list[Item]]:
        """Yield the items of each output and of each sink."""
        for output in self.outputs:
            yield read_output(self.folder / output)
        for read in self.elsewhere.values():
            yield read()
        if "ByPosition" in self.plugins:
            yield read_output(self.folder / "by_position.jsonl")
        if "ByKey" in self.plugins:
            with closing(sqlite3.connect(self.folder / "by_key.sqlite")) as database:
                rows = database.execute("SELECT data, changed FROM item").fetchall()
            assert not any(changed for _, changed in rows)
            yield [(item["url"], item["n"]) for item in (json.loads(data) for data, _ in rows)]

    def _counts(self) -> Iterator[tuple[int, int]]:
        """Yield each count of the report and of the states, with the right one."""
        report = json.loads((self.folder / "report.json").read_text())
        pages = len(list(self.plan.pages(self.web)))
        yield report["pages"], pages
        yield report["items"], len(self.plan.items(self.web))
        if self.plan is LINKS:
            yield report["counters"].get("missed", 0), self.web.gone()
        if "Counts" in self.plugins:
            yield report["counters"]["parsed"], pages
            with closing(sqlite3.connect(self.folder / "job" / "job.sqlite")) as database:
                [[value]] = database.execute("SELECT value FROM state WHERE name = 'parsed'").fetchall()
            yield json.loads(value), pages

    def _delay(self, host: str) -> float:
        pace = self.settings.get("pacing", {}).get(host, {})
        return float(pace.get("delay", self.settings.get("delay", 0.0)))

    def _uncommitted(self) -> int:
        """Return the number of responses that one process can have without a commit."""
        per_worker = 2 if any(self.plan.files(self.web)) else 1  # a page and its file
        return int(self.settings.get("workers", 32)) * per_worker

    def _forgotten(self, hits: Sequence[Hit]) -> int:
        """Return the number of requests to a host for a robots.txt that was known.

        It was known if no run has ended since it was fetched. It was also known if the host has sent more pages since
        then than can be without a commit, as the first commit after a robots.txt contains it.
        """
        found = 0
        for before, again in pairwise(hit for hit in hits if hit.path == ROBOTS):
            ended = any(before.since < killed and killed - LATE < again.at for killed in self.kills)
            received = before.at + self.drag + BUSY
            since = sum(hit.outcome == "200" and received < hit.since and hit.at < again.at for hit in hits)
            found += not ended or since > self._uncommitted()
        return found

    def _impatient(self, hits: Sequence[Hit]) -> int:
        """Return the number of requests within the ``Retry-After`` of a 429, except those already in flight."""
        found = 0
        blind = [*((killed, killed) for killed in self.kills), *self.blind]
        for asked in (hit for hit in hits if hit.outcome == "429"):
            told = asked.at + self.drag + self.web.page(f"http://{asked.host}:{self.web.port}{asked.path}").delay
            if any(asked.at - LATE < until and since < told + BUSY for since, until in blind):
                continue  # the run was killed, or cut off, before it could store the wait
            found += sum(told + BUSY < hit.since and hit.at < told + RETRY_AFTER - LATE for hit in hits)
        return found


def _too_early(hits: Sequence[Hit], delay: float) -> int:
    """Return the number of requests that were started within the delay after the one before.

    The log has times of arrival, so `LATE` is tolerated. An arrival within the tolerance does not move the next one.
    """
    if not delay:
        return 0
    found, due = 0, float("-inf")
    for hit in hits:
        early = hit.at < due - LATE
        found += early
        due = (hit.since if early else max(due, hit.since)) + delay
    return found


@contextmanager
def durable(
    folder: Path,
    *,
    seed: int,
    hosts: int,
    pages: int,
    outputs: Sequence[str] = ("items.jsonl",),
    settings: Mapping[str, Any] | None = None,
    drag: float = 0.0,
    plan: Plan = LINKS,
    plugins: Sequence[str] = (),
    fresh: bool = False,
    elsewhere: Mapping[str, Callable[[], list[Item]]] | None = None,
) -> Iterator[Durable]:
    """Return a crawl that has not been started, and serve its web until the block is left.

    Parameters:
        folder: an empty folder for the job and the outputs.
        seed, hosts, pages: arguments of the `Web`.
        outputs: names of files in the folder.
        settings: settings of the crawl.
        drag: additional delay of each response, in seconds.
        plan: the spider and its results.
        plugins: names of plugins in `SPIDER`.
        fresh: whether each run starts an interpreter.
        elsewhere: outputs outside of the folder, with functions that return their items.
    """
    log = folder / "requests.log"
    log.touch()
    for program in (SPIDER, SPIDER.with_name("ready_made.py")):
        (folder / program.name).write_bytes(program.read_bytes())
    with serve(seed=seed, hosts=hosts, pages=pages, log=log, drag=drag) as web:
        merged = {"backoff_base": 0.05} | dict(settings or {})
        crawl = Durable(folder, web, log, outputs, merged, drag, plan, plugins, fresh, elsewhere or {})
        try:
            yield crawl
        finally:
            for process in crawl._running:
                if process.stderr is not None and not process.stderr.closed:  # the test did not wait for its end
                    process.kill()
                    process.communicate()


def _children(pid: int) -> list[int]:
    """Return the numbers of the child processes of a process; empty if it has ended."""
    try:
        return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
