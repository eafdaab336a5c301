"""Kill crawls of a faulty site, and compare what they say with what an oracle knows of every page.

::

    PYTHONPATH=tests python -m integration.chaos.rig --kills 200 --seed 1

Each crawl is a job with five outputs, one fault that a quarter of the pages has, and kills at random moments. It
prints a line for each, and the command that repeats the first one that does not hold.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from integration.chaos.site import LATE_PAGES, PAGES, SICK, Site, serve
from integration.kills.everything import STEPS
from integration.kills.harness import SPIDER as STEP_SPIDER
from integration.kills.results import read_output
from support.environments import environment
from support.processes import DEVNULL, PIPE, Process

from crawler.store.inspect import failed_requests

__all__ = ["OUTPUTS", "Outcome", "crawl", "judge"]

OUTPUTS: Final = (
    "a.jsonl", "b.csv", "c.json", "d.sqlite", "e.jsonl.gz", "f.parquet?rows=17&seconds=0.1", "g-%(n)03d.csv?max_rows=15"
)  # fmt: skip
ENDINGS: Final = {"kill": 10, "pause": 2, "step": 4, "signal": 3, "signal and kill": 3, "full disk": 1}
"""How a run is ended, and how often: by SIGKILL, after SIGSTOP or not, or right after a step of a commit or an output;
by SIGTERM; by both; by a disk of 60 kB."""
SMALL: Final = 60_000
LONGEST: Final = 300.0
"""Seconds of a run, at most."""
RUNS: Final = 4
"""Runs after the last kill, at most: a disk that was full may need one more."""
SPIDER: Final = Path(__file__).with_name("spider.py")
MIN_PAGES: Final = 10
"""Pages of one kind that are a loss if they are more than a tenth of all."""
MAX_SAMPLES: Final = 5
"""URLs of each status, at most."""
FAILURES: Final = {
    "cut_always": "broken_exchange.incomplete",
    "broken": "status_500",
    "loop": "redirect_loop",
    "raises": "callback_error",
}
"""Kinds of failures, by kind of page."""
LOSSES: Final = {"wall": "wall.challenge", "forbidden": "refused", "empty": "empty", "moved": "redirected"}
"""Kinds of losses, by kind of page."""


@attrs.frozen
class Outcome:
    """What came of a crawl, as it is seen from outside."""

    code: int
    report: Mapping[str, Any]
    numbers: Mapping[str, Sequence[int]]
    """The number of each item, by output."""
    failed: Sequence[int]
    """The number of the page of each failed request that the job lists."""
    has_login: bool = False
    """Whether the crawl logged in. A login that is renewed looks at a page, whose response counts as well."""


def judge(site: Site, outcome: Outcome) -> list[str]:
    """Return what is lost, twice, or missing without a word; empty if the crawl holds."""
    return [
        *_of_outputs(site, outcome),
        *_of_report(site, outcome),
        *_of_failed(site, outcome),
        *_of_samples(site, outcome),
    ]


def _of_failed(site: Site, outcome: Outcome) -> list[str]:
    wanted = [page.number for page in site.pages if page.kind in FAILURES]
    if sorted(outcome.failed) == wanted:
        return []
    return [f"the job lists failures of {sorted(outcome.failed)} instead of {wanted}"]


def _of_samples(site: Site, outcome: Outcome) -> list[str]:
    """Pages that are gone are named: all of them, or five of each status."""
    found = []
    for status, odd in (("404", 1), ("410", 0)):
        gone = {page.number for page in site.pages if page.kind == "gone" and page.number % 2 == odd}
        shown = {_number(url) for url in outcome.report["samples"].get(f"status_{status}", ())}
        if len(shown) < min(MAX_SAMPLES, len(gone)) or not shown <= gone:
            found.append(f"the report names {sorted(shown)} with status {status}, of {sorted(gone)}")
    return found


def _number(url: str) -> int:
    """Return the number of the page at a URL."""
    return int(urlsplit(url).path.split("/")[2])


def _of_outputs(site: Site, outcome: Outcome) -> list[str]:
    wanted = Counter(site.numbers())
    found = []
    for output, numbers in outcome.numbers.items():
        given = Counter(numbers)
        if lost := wanted - given:
            found.append(f"{output}: lost {sorted(lost)}")
        if extra := given - wanted:
            found.append(f"{output}: twice or wrong {sorted(extra)}")
    return found


def _of_report(site: Site, outcome: Outcome) -> list[str]:
    report, found = outcome.report, []
    failed = {kind: site.count(name) for name, kind in FAILURES.items() if site.count(name)}
    named = Counter(report["kinds"])
    for kind, count in failed.items():
        if sum(n for name, n in named.items() if name.startswith(kind)) != count:
            found.append(f"{count} pages failed by {kind}, the report has {dict(named)}")
        elif not any(name.startswith(kind) and urls for name, urls in report["samples"].items()):
            found.append(f"no URL is named of {kind}")
    if report["failed"] != sum(failed.values()):
        found.append(f"{sum(failed.values())} pages failed, the report has {report['failed']}")
    gone = sum(report["statuses"].get(status, 0) for status in ("404", "410"))
    for name, count in (("wall", report["filtered"].get("wall.challenge", 0)), ("gone", gone)):
        extra = count - site.count(name)
        if extra < 0 or (extra > 0 and not outcome.has_login):  # a login may have looked at one as well
            found.append(f"{site.count(name)} pages are {name}, the report has {count}")
    losses = {loss["kind"]: loss for loss in report["losses"]}
    for name, kind in LOSSES.items():
        count = site.count(name)
        if count >= MIN_PAGES and count > 0.1 * (PAGES + LATE_PAGES) and losses.get(kind, {}).get("count") != count:
            found.append(f"{count} pages are lost by {kind}, the report has {list(losses.values())}")
        if count < MIN_PAGES and kind in losses:
            found.append(f"{count} pages are no loss by {kind}, the report has {losses[kind]}")
    if report["items"] != sum(1 for _ in site.numbers()):
        found.append(f"the report counts {report['items']} items")
    if outcome.code != (4 if failed or losses else 0):
        found.append(f"exit code {outcome.code} with {len(losses)} losses and {report['failed']} failures")
    return found


class Crawl:
    """A job that is killed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.sick = SICK[seed % len(SICK)]
        self.site = Site(seed, self.sick)
        self.needs_login = self.chance.random() < 0.3
        self.late = self.chance.choice((0.0, 1.0, 2.0))
        self.kills: Counter[str] = Counter()
        self._folder = folder
        (folder / STEP_SPIDER.name).write_bytes(STEP_SPIDER.read_bytes())
        self._settings = {
            "per_host": self.chance.choice((2, 4, 8)), "slow_start": "false",
            "durability": self.chance.choice(("process", "process", "power")),
        }  # fmt: skip

    def run(self, kills: int) -> list[str]:
        """Kill runs of the job, then let it end. Return what does not hold."""
        with serve(self.site.seed, self.sick, needs_login=self.needs_login, late=self.late) as (front, late):
            words = self._words(front, late)
            for _ in range(kills):
                self._end_one(words)
            for _ in range(RUNS):
                code, said = self._wait(self._start(words))
                if code not in (1, 130):
                    break
        report = json.loads((self._folder / "report.json").read_bytes()) if code in (0, 4) else {}
        if not report:
            return [f"exit code {code}: {said}"]
        numbers = {name: [number for _, number in read_output(self._folder / name)] for name in OUTPUTS}
        failed = [_number(row.url) for row in failed_requests(self._folder / "job")]
        return judge(self.site, Outcome(code, report, numbers, failed, self.needs_login))

    def _words(self, front: str, late: str) -> list[str]:
        words = ["-m", "crawler", "run", str(SPIDER), "--job", "job", "--report", "report.json", "--quiet"]
        arguments = {"front": front, "late": late, "needs_login": json.dumps(self.needs_login)}
        arguments["second_pages"] = json.dumps(list(range(PAGES, PAGES + LATE_PAGES)))
        for name, value in arguments.items():
            words += ["-a", f"{name}={value}"]
        for name, value in self._settings.items():
            words += ["-s", f"{name}={value}"]
        return [*words, *(word for name in OUTPUTS for word in ("-o", name))]

    def _start(self, words: list[str], *, small: bool = False) -> Process | subprocess.Popen[str]:
        options: dict[str, Any] = {"cwd": self._folder, "stdout": DEVNULL, "stderr": PIPE}
        if small:
            limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, resource.RLIM_INFINITY))  # noqa: E731
            run = [sys.executable, *words]
            return subprocess.Popen(run, env=environment(limited=True), text=True, preexec_fn=limit, **options)  # noqa: PLW1509
        return Process(words, env=environment(), **options)

    def _wait(self, process: Process | subprocess.Popen[str]) -> tuple[int, str]:
        _, said = process.communicate(timeout=LONGEST)
        assert process.returncode is not None
        return process.returncode, said

    def _end_one(self, words: list[str]) -> None:
        """Start a run, and end it at a random moment."""
        [how] = self.chance.choices(list(ENDINGS), list(ENDINGS.values()))
        step, call = self.chance.choice(list(STEPS)), self.chance.randint(1, 12)
        dies = ["-p", f"{STEP_SPIDER.stem}:Dies", "-P", f"dies.step={step}", "-P", f"dies.call={call}"]
        process = self._start([*words, *(dies if how == "step" else ())], small=how == "full disk")
        if how == "step":
            self.kills[how] += self._wait(process)[0] == -signal.SIGKILL  # else it ended before
            return
        time.sleep(self.chance.choice((self.chance.uniform(0.0, 0.3), self.chance.uniform(0.2, 1.2))))
        if process.poll() is None:
            self.kills[how] += 1
            if how in ("signal", "signal and kill"):
                process.send_signal(signal.SIGTERM)
            if how == "pause":
                process.send_signal(signal.SIGSTOP)
                time.sleep(0.2)
            if how == "signal and kill":
                time.sleep(self.chance.uniform(0.0, 0.3))
            if how != "signal":
                process.send_signal(signal.SIGKILL)
        self._wait(process)


