"""`Report`: the result of a crawl, as counts and as JSON. `Timer` makes one."""

from __future__ import annotations

import builtins
import html
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from crawler.errors import ConfigError
from crawler.losses.find import Loss

if TYPE_CHECKING:
    from crawler.stats import LaneStats, Stats

__all__ = ["Report", "Timer"]


@attrs.frozen(kw_only=True, repr=False)
class Report:
    """The result of a crawl. A notebook shows it as a table."""

    finished: str
    """Why the crawl ended: ``finished``, ``max_pages``, ``interrupted``, …, or the reason given to `stop`."""
    spider: str
    """The name of the spider."""
    pages: int
    """Number of responses whose callback succeeded."""
    items: int
    """Number of committed items."""
    requests: int
    """Number of attempts that were sent."""
    retries: int
    """Number of attempts that were followed by another one."""
    failed: int
    """Number of requests that failed after all attempts, and of pages whose handler raised."""
    filtered: dict[str, int]
    """Number of requests that were not made, by reason."""
    dropped: dict[str, int]
    """Number of items that plugins dropped, by reason."""
    failures: dict[str, int]
    """The number `failed`, by kind of error."""
    samples: dict[str, list[str]]
    """A few URLs of each kind of failure, coarse and fine, of each reason in `filtered`, and of each status from 400
    that no callback accepts (``status_404``)."""
    counters: dict[str, int]
    """Counters of the spider and the plugins."""
    bytes: int
    """Size of all decoded bodies, in bytes."""
    seconds: float
    """Time from start to end, in seconds."""
    cpu_seconds: float
    """CPU time of the process between start and end, in seconds."""
    peak_rss: int
    """Largest resident memory of the process so far, in bytes; 0 if the system does not say."""
    statuses: dict[int, int]
    """Number of responses, by HTTP status code."""
    lanes: dict[str, dict[str, Any]]
    """By lane or budget: `requests`, `refusals`, `waited` (seconds by reason, in this run), `quotas` and, if
    there were any, the latest `events` of these and the `checks`, which are requests that were sent only to find out
    whether the network is up."""
    waiting: int = 0
    """Number of requests that were left when the crawl ended. A job keeps them for its next run."""
    incomplete: int = 0
    """Number of `pages` whose body was cut, with the setting ``incomplete="keep"``."""
    redirects: int = 0
    """Number of responses that redirect, including those to known or refused URLs."""
    proxies: dict[str, dict[str, int]] = attrs.field(factory=dict)
    """By proxy, as host and port: its `requests` and its own `failures` in this run."""
    earlier: dict[str, int] = attrs.field(factory=dict)
    """`pages`, `items` and `requests` of earlier runs of the job, and of its other workers, which the counts above
    include."""
    kinds: dict[str, int] = attrs.field(factory=dict)
    """The number `failed`, by finer kinds where they are known, such as ``connect_failed.refused``."""
    stopped_by_limit: bool = False
    """Whether a quota, a budget or `max_errors` ended it (exit code 3)."""
    interrupted: bool = False
    """Whether a signal ended it (exit code 130)."""
    no_pages: str = ""
    """Why no start page gave a page (exit code 4), in one line; empty if there is a page, or an item. JSON
    has it only in the first case."""
    problems: list[str] = attrs.field(factory=list)
    """What is wrong with the result, in a line each: what plugins have reported (exit code 1), then the `losses`."""
    losses: list[Loss] = attrs.field(factory=list)
    """What the crawl has lost, judged from its counts (exit code 4)."""

    def __repr__(self) -> str:
        pages = f"{self.pages} page{'s' if self.pages != 1 else ''}"
        items = f"{self.items} item{'s' if self.items != 1 else ''}"
        counts = f"{pages}, {items}, {self.failed} failed in {self.seconds:.1f} s"
        return f"<Report {self.spider}: {'no pages' if self.no_pages else self.finished}: {counts}>"

    def _repr_html_(self) -> str:
        """Return the report as a small table, for notebooks."""
        rows = {
            "spider": self.spider, "finished": self.finished, "no pages": self.no_pages, "pages": self.pages,
            "items": self.items, "requests": self.requests, "retries": self.retries, "failed": self.failed,
            "failures": _counted(self.kinds or self.failures), "statuses": _counted(self.statuses),
            "skipped": _counted(self.filtered), "dropped": _counted(self.dropped), "counters": _counted(self.counters),
            "seconds": f"{self.seconds:.1f}", "problems": "; ".join(self.problems),
        }  # fmt: skip
        cells = (
            f"<tr><th>{name}</th><td>{html.escape(str(value))}</td></tr>" for name, value in rows.items() if value != ""
        )
        return f"<table>{''.join(cells)}</table>"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        fields: dict[str, Any] = msgspec.to_builtins(self, str_keys=True)
        without = {"stopped_by_limit", "interrupted"} | (set() if self.no_pages else {"no_pages"})
        return {name: value for name, value in fields.items() if name not in without}

    def to_json(self) -> builtins.bytes:
        """Return the report as JSON text, indented."""
        return msgspec.json.format(msgspec.json.encode(self.to_dict()), indent=2) + b"\n"

    def exit_code(self, tolerate: str = "0") -> int:
        """Return the exit code of the command line.

        It is 0 (finished), 1 (a plugin has reported a problem), 3 (stopped by a limit), 4 (more failures than
        tolerated, no page at all, or `losses`) or 130 (interrupted).

        Parameters:
            tolerate: Number of failures that are tolerated, or their share of pages and failures, such as ``5%``.

        Raises:
            ConfigError: `tolerate` is neither.
        """
        max_failed = tolerated(tolerate, self.pages + self.failed)
        if self.interrupted:
            return 130
        if len(self.problems) > len(self.losses):
            return 1
        if self.stopped_by_limit:
            return 3
        return 4 if self.failed > max_failed or self.no_pages or self.losses else 0


