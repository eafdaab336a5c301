"""The limiter alone against servers at random, which no rule was made for, and the marks that it has to hold.

::

    python tests/bench/limit_families.py [FAMILY ...] [--runs 1000] [--seed N] [--ways crawl client] [--tree PATH ...]
    python tests/bench/limit_families.py --share          what every change runs: a few minutes at most
    python tests/bench/limit_families.py --noticed        what a user of a real site would notice
    python tests/bench/limit_families.py --list           the names of the families

Each server is drawn from its family by a seed (``tests/support/limit_families.py``). Each run of this program
draws another seed, so that nothing can be tuned to it, and prints it: ``--seed`` repeats it. A run is one lane in
virtual time (``tests/support/limit_drive.py``), as a crawl or a client sends, with default settings or ten workers.

The table has for each family: runs; pages lost; refusals by pages in the median; runs with more than eleven refusals;
time divided by that of a client that knows everything, in the median and at the 90th and 95th percentile; µs of CPU for
each answer in the median, of which the drive and the server take about 30. A run that lost pages took for ever. The
exit code is 1 if a mark is missed.

``--noticed`` has servers whose parameters are fixed (``tests/support/noticed_servers.py``): bans, wrong times, penalty
boxes, and what else made a crawl lose its pages or take many times as long. What is refused at random has its mark as
the share of the possible throughput, which is the least time by the time.

``--tree`` runs the limiter of another checkout against the same servers; several trees are compared in one table.
``--again`` has the second run against each server, an hour later, with what the first one has learned.
``--worst`` lists the worst runs, by family, seed and way.
"""
# ruff: noqa: T201  # a program that prints

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import attrs

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from measure import positive  # noqa: E402
from support.limit_families import FAMILIES, draw  # noqa: E402
from support.noticed_servers import NOTICED  # noqa: E402

WAYS: Final = ("crawl", "crawl, 10", "client", "client, 10")
"""The ways of `support.limit_drive`, which imports the limiter that is judged."""
MANY: Final = 11
"""Refusals that are few."""
SHARE: Final = 4
"""Runs of each family in `--share`."""
SIGMAS: Final = 2.33
"""Standard deviations of a share by which chance may miss a mark: it does once in a hundred runs of a limiter that just
holds it."""
SLACK: Final = 1.02
"""Factor by which a median may miss one by chance."""
EACH: Final = 40
"""Runs of each server in `--noticed`: 25 seeds are the mark's own, and each of the ways has ten."""
TWICE: Final = ((0.9, 2.0),)
TOLD_WRONG: Final = ((0.9, 10.0),)
NOTICED_MARKS: Final[dict[str, tuple[tuple[float, float], ...]]] = dict.fromkeys(NOTICED, TWICE) | {
    "a stated reset a day ahead": TOLD_WRONG,
    "Retry-After: 600 where 10 s are right": TOLD_WRONG,
    "3 % random 429s": ((0.5, 1 / 0.85),),
    "10 % random 429s": ((0.5, 1 / 0.7), (1.0, 1 / 0.4)),
}
"""Time by the least time, at most, for a share of the runs."""


class Job(NamedTuple):
    """One run to be made."""

    family: str
    seed: int
    way: str
    again: bool
    """Whether it is the second run, with what the first one has learned."""


@attrs.frozen(kw_only=True)
class Result:
    """One run that was made."""

    job: Job
    pages: int
    refused: int
    lost: int
    seconds: float
    least: float
    others_refused: int
    is_cut: bool
    cpu: float
    kind: str
    """As `FamilyServer.kind`."""

    @property
    def ratio(self) -> float:
        """Time by the least; infinite if pages were lost."""
        return math.inf if self.lost else self.seconds / self.least


# ---- runs ------------------------------------------------------------------------------------------------------------


def work() -> None:
    """Make the runs that standard input names, with the `crawler` of the tree that is the working directory."""
    from support.limit_drive import drive, drive_again  # noqa: PLC0415

    import crawler  # noqa: PLC0415 - only here, where the tree is chosen

    assert Path(crawler.__file__).is_relative_to(Path.cwd()), f"{crawler.__file__} is not in {Path.cwd()}"
    for line in sys.stdin:
        family, seed, way, again = json.loads(line)
        server = draw(family, seed, FAMILIES | NOTICED)
        run = (drive_again if again else drive)(server, way)
        found = {name: getattr(run, name) for name in RUN_FIELDS}
        print(json.dumps(found | {"kind": server.kind}), flush=True)


RUN_FIELDS: Final = ("pages", "refused", "lost", "seconds", "least", "others_refused", "is_cut", "cpu")


