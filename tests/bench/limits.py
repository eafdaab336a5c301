"""Crawlers against real rate-limiting servers: refusals, lost pages and seconds, in one table.

::

    apt-get install nginx-light haproxy nodejs npm
    python3 -m venv others && others/bin/pip install scrapy 'crawlee[httpx]' aiolimiter httpx httpx-retries
    python tests/bench/limits.py --python others/bin/python [--rows nginx-req ...] [--columns ours scrapy ...]

The servers are those of ``tests/integration/rate_limiters/catalogue.py`` that refuse with a 429 or a 503, in the
environment of the tests; the other crawlers have an environment of their own, and the cache of the servers gets
Bottleneck. All crawlers fetch the same hundred known URLs and do not know the limit; only httpx with aiolimiter and
fetch with Bottleneck, which read no header fields, are configured with the quota. Each run has its own fresh server and
is ended after three minutes.

A cell is **refusals / lost pages / seconds**. Refusals are counted by the server. Seconds are from its log, from the
first request to the last page that it served, so start-up is excluded; they mean little if pages were lost.

``--models`` runs this framework alone, against models of servers (``tests/support/limit_models.py``, each written from
a page of documentation) in virtual time: crawls and clients, with default settings and with ten requests at once. The
time is divided by the least that a client needs that knows everything::

    python tests/bench/limits.py --models [NAME ...] [--seeds 20]
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from integration.rate_limiters.catalogue import PAGES, SERVERS, Server  # noqa: E402
from integration.rate_limiters.packages import node_modules  # noqa: E402
from integration.rate_limiters.servers import serving  # noqa: E402
from measure import positive  # noqa: E402
from support.limit_models import MODELS  # noqa: E402
from support.model_table import WAYS, print_models  # noqa: E402

LONGEST = 180.0
"""Maximum duration of one run, in seconds."""
ROWS = [name for name, server in SERVERS.items() if server.refusal != 403]
"""The servers whose refusals all crawlers can know as such."""
FOLDER = Path(__file__).parent / "limits_contenders"
INSTALL = "pip install scrapy 'crawlee[httpx]' aiolimiter httpx httpx-retries"


@dataclass(frozen=True)
class Contender:
    """A crawler, as a command."""

    title: str
    file: str
    """The name of its program in ``limits_contenders``."""
    needs: tuple[str, ...] = ()
    """The packages of PyPI that it needs; empty for this framework, and for a program of Node.js."""
    throttle: bool = False
    """Whether its own mechanism against refusals is turned on."""
    knows_limit: bool = False
    """Whether it is configured with the limit of the server."""

    def command(self, python: str, front: str, server: Server) -> list[str]:
        """Return the command to run."""
        program = "node" if self.file.endswith(".js") else python if self.needs else sys.executable
        words = [program, str(FOLDER / self.file), front]
        if self.throttle:
            words.append("--throttle")
        if self.knows_limit:
            words += [f"--quota={quota.requests}/{quota.seconds:g}" for quota in server.quotas]
            words += [f"--at-once={server.at_once}"] if server.at_once else []
        return words


CONTENDERS = {
    "ours": Contender("this framework", "ours.py"),
    "scrapy": Contender("Scrapy", "scrapy_pages.py", ("scrapy",)),
    "autothrottle": Contender("Scrapy, AutoThrottle", "scrapy_pages.py", ("scrapy",), throttle=True),
    "crawlee": Contender("Crawlee", "crawlee_pages.py", ("crawlee",)),
    "throttling": Contender("Crawlee, throttling", "crawlee_pages.py", ("crawlee",), throttle=True),
    "retries": Contender("httpx-retries", "httpx_retries_pages.py", ("httpx", "httpx-retries")),
    "aiolimiter": Contender("httpx + aiolimiter", "httpx_pages.py", ("httpx", "aiolimiter"), knows_limit=True),
    "bottleneck": Contender("fetch + Bottleneck", "bottleneck_pages.js", knows_limit=True),
}


@dataclass(frozen=True)
class Run:
    """One crawler against one server."""

    refused: int
    lost: int
    seconds: float
    cut_off: bool
    """Whether the run was ended after the maximum duration."""
    said: str
    """Standard error, if the crawler failed."""


def run(contender: Contender, name: str, python: str) -> Run:
    """Start a server, run the contender against it, and count."""
    with tempfile.TemporaryDirectory(prefix="contender-") as folder, serving(name) as (running,):
        output, errors = Path(folder, "output"), Path(folder, "errors")
        command = contender.command(python, running.page(""), running.server)
        modules = {"NODE_PATH": str(node_modules(source=FOLDER / "node"))} if command[0] == "node" else {}
        # A session of its own, so that its child processes are ended with it.
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | modules,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            code = process.wait(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        counts = running.stop()
        lines = output.read_text(errors="replace").splitlines()
        got = {line for line in lines if line.startswith("got ")}
        said = "" if code in (0, None) else f"ended with {code}: {errors.read_text(errors='replace')[-1000:]}"
        return Run(counts.refused, PAGES - len(got), counts.seconds, code is None, said)


def cell(runs: Sequence[Run]) -> str:
    """Return the medians of some runs as text."""
    refused, lost = (round(median(getattr(run, what) for run in runs)) for what in ("refused", "lost"))
    mark = " (cut off)" if any(run.cut_off for run in runs) else " (failed)" if any(run.said for run in runs) else ""
    return f"{refused} / {lost} / {median(run.seconds for run in runs):.1f}{mark}"


def versions(python: str, packages: Sequence[str]) -> str:
    """Return the versions of some packages in the environment of an interpreter.

    Raises:
        SystemExit: A package is missing.
    """
    code = "import sys, importlib.metadata as m; print(*(f'{p} {m.version(p)}' for p in sys.argv[1:]), sep=', ')"
    done = subprocess.run([python, "-c", code, *packages], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        wanted = ", ".join(packages)
        raise SystemExit(f"{python} does not have all of {wanted}; in an environment of their own: {INSTALL}")
    return done.stdout.strip()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", default=sys.executable, help="interpreter that has the other crawlers (this one)")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, help="servers (all)")
    parser.add_argument("--columns", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), help="crawlers (all)")
    parser.add_argument("--rounds", type=positive, default=1, help="runs for each cell, which has their medians (1)")
    parser.add_argument(
        "--jobs", type=positive, default=4, help="runs at the same time: nearly all of each is waiting (4)"
    )
    parser.add_argument("--models", nargs="*", choices=MODELS, help="run models of servers, all or these, instead")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="ways to run models (all)")
    parser.add_argument("--seeds", type=positive, default=20, help="runs of each model, in each way (20)")
    options = parser.parse_args()
    if options.models is not None:
        print_models(options.models or list(MODELS), ways=options.ways, seeds=options.seeds, jobs=options.jobs)
        return
    columns = {name: CONTENDERS[name] for name in options.columns}
    python = str(Path(options.python).absolute())
    packages = sorted({package for contender in columns.values() for package in contender.needs})
    print(f"trio-crawler {version('trio-crawler')}", *([versions(python, packages)] if packages else []), sep=", ")

    runs: dict[tuple[str, str], list[Future[Run]]] = {}
    with ThreadPoolExecutor(options.jobs) as pool:
        for row in options.rows:
            for column, contender in columns.items():
                turns = range(options.rounds)
                runs[row, column] = [pool.submit(run, contender, row, python) for _ in turns]
    done = {place: [future.result() for future in futures] for place, futures in runs.items()}

    print("refusals / pages lost / seconds\n")
    print("| server | shortest |", " | ".join(contender.title for contender in columns.values()), "|")
    print("| --- " * (len(columns) + 2) + "|")
    for row in options.rows:
        cells = " | ".join(cell(done[row, column]) for column in columns)
        print(f"| {row} | {SERVERS[row].minimum():.1f} | {cells} |")
    for (row, column), found in done.items():
        for said in {run.said for run in found if run.said}:
            print(f"\n{columns[column].title} against {row} {said}")


if __name__ == "__main__":
    main()