def _counted(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name}: {n}" for name, n in counts.items())


def tolerated(text: str, requests: int) -> float:
    """Return the number of failures that ``N`` or ``P%`` tolerates."""
    number = text.strip().removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf") or (text.strip().endswith("%") and value > 100):
        raise ConfigError(f"not a number of failures, nor a share of them: {text!r} (write 10 or 5%)")
    return requests * value / 100 if text.strip().endswith("%") else value


class Timer:
    """Measures a crawl from now on."""

    def __init__(self, clock_now: float, stats: Stats | None = None) -> None:
        self._started = clock_now
        self._earlier = {} if stats is None else _main_counts(stats)
        self._cpu = time.process_time()

    def add_workers(self, own: Stats, total: Stats) -> None:
        """Note that the counts of the report are those of all workers of the job."""
        mine = _main_counts(own)
        others = {name: count - mine.get(name, 0) for name, count in _main_counts(total).items()}
        self._earlier = {name: count for name, count in others.items() if count}

    def report(self, stats: Stats, *, now: float, others_cpu: float = 0.0, **fields: Any) -> Report:
        """Return the report of a crawl that ends now."""
        return Report(
            pages=stats.pages,
            items=stats.items,
            requests=stats.requests,
            retries=stats.retries,
            incomplete=stats.incomplete,
            redirects=stats.redirects,
            failed=stats.failed,
            filtered=dict(stats.filtered),
            dropped=dict(stats.dropped),
            failures=dict(stats.failures),
            kinds=dict(stats.kinds),
            samples=stats.samples,
            counters=dict(stats.counters),
            bytes=stats.bytes,
            seconds=now - self._started,
            cpu_seconds=time.process_time() - self._cpu + others_cpu,
            peak_rss=_peak_rss(),
            statuses=dict(sorted(stats.statuses.items())),
            lanes={name: _counts_of(lane) for name, lane in stats.lanes.items()},
            earlier=self._earlier,
            **fields,
        )


def _main_counts(stats: Stats) -> dict[str, int]:
    """Return the counts that runs and workers are compared by, without zeros."""
    counts = {"pages": stats.pages, "items": stats.items, "requests": stats.requests}
    return {name: count for name, count in counts.items() if count}


def _counts_of(lane: LaneStats) -> dict[str, Any]:
    """Return the counts of a lane as JSON values; few lanes have events."""
    counts: dict[str, Any] = msgspec.to_builtins(lane)
    if not counts["events"]:
        del counts["events"]
    return counts


def _peak_rss() -> int:
    """Return the largest resident memory of this process, in bytes; 0 if the system does not say.

    `getrusage` includes the memory of the parent before `exec`. On Linux, ``VmHWM`` counts this program alone.
    """
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii", errors="replace") if status.exists() else ""
    found = re.search(r"^VmHWM:\s*([0-9]+) kB$", lines, re.MULTILINE)
    if found is not None:
        return int(found[1]) * 1024
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return 0
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return rss if sys.platform == "darwin" else rss * 1024
