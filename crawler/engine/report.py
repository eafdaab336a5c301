"""`Report`: what a crawl did, for people and for machines."""

from __future__ import annotations

import builtins
import re
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from crawler.errors import ConfigError

if TYPE_CHECKING:
    from crawler.stats import Stats

__all__ = ["Report", "Timer"]


@attrs.frozen(kw_only=True)
class Report:
    """What a crawl did."""

    finished: str
    """Why it ended: ``finished``, ``max_pages``, ``interrupted``, …, or the word of who stopped it."""
    spider: str
    """The name of the spider."""
    pages: int
    """Answers whose callback succeeded."""
    items: int
    """Items that were kept."""
    requests: int
    """Attempts that were sent."""
    retries: int
    """Attempts that were followed by another one."""
    failed: int
    """Requests that could not be had after all attempts, and pages whose handler raised."""
    filtered: dict[str, int]
    """Requests that were not made, by reason."""
    dropped: dict[str, int]
    """Items that a plugin did not want, by its word."""
    failures: dict[str, int]
    """What `failed` counts, by kind of error."""
    samples: dict[str, list[str]]
    """A few URLs of each kind of failure, coarse and fine, and of each reason in `filtered`."""
    counters: dict[str, int]
    """What spiders and plugins counted."""
    bytes: int
    """Decoded bytes of all bodies."""
    seconds: float
    """Seconds from start to end."""
    cpu_seconds: float
    """Seconds of CPU that the process used meanwhile."""
    peak_rss: int
    """Bytes: the most memory that the process has had resident."""
    statuses: dict[int, int]
    """Answers by HTTP status."""
    lanes: dict[str, dict[str, Any]]
    """By lane: `requests`, `refusals`, `waited` (seconds by reason, in this run) and `quotas`."""
    redirects: int = 0
    """Answers that led elsewhere, whether that was new and in scope or not."""
    proxies: dict[str, dict[str, int]] = attrs.field(factory=dict)
    """By proxy, as host and port: `requests` that it was given in this run, and `failures` of its own."""
    earlier: dict[str, int] = attrs.field(factory=dict)
    """Of a job that was continued: `pages`, `items` and `requests` of earlier runs, which are in the counts above."""
    kinds: dict[str, int] = attrs.field(factory=dict)
    """What `failed` counts, as finely as is known: ``connect_failed.refused``, ``fetch_timeout.deadline``."""
    stopped_by_limit: bool = False
    """Whether a quota, a budget or `max_errors` ended it (exit code 3)."""
    interrupted: bool = False
    """Whether a signal ended it (exit code 130)."""

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        fields: dict[str, Any] = msgspec.to_builtins(self, str_keys=True)
        return {name: value for name, value in fields.items() if name not in ("stopped_by_limit", "interrupted")}

    def to_json(self) -> builtins.bytes:
        """The report as JSON."""
        return msgspec.json.format(msgspec.json.encode(self.to_dict()), indent=2) + b"\n"

    def exit_code(self, tolerate: str = "0") -> int:
        """0 finished · 3 stopped by a limit · 4 more failures than tolerated · 130 interrupted.

        Parameters:
            tolerate: failures that are fine: a number, or a share of pages and failures such as ``5%``.

        Raises:
            ConfigError: `tolerate` is neither.
        """
        most = tolerated(tolerate, self.pages + self.failed)
        if self.interrupted:
            return 130
        if self.stopped_by_limit:
            return 3
        return 4 if self.failed > most else 0


def tolerated(text: str, requests: int) -> float:
    """How many failures ``N`` or ``P%`` allows among `requests`.

    Raises:
        ConfigError: it is neither.
    """
    number = text.strip().removesuffix("%")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf") or (text.strip().endswith("%") and value > 100):
        raise ConfigError(f"not a number of failures, nor a share of them: {text!r} (write 10 or 5%)")
    return requests * value / 100 if text.strip().endswith("%") else value


class Timer:
    """Measures a crawl from now on.

    Parameters:
        clock_now: seconds, by the clock of the crawl.
        stats: its counts, which those of earlier runs may be in.
    """

    def __init__(self, clock_now: float, stats: Stats | None = None) -> None:
        self._started = clock_now
        counts = ("pages", "items", "requests")
        self._earlier = {name: getattr(stats, name) for name in counts if stats is not None and getattr(stats, name)}
        self._cpu = time.process_time()

    def report(self, stats: Stats, *, now: float, **fields: Any) -> Report:
        """The report of a crawl that ends now.

        Parameters:
            stats: its counts.
            now: seconds, by the clock that it started with.
            fields: the other fields of the report.
        """
        return Report(
            pages=stats.pages,
            items=stats.items,
            requests=stats.requests,
            retries=stats.retries,
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
            cpu_seconds=time.process_time() - self._cpu,
            peak_rss=_peak_rss(),
            statuses=dict(sorted(stats.statuses.items())),
            lanes={name: attrs.asdict(lane) for name, lane in stats.lanes.items()},
            earlier=self._earlier,
            **fields,
        )


def _peak_rss() -> int:
    """Bytes of memory that this process held at its peak.

    What the system counts for a process begins, where it was started by a large one, with what that one held; Linux
    tells it for the memory of this program alone.
    """
    status = Path("/proc/self/status")
    told = status.read_text(encoding="ascii", errors="replace") if status.exists() else ""
    found = re.search(r"^VmHWM:\s*([0-9]+) kB$", told, re.MULTILINE)
    if found is not None:
        return int(found[1]) * 1024
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return rss if sys.platform == "darwin" else rss * 1024