def crawl(seed: int, kills: int, *, keep: Path | None = None) -> tuple[Crawl, list[str]]:
    """Kill one crawl; return it, and what does not hold.

    Parameters:
        seed: Of the site, and of all that is random.
        kills: Number of runs that are ended.
        keep: Folder that takes the job if something does not hold.
    """
    folder = Path(tempfile.mkdtemp(prefix="chaos"))
    try:
        made = Crawl(folder, seed)
        found = made.run(kills)
        if found and keep is not None:
            shutil.copytree(folder, keep / f"seed-{seed}", dirs_exist_ok=True)
    finally:
        shutil.rmtree(folder)
    return made, found


def main() -> int:
    """Kill crawls until there were enough kills."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200, help="number of kills, at least")
    parser.add_argument("--each", type=int, default=8, help="number of runs of each crawl that are ended")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first crawl; the others follow")
    parser.add_argument("--crawls", type=int, default=10_000, help="number of crawls, at most")
    parser.add_argument("--keep", type=Path, help="folder for the jobs that do not hold")
    given = parser.parse_args()
    total: Counter[str] = Counter()
    broken = []
    for seed in range(given.seed, given.seed + given.crawls):
        made, found = crawl(seed, given.each, keep=given.keep)
        total += made.kills
        result = f"{made.sick or 'few faults':11} {made.kills.total():3} kills  {'; '.join(found) or 'holds'}"
        print(f"seed {seed}: {result}", flush=True)  # noqa: T201
        if found:
            broken.append(seed)
        if total.total() >= given.kills:
            break
    print(f"{total.total()} kills ({dict(total)}), {len(broken)} crawls do not hold: {broken}")  # noqa: T201
    if broken:
        print(f"PYTHONPATH=tests python -m integration.chaos.rig --crawls 1 --seed {broken[0]} --each {given.each}")  # noqa: T201
    return bool(broken)


if __name__ == "__main__":
    raise SystemExit(main())
