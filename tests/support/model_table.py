"""A table of models of servers: refusals, lost pages and time of crawls and clients, beside the least possible."""
# ruff: noqa: T201  # it prints

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import Final, Literal

import attrs
from support.limit_models import MODELS
from support.model_server import Run, run

__all__ = ["WAYS", "Cell", "print_models", "totals"]

WAYS: Final[dict[str, tuple[Literal["crawl", "client"], int | None]]] = {
    "crawl": ("crawl", None),
    "crawl, 10": ("crawl", 10),
    "client": ("client", None),
    "client, 10": ("client", 10),
}
"""The sender of the requests, and how many of them the user wants in flight; `None`: the default."""
MARKS: Final = {True: (1.03, 1.1, 0), False: (1.1, 1.25, 11)}
"""What is demanded where limits are declared, and where they are not: time by the least time in the median and at the
95th percentile, and refusals."""


@attrs.frozen
class Cell:
    """The runs of one model in one way, with different seeds."""

    runs: Sequence[Run]

    def __str__(self) -> str:
        return f"{self.refused} / {self.lost} / {self.ratio:.2f} ({self.late:.2f})"

    @property
    def refused(self) -> int:
        """Refusals of the run at the 95th percentile."""
        return sorted(run.refused for run in self.runs)[_late(len(self.runs))]

    @property
    def lost(self) -> int:
        """Pages that were not served, in all runs."""
        return sum(run.lost for run in self.runs)

    @property
    def ratio(self) -> float:
        """Time divided by the least possible, in the median; infinite if pages are lost."""
        return math.inf if self.lost else median(run.ratio for run in self.runs)

    @property
    def late(self) -> float:
        """The same at the 95th percentile."""
        return math.inf if self.lost else sorted(run.ratio for run in self.runs)[_late(len(self.runs))]

    def holds(self, *, declared: bool) -> bool:
        """Return whether the marks for declared or silent limits are held."""
        typical, late, refused = MARKS[declared]
        return self.lost == 0 and self.ratio <= typical and self.late <= late and self.refused <= refused


def _late(count: int) -> int:
    return min(count - 1, int(0.95 * count))


def _cell(name: str, way: str, seeds: int) -> Cell:
    by, at_once = WAYS[way]
    logging.getLogger("crawler").setLevel(logging.ERROR)  # warnings about quotas and waits would hide the table
    return Cell([run(MODELS[name], seed, by=by, at_once=at_once) for seed in range(seeds)])


def _rows(names: Sequence[str], ways: Sequence[str], seeds: int, jobs: int) -> Iterator[tuple[str, dict[str, Cell]]]:
    with ProcessPoolExecutor(jobs) as pool:
        cells = {name: {way: pool.submit(_cell, name, way, seeds) for way in ways} for name in names}
        for name, row in cells.items():
            yield name, {way: cell.result() for way, cell in row.items()}


def print_models(names: Sequence[str], *, ways: Sequence[str], seeds: int, jobs: int) -> None:
    """Run models and print a table, with a star at each cell that misses its marks."""
    runs: dict[bool, list[Run]] = {True: [], False: []}
    print("refusals (95th percentile) / pages lost in all runs / time by the least time: median (95th percentile)\n")
    print("| server | | least, s |", " | ".join(ways), "|")
    print("| --- " * (len(ways) + 3) + "|")
    missed = dict.fromkeys(ways, 0)
    for name, row in _rows(names, ways, seeds, jobs):
        declared = MODELS[name].declared
        texts = []
        for way, cell in row.items():
            holds = cell.holds(declared=declared)
            missed[way] += not holds
            runs[declared] += cell.runs
            texts.append(f"{cell}{'' if holds else ' *'}")
        least = median(run.least for cell in row.values() for run in cell.runs)
        print(f"| {name} | {'declared' if declared else 'silent'} | {least:.1f} |", " | ".join(texts), "|", flush=True)
    print(f"\n{len(names)} models, {seeds} seeds; cells that miss their marks:", missed)
    print(*totals(runs[True], declared=True), *totals(runs[False], declared=False), sep="\n")


def totals(runs: Sequence[Run], *, declared: bool) -> Iterator[str]:
    """Yield what all runs of the models whose limits are declared, or are not, show together, as a line of text."""
    if not runs:
        return
    most = MARKS[declared][2]
    few, cell = sum(run.refused <= most for run in runs), Cell(runs)
    yield (
        f"{'declared' if declared else 'silent'}: {len(runs)} runs, {100.0 * few / len(runs):.1f} % with "
        f"{f'at most {most}' if most else 'no'} refusals, "
        f"time by the least time {cell.ratio:.3f} in the median and {cell.late:.3f} at the 95th percentile, "
        f"{cell.lost} pages lost"
    )
