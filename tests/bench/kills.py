"""Kill durable crawls at random moments, resume them, and count lost and duplicate items.

::

    python tests/bench/kills.py [--crawls 3] [--pages 6000] [--kills 40] [--processes 1] [--seed 1]
    python tests/bench/kills.py --short 1000 [--parallel 2] [--seed 1]
    python tests/bench/kills.py --outputs 100 [--servers] [--parallel 2] [--seed 1]
    python tests/bench/kills.py --fleet 100 [--store postgresql] [--pages 6000] [--seed 1]

Each crawl visits a generated web of twenty hosts with redirects, temporary errors and links out of scope, writes three
outputs, and is killed (``SIGKILL``) several times. Every other crawl commits with ``durability=power``. All lanes have
a delay; that of the last one is a second, longer than the process needs to restart, so the server would notice a crawl
that forgets its starts. The exit code is 1 if a check fails.

With `--short`, small webs are crawled by spiders of every kind, with sinks of every kind, counters and states, until
the runs were ended that many times in total: by SIGKILL, at random moments, while they start, after a pause (SIGSTOP)
and in the shutdown after a signal, and by one to three of SIGINT and SIGTERM.

With `--outputs`, each of these crawls writes outputs of every kind, an archive and the files of its pages; with
`--servers` also to PostgreSQL, MariaDB and an object store. Each item, record and file must be there once, and whole.

With `--fleet`, four workers share one job in the server that `--store` names. Random ones are killed that many times in
total, and a fifth as often stopped (SIGSTOP) for longer than their lease; a tenth as often, the server crashes and
starts again, and the network between one worker and the server is cut, by turns for a shorter time than the lease and
for a longer one. It needs root and iproute2.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from integration.databases.outside import Outside, outside
from integration.databases.servers import postgresql, redis
from integration.fleet.cables import cables
from integration.fleet.fleet import fleet
from integration.kills.everywhere import everywhere
from integration.kills.harness import Figures, durable
from integration.kills.plans import PLANS
from integration.kills.results import read_output
from support.processes import run as run_process

HOSTS = 20
OUTPUTS = ["items.jsonl", "items.json", "items.csv"]
COLUMNS = "{:<16} {:>5} {:>6} {:>6} {:>5} {:>5} {:>9} {:>9} {:>8} {:>7} {:>6}"
NAMES = ("crawl", "kills", "pages", "items", "lost", "twice", "refetched", "in flight", "requests", "early", "wall s")


def crawl(seed: int, pages: int, kills: int, durability: str, processes: int = 1) -> tuple[Figures, int]:
    """Run one crawl, killed and resumed until it is finished; return its figures.

    With more `processes`, those that run callbacks are killed as well; return how many were.

    Raises:
        SystemExit: The outputs differ from each other.
    """
    pacing = {f"127.0.0.{1 + HOSTS}": {"delay": 1.0}}
    settings = {"workers": 32, "delay": 0.02, "pacing": pacing, "durability": durability, "processes": processes}
    with (
        tempfile.TemporaryDirectory(prefix="kills-") as name,
        durable(
            Path(name), seed=seed, hosts=HOSTS, pages=pages, outputs=OUTPUTS, settings=settings, fresh=True
        ) as killed,
    ):
        others: list[int] = []
        with killed.killing_callbacks(random.Random(seed)) if processes > 1 else nullcontext(others) as others:
            killed.run_with_kills(kills, random.Random(seed))
        contents = [read_output(Path(name) / output) for output in OUTPUTS]
        if any(content != contents[0] for content in contents):
            raise SystemExit(f"seed {seed}: the outputs are not the same")
        return killed.figures(), len(others)


SERVERS = {"postgresql": postgresql, "redis": redis, "valkey": partial(redis, "valkey-server")}


def fleet_crawl(store: str, seed: int, pages: int, kills: int) -> Figures:
    """Run one crawl of four workers that share a job; return its figures."""
    settings = {"workers": 8, "delay": 0.02, "grace": 1.0, "durability": "power"}
    with (
        tempfile.TemporaryDirectory(prefix="kills-") as name,
        cables(4) as net,
        SERVERS[store](namespace=net.namespace, host=net.address(0)) as server,
        fleet(Path(name), server, seed=seed, hosts=HOSTS, pages=pages, cables=net, settings=settings) as crawl,
    ):
        crawl.longest = 3600.0
        crawl.run(random.Random(seed), kills=kills, pauses=kills // 5, restarts=kills // 10, cuts=kills // 10)
        return crawl.figures()


def tell(name: str, figures: Figures) -> None:
    """Print a row of the table."""
    print(
        COLUMNS.format(
            name, figures.kills, figures.pages, figures.items, figures.lost, figures.twice, figures.refetches,
            figures.in_flight, figures.requests, figures.early, f"{figures.seconds:.1f}",
        ),
        flush=True,
    )  # fmt: skip


def other_figures(figures: Figures) -> str:
    """Return the figures that have no column."""
    return (
        f"wrong items {figures.wrong}, miscounted {figures.miscounted}, out of scope {figures.trespasses}, "
        f"robots.txt forgotten {figures.forgotten}"
    )


def short_crawl(seed: int) -> tuple[str, Figures]:
    """Run one short crawl, ended in every way and resumed until it is finished; return its name and its figures.

    If a check fails, the folder of the crawl is kept and named.
    """
    chance = random.Random(seed)
    name = list(PLANS)[seed % len(PLANS)]
    settings = {
        "workers": chance.choice((2, 8, 32)),
        "delay": chance.choice((0, 0, 0.01)),
        "grace": chance.choice((0.05, 0.3)),
        "durability": chance.choice(("process", "power")),
    }
    folder = Path(tempfile.mkdtemp(prefix=f"kills-{seed}-"))
    size = {"hosts": chance.randint(2, 6), "pages": chance.randint(40, 100)}
    plugins = ["Counts", "ByKey", "ByPosition"]
    with durable(
        folder,
        seed=seed,
        **size,
        outputs=OUTPUTS,
        settings=settings,
        plan=PLANS[name],
        plugins=plugins,
        drag=chance.choice((0.0, 0.02)),
    ) as ended:
        try:
            ended.run_with_endings(chance.randint(4, 12), chance)
            figures = ended.figures()
            contents = [read_output(folder / output) for output in OUTPUTS]
            if not figures.holds() or any(content != contents[0] for content in contents):
                raise AssertionError(figures)
        except Exception as error:
            error.add_note(f"seed {seed} ({name}), in {folder}")
            raise
    shutil.rmtree(folder)
    return f"{seed} {name}", figures


def crawl_with_outputs(seed: int, servers: Outside | None) -> tuple[str, Figures]:
    """Run one crawl with outputs of every kind, ended in every way and resumed; return its name and its figures.

    If a check fails, the folder of the crawl is kept and named.
    """
    chance = random.Random(seed)
    settings = {
        "workers": chance.choice((2, 8, 32)),
        "grace": chance.choice((0.05, 0.3, 1.0)),
        "durability": chance.choice(("process", "power")),
        "sink_lag": chance.choice((10, 10_000)),
    }
    folder = Path(tempfile.mkdtemp(prefix=f"kills-{seed}-"))
    size = {"hosts": chance.randint(2, 6), "pages": chance.randint(40, 100)}
    try:
        with everywhere(
            folder,
            seed=seed,
            **size,
            settings=settings,
            drag=chance.choice((0.0, 0.02)),
            elsewhere=servers.places(f"items_{seed}") if servers is not None else None,
        ) as ended:
            ended.run_with_endings(chance.randint(4, 12), chance)
            figures = ended.figures()
    except BaseException as error:
        error.add_note(f"seed {seed}, in {folder}")
        raise
    shutil.rmtree(folder)
    return str(seed), figures


def short_crawls(
    endings: int, parallel: int, seed: int, crawl: Callable[[int], tuple[str, Figures]]
) -> Iterator[tuple[str, Figures]]:
    """Run short crawls, some at a time, until they were ended `endings` times in total."""
    seeds = iter(range(seed, sys.maxsize))
    with ThreadPoolExecutor(parallel) as threads:
        running: set[Future[tuple[str, Figures]]] = set()
        while endings > 0:
            while len(running) < parallel:
                running.add(threads.submit(crawl, next(seeds)))
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for one in ended:
                name, figures = one.result()
                endings -= figures.kills
                yield name, figures
        for one in running:
            yield one.result()


def run_short(endings: int, parallel: int, seed: int, crawl: Callable[[int], tuple[str, Figures]]) -> None:
    """Run the short crawls, and print a row for all that ended since the last one."""
    run_process(["-m", "crawler", "--version"], cwd=Path.cwd(), env={})  # starts the server of processes, once
    total, part, number = Figures(), Figures(), 0
    for number, (_, figures) in enumerate(short_crawls(endings, parallel, seed, crawl), 1):
        total, part = total + figures, part + figures
        if number % 25 == 0:
            tell(f"{number} crawls", part)
            part = Figures()
    tell("together", total)
    print(f"{number} crawls; {other_figures(total)}")


def main() -> None:
    """Run the crawls and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--crawls", type=int, default=3)
    parser.add_argument("--pages", type=int, default=6000, help="of each web; some of them cannot be reached (6000)")
    parser.add_argument("--kills", type=int, default=40, help="over all crawls (40)")
    parser.add_argument("--processes", type=int, default=1, help="that run callbacks; if several, they are killed, too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", type=int, default=0, help="end short crawls this many times instead")
    parser.add_argument("--outputs", type=int, default=0, help="end crawls with all outputs this many times instead")
    parser.add_argument("--fleet", type=int, default=0, help="kill workers that share a job this many times instead")
    parser.add_argument("--store", choices=SERVERS, default="postgresql", help="for --fleet (postgresql)")
    parser.add_argument("--servers", action="store_true", help="run databases and an object store for --outputs")
    parser.add_argument("--parallel", type=int, default=2, help="short crawls at the same time (2)")
    options = parser.parse_args()
    print(COLUMNS.format(*NAMES))
    if options.short:
        run_short(options.short, options.parallel, options.seed, short_crawl)
        return
    if options.fleet:
        figures = fleet_crawl(options.store, options.seed, options.pages, options.fleet)
        tell(f"4 workers, {options.store}", figures)
        print(other_figures(figures))
        raise SystemExit(0 if figures.holds() else 1)
    if options.outputs:
        with outside() if options.servers else nullcontext() as servers:
            run_short(options.outputs, options.parallel, options.seed, partial(crawl_with_outputs, servers=servers))
        return
    total = Figures()
    holds, callbacks = True, 0
    for number in range(options.crawls):
        durability = "power" if number % 2 else "process"
        kills = options.kills // options.crawls + (number < options.kills % options.crawls)
        figures, killed = crawl(options.seed + number, options.pages, kills, durability, options.processes)
        callbacks += killed
        tell(f"{options.seed + number} {durability}", figures)
        total += figures
        holds = holds and figures.holds() and figures.kills == kills
    tell("together", total)
    print(other_figures(total))
    if options.processes > 1:
        print(f"processes that ran callbacks and were killed: {callbacks}")
    raise SystemExit(0 if holds else 1)


if __name__ == "__main__":
    main()