def run_all(tree: Path, jobs: Sequence[Job], processes: int) -> list[Result]:
    """Make runs in several processes, with the limiter of a tree."""
    environment = os.environ | {"PYTHONPATH": f"{tree}{os.pathsep}{tree / 'plugins'}", "PYTHONHASHSEED": "0"}
    parts = [jobs[number::processes] for number in range(processes)]
    workers = [
        subprocess.Popen(
            [sys.executable, __file__, "--work"],
            env=environment,
            cwd=tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in parts
    ]
    found: dict[Job, Result] = {}
    for worker, part in zip(workers, parts, strict=True):
        assert worker.stdin is not None
        worker.stdin.write("".join(json.dumps(job) + "\n" for job in part))
        worker.stdin.close()
    for worker, part in zip(workers, parts, strict=True):
        assert worker.stdout is not None
        for job, line in zip(part, worker.stdout, strict=False):
            found[job] = Result(job=job, **json.loads(line))
        if worker.wait():
            sys.exit(f"a run of {tree} failed: {part[sum(job in found for job in part)]}")
    return [found[job] for job in jobs]


def jobs_of(families: Sequence[str], count: int, seed: int, ways: Sequence[str], *, again: bool = False) -> list[Job]:
    """Return the runs: the families in turn, each with the ways in turn."""
    return [
        Job(families[number % len(families)], 100_000 * seed + number, ways[number // len(families) % len(ways)], again)
        for number in range(count)
    ]


# ---- marks -----------------------------------------------------------------------------------------------------------


class Mark(NamedTuple):
    """What has to hold over all runs that it concerns."""

    title: str
    concerns: Callable[[Result], bool]
    holds: Callable[[Result], bool]
    share: float
    """Of the runs that it concerns, at least."""


def _is(*kinds: str) -> Callable[[Result], bool]:
    return lambda one: one.kind in kinds


_is_right: Final = _is("silent", "declared", "in part", "random")
MARKS: Final = (
    Mark("no page is lost", lambda one: True, lambda one: not one.lost, 1.0),
    Mark("at most twice the least time", _is_right, lambda one: one.ratio <= 2.0, 0.95),
    Mark("at most 1.10 times the least time", _is_right, lambda one: one.ratio <= 1.10 * SLACK, 0.5),
    Mark("stated times are wrong: at most ten times the least time", _is("wrong"), lambda one: one.ratio <= 10.0, 0.95),
    Mark(
        "silent: refusals are at most 5 % of the pages",
        _is("silent"),
        lambda one: one.refused <= 0.05 * one.pages * SLACK,
        0.5,
    ),
    Mark("silent: at most 11 refusals", _is("silent"), lambda one: one.refused <= MANY, 0.85),
    Mark("declared: no refusal", _is("declared"), lambda one: not one.refused, 0.97),
)


def judged(results: Sequence[Result]) -> Iterator[tuple[Mark, int, int, bool]]:
    """Yield each mark, how many runs hold it, of how many, and whether it holds but for chance."""
    for mark in MARKS:
        concerned = [one for one in results if mark.concerns(one)]
        if concerned:
            good, count = sum(map(mark.holds, concerned)), len(concerned)
            chance = SIGMAS * math.sqrt(mark.share * (1.0 - mark.share) / count)
            yield mark, good, count, good / count >= mark.share - chance


# ---- tables ----------------------------------------------------------------------------------------------------------


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values is."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def cells(results: Sequence[Result]) -> list[str]:
    """Return the figures of some runs."""
    ratios = [one.ratio for one in results]
    return [
        f"{len(results)}",
        f"{sum(one.lost for one in results)}",
        f"{100.0 * median(one.refused / one.pages for one in results):.1f} %",
        f"{sum(one.refused > MANY for one in results)}",
        *(f"{value:.2f}" for value in (median(ratios), percentile(ratios, 0.9), percentile(ratios, 0.95))),
        f"{1e6 * median(one.cpu / (one.pages + one.refused) for one in results):.0f}",
    ]


HEAD: Final = ("runs", "lost", "refused, median", f"> {MANY}", "time / least, median", "90 %", "95 %", "µs")


def _of(name: str) -> Callable[[Result], bool]:
    return lambda one: one.job.family == name


def groups(results: Sequence[Result]) -> dict[str, Callable[[Result], bool]]:
    """Return the rows of the table: the families, then all of a kind."""
    names = dict.fromkeys(one.job.family for one in results)
    rows = {name: _of(name) for name in names}
    if len(names) > 1:
        rows |= {f"**{kind}**": _is(kind) for kind in dict.fromkeys(one.kind for one in results)} | {
            "**all**": lambda one: True,
        }
    return rows


def print_table(results: Sequence[Sequence[Result]]) -> None:
    """Print the table; cells of several trees are side by side."""
    print("| family |", " | ".join(HEAD), "|")
    print("| --- |" + " ---: |" * len(HEAD))
    for name, belongs in groups(results[0]).items():
        found = [cells(part) for whole in results if (part := [one for one in whole if belongs(one)])]
        if found:
            runs, *others = zip(*found, strict=True)
            print("|", name, "|", " | ".join([runs[0], *map(" · ".join, others)]), "|")


def print_marks(trees: Sequence[Path], results: Sequence[Sequence[Result]]) -> bool:
    """Print the marks. Return whether the first tree holds them all."""
    is_good = True
    for number, (tree, found) in enumerate(zip(trees, results, strict=True)):
        print(f"\n{tree}:")
        for mark, good, count, holds in judged(found):
            verdict = "holds" if holds else "MISSED"
            marked = f"{100.0 * good / count:5.1f} % of {count} (mark: {100.0 * mark.share:g} %)"
            print(f"  {verdict:6}  {marked}  {mark.title}")
            is_good &= holds or number > 0
    return is_good


def print_worst(results: Sequence[Result], count: int) -> None:
    """Print the runs that took the longest by the least, and those with most refusals."""
    for title, key in (("time / least", lambda one: one.ratio), ("refusals", lambda one: one.refused)):
        print(f"\nworst by {title}:")
        for one in sorted(results, key=key, reverse=True)[:count]:
            print(
                f"  {one.job.family!r} {one.job.seed} {one.job.way!r}: {one.refused} refused, {one.lost} lost of"
                f" {one.pages}, {one.seconds:.1f} s / {one.least:.1f} s = {one.ratio:.2f}"
            )


def print_noticed(results: Sequence[Result]) -> bool:
    """Print the table of what a user notices, and the marks. Return whether all hold."""
    head = ("runs", "lost", "refused, median", "most", "time / least, median", "90 %", "most", "marks")
    print("| server |", " | ".join(head), "|")
    print("| --- |" + " ---: |" * len(head))
    is_good = True
    for name, marks in NOTICED_MARKS.items():
        found = [one for one in results if one.job.family == name]
        if not found:
            continue
        ratios, refused, lost = (
            [one.ratio for one in found],
            [one.refused for one in found],
            sum(one.lost for one in found),
        )
        said = []
        for share, bound in marks:
            holds = not lost and percentile(ratios, share) <= bound
            is_good &= holds
            said.append(f"{'holds' if holds else 'MISSED'}: {bound:.2f} at {100.0 * share:g} %")
        times = (median(ratios), percentile(ratios, 0.9), max(ratios))
        cells = (len(found), lost, f"{median(refused):.0f}", max(refused), *(f"{value:.2f}" for value in times))
        print("|", name, "|", " | ".join(map(str, cells)), "|", "; ".join(said), "|")
    return is_good


def main() -> None:
    """Run, print and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("families", nargs="*", metavar="FAMILY", help="families (all)")
    parser.add_argument("--runs", type=positive, help="runs in all (1000)")
    parser.add_argument("--seed", type=int, help="the seed of an earlier run, to repeat it")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="how to fetch (all, in turn)")
    parser.add_argument("--tree", nargs="+", type=Path, default=[ROOT], help="checkouts whose limiters run (this one)")
    parser.add_argument("--share", action="store_true", help=f"{SHARE} runs of each family")
    parser.add_argument("--noticed", action="store_true", help=f"what a user notices, {EACH} runs of each server")
    parser.add_argument("--again", action="store_true", help="the second run, with what the first one has learned")
    parser.add_argument("--jobs", type=positive, default=2, help="processes (2)")
    parser.add_argument("--worst", type=int, default=0, help="list so many of the worst runs")
    parser.add_argument("--list", action="store_true", help="list the families")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work()
    if options.list:
        return print("\n".join([*FAMILIES, "", *NOTICED]))
    known: Collection[str] = NOTICED if options.noticed else FAMILIES
    for name in options.families:
        if name not in known:
            parser.error(f"no server is named {name!r}; --list lists them")
    families = options.families or list(known)
    usual = EACH * len(families) if options.noticed else SHARE * len(families) if options.share else 1000
    count = options.runs or usual
    seed = random.SystemRandom().randrange(100_000) if options.seed is None else options.seed
    print(f"seed {seed}, {count} runs, {len(families)} kinds of servers, ways: {'; '.join(options.ways)}", flush=True)
    trees = [tree.resolve() for tree in options.tree]
    jobs = jobs_of(families, count, seed, options.ways, again=options.again)
    results = [run_all(tree, jobs, options.jobs) for tree in trees]
    if options.noticed:
        is_good = True
        for tree, found in zip(trees, results, strict=True):
            print(f"\n{tree}:\n")
            is_good &= print_noticed(found) or found is not results[0]
    else:
        print_table(results)
        is_good = print_marks(trees, results)
    if options.worst:
        print_worst(results[0], options.worst)
    sys.exit(not is_good)


if __name__ == "__main__":
    main()
