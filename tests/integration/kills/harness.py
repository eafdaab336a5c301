"""Kills crawls and looks at what is left: the command line as a process, a made-up web, and what must hold.

::

    with durable(folder, seed=1, hosts=8, pages=1200, outputs=["items.jsonl"], settings={"delay": 0.03}) as crawl:
        crawl.run_with_kills(6, random.Random(1))
        figures = crawl.figures()       # lost, twice, refetches, starts that came too early, ...
        assert figures.holds()

What was asked for, and when, stands in the log of the server, which is another process and is not killed.
"""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from support.environments import environment
from support.processes import DEVNULL, PIPE, Process
from support.web import Web
from support.webserver import RETRY_AFTER, Hit, read_log, serve

__all__ = ["Durable", "Figures", "Item", "durable", "read_output"]

SPIDER = Path(__file__).parent / "everything.py"
LATE = 0.05
"""Seconds that a request may take from its start to the server's log on a busy machine, beyond the usual."""
BUSY = 0.6
"""Seconds that an answer may take to be heard by a crawl that is busy: until then it goes on as before."""
LONGEST = 120.0
"""Seconds: no run takes longer."""
LINE = 56
"""Bytes of a line of the server's log, about."""

Running = Process | subprocess.Popen[str]
Item = tuple[str, int]
"""URL and number of a page."""


@dataclass
class Figures:
    """What a crawl did that was killed and continued."""

    kills: int = 0
    """How often it was killed."""
    pages: int = 0
    """Pages that can be reached."""
    items: int = 0
    """Items in each output."""
    lost: int = 0
    """Pages without an item, summed over the outputs."""
    twice: int = 0
    """Items too many, summed over the outputs."""
    wrong: int = 0
    """Items of what cannot be reached, or with the number of another page."""
    requests: int = 0
    """Requests that the server got."""
    refetches: int = 0
    """Requests beyond those that a crawl without kills needs."""
    in_flight: int = 0
    """Requests that can have been in flight at the kills: one for each worker."""
    early: int = 0
    """Starts on a lane before its delay was over, and before the time that a 429 had named."""
    trespasses: int = 0
    """Requests out of scope or forbidden by robots.txt."""
    miscounted: int = 0
    """By how much pages and items of the report differ from those of the web."""
    seconds: float = 0.0
    """From the first start to the last end."""

    def holds(self) -> bool:
        """Whether everything is as it must be.

        What a kill costs is what was being fetched, or had been answered and waited for its commit: together no more
        than there are workers.
        """
        clean = not (self.lost or self.twice or self.wrong or self.early or self.trespasses or self.miscounted)
        return clean and self.items == self.pages and self.refetches <= self.in_flight

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Figures)))


@dataclass
class Durable:
    """A durable crawl of a served web; `durable` makes it."""

    folder: Path
    web: Web
    log: Path
    """Of the server."""
    outputs: Sequence[str]
    settings: Mapping[str, Any]
    drag: float
    """Seconds that each answer takes longer."""
    fresh: bool = False
    """Whether each run starts an interpreter, as a user does, and is no fork."""
    kills: list[float] = field(default_factory=list)
    """Seconds of the monotonic clock."""
    _running: list[Running] = field(default_factory=list)
    _first: float = 0.0
    _last: float = 0.0

    def command(self, *more: str | Path, job: str | None = "job") -> list[str]:
        """The arguments of one run's interpreter; without a job it is a crawl in memory."""
        words = ["run", SPIDER.name, "--report", "report.json", "--quiet", *(["--job", job] if job else [])]
        words += ["-a", f"front={self.web.start}", "-a", f"hosts={json.dumps(self.web.names)}"]
        for output in self.outputs:
            words += ["-o", output]
        for name, value in self.settings.items():
            words += ["-s", f"{name}={value if isinstance(value, (str, int, float)) else json.dumps(value)}"]
        return ["-m", "crawler", *words, *map(str, more)]

    def start(self, *more: str | Path, job: str | None = "job", **options: Any) -> Running:
        """Starts one run; `options` are those of `Process`, or of `subprocess.Popen` with ``preexec_fn``."""
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
        """Waits for the end of a run: its exit code, and what it said on standard error."""
        _, said = process.communicate(timeout=LONGEST)
        self._last = time.monotonic()
        assert "Traceback" not in said, said
        return process.returncode, said

    def run(self, *more: str | Path, job: str | None = "job", **options: Any) -> tuple[int, str]:
        """One run, to its end."""
        return self.end(self.start(*more, job=job, **options))

    def finish(self, *more: str | Path, job: str | None = "job") -> None:
        """One run that has to finish."""
        code, said = self.run(*more, job=job)
        assert code == 0, (code, said)

    def wait_for_requests(self, process: Running, requests: float) -> None:
        """Waits until the server has got so many more, about, or the run has ended before."""
        goal = self.log.stat().st_size + requests * LINE
        deadline = time.monotonic() + LONGEST
        while process.poll() is None and self.log.stat().st_size < goal:
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def kill(self, process: Running) -> None:
        """Kills a run that goes on, and looks at what it leaves."""
        process.send_signal(signal.SIGKILL)
        self.kills.append(time.monotonic())
        assert self.end(process) == (-signal.SIGKILL, "")
        self.look()

    def interrupt(self, process: Running, *signals: signal.Signals) -> tuple[int, str, float]:
        """Sends signals one after another: exit code, what was said, and the seconds from the last one to the end.

        What is in flight when its grace is over is as lost as at a kill; the second signal leaves none.
        """
        for each in signals:
            time.sleep(0.2)  # two that come together are one
            process.send_signal(each)
        sent = time.monotonic()
        self.kills.append(sent + (float(self.settings["grace"]) if len(signals) == 1 else 0.0))
        return *self.end(process), time.monotonic() - sent

    def run_with_kills(self, kills: int, chance: random.Random, *more: str | Path) -> None:
        """Runs it, kills it at random moments, and lets it finish.

        One kill in six comes while the process begins or opens its job, the others somewhere on its way.
        """
        share = self.expected_requests() / (kills + 1)
        for _ in range(kills):
            process = self.start(*more)
            if chance.random() < 1 / 6:
                time.sleep(chance.uniform(0.0, 0.8 if self.fresh else 0.2))
            else:
                self.wait_for_requests(process, chance.uniform(1, 1.8 * share))
                time.sleep(chance.uniform(0.0, 0.02))
            if process.poll() is not None:  # it was faster
                code, said = self.end(process)
                assert code == 0, (code, said)
                break
            self.kill(process)
        self.finish(*more)

    def look(self) -> None:
        """What must hold of an output at any time: whole lines of JSON, but for the last, and nothing twice."""
        for output in self.outputs:
            path = self.folder / output
            if path.suffix == ".jsonl" and path.exists():
                items = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
                assert len({item["url"] for item in items}) == len(items)

    def expected_requests(self) -> int:
        """Requests that a crawl makes which nobody disturbs, but for those of redirects and pages that are gone."""
        return sum(self.web.healthy_after(url) for url in self.web.reachable())

    def figures(self) -> Figures:
        """Compares outputs, report and log with what must be."""
        expected = self.web.reachable()
        hits = read_log(self.log)
        figures = Figures(kills=len(self.kills), pages=len(expected), requests=len(hits))
        figures.seconds = self._last - self._first
        figures.in_flight = len(self.kills) * int(self.settings.get("workers", 32))
        for output in self.outputs:
            items = read_output(self.folder / output)
            counts = Counter(url for url, _ in items)
            figures.items = len(items)
            figures.lost += len(expected.keys() - counts.keys())
            figures.twice += sum(count - 1 for count in counts.values())
            figures.wrong += sum(expected.get(url) != number for url, number in items)
        for url, count in Counter(f"http://{hit.host}:{self.web.port}{hit.path}" for hit in hits).items():
            figures.refetches += max(0, count - self.web.healthy_after(url))
            figures.trespasses += count if not (self.web.allows(url) or url.endswith("/robots.txt")) else 0
        for host in self.web.names:
            on_host = [hit for hit in hits if hit.host == host]
            figures.early += _too_early(on_host, self._delay(host)) + self._impatient(on_host)
        report = json.loads((self.folder / "report.json").read_text())
        figures.miscounted = abs(report["pages"] - len(expected)) + abs(report["items"] - len(expected))
        return figures

    def _delay(self, host: str) -> float:
        pace = self.settings.get("pacing", {}).get(host, {})
        return float(pace.get("delay", self.settings.get("delay", 0.0)))

    def _impatient(self, hits: Sequence[Hit]) -> int:
        """Requests of a host that came within the time that a 429 asked for; those in flight with it are none."""
        found = 0
        for asked in (hit for hit in hits if hit.outcome == "429"):
            told = asked.at + self.drag + self.web.page(f"http://{asked.host}:{self.web.port}{asked.path}").delay
            if any(asked.at - LATE < killed < told + BUSY for killed in self.kills):
                continue  # nobody was left to remember it
            found += sum(told + BUSY < hit.since and hit.at < told + RETRY_AFTER - LATE for hit in hits)
        return found


def _too_early(hits: Sequence[Hit], delay: float) -> int:
    """Starts that came before their time. Times are those of arrival: one that took long is no excuse for the next."""
    if not delay:
        return 0
    found, due = 0, float("-inf")
    for hit in hits:
        early = hit.at < due - LATE
        found += early
        due = (hit.since if early else max(due, hit.since)) + delay
    return found


def read_output(path: Path) -> list[Item]:
    """The items of an output, which is valid from its first byte to its last."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        rows: list[dict[str, Any]] = list(csv.DictReader(content.splitlines()))
    elif path.suffix == ".json":
        rows = json.loads(content)
    else:
        assert content.endswith("\n") or not content
        rows = [json.loads(line) for line in content.splitlines()]
    return [(row["url"], int(row["n"])) for row in rows]


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
    fresh: bool = False,
) -> Iterator[Durable]:
    """A crawl that has not begun, its web served meanwhile.

    Parameters:
        folder: an empty one.
        seed, hosts, pages: of the `Web`.
        outputs: files in the folder.
        settings: of the crawl.
        drag: seconds that each answer takes longer.
        fresh: whether each run starts an interpreter.
    """
    log = folder / "requests.log"
    log.touch()
    (folder / SPIDER.name).write_bytes(SPIDER.read_bytes())
    with serve(seed=seed, hosts=hosts, pages=pages, log=log, drag=drag) as web:
        crawl = Durable(folder, web, log, outputs, {"backoff_base": 0.05} | dict(settings or {}), drag, fresh)
        try:
            yield crawl
        finally:
            for process in crawl._running:
                if process.stderr is not None and not process.stderr.closed:  # its end was not waited for
                    process.kill()
                    process.communicate()
