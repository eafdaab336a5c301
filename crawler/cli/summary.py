"""What is said of a crawl at its end, in a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from crawler.cli.logs import many
from crawler.engine.report import Report

__all__ = ["summary"]

WORDS: Final = {
    "finished": "finished",
    "interrupted": "interrupted",
    "failed": "broke off",
    "max_pages": "finished by max_pages",
    "max_items": "finished by max_items",
    "max_seconds": "finished by max_seconds",
}
SHOWN: Final = 2
"""URLs that are shown of each kind, proxies that failed, and lanes that were held back."""
FORBIDDEN: Final = 403
SUSPICIOUS: Final = 10
"""Pages that are forbidden, at least, beside others that were served: some servers refuse by that."""
NOTABLE: Final = 0.2
"""Share of the time of a crawl for which a lane has to wait to be shown."""


def summary(report: Report, *, outputs: Sequence[str] = (), causes: Mapping[str, str] | None = None) -> str:
    """The lines.

    Parameters:
        report: of the crawl.
        outputs: where its items went.
        causes: by kind of failure, the words of one.
    """
    return "".join(f"{line}\n" for line in _lines(report, outputs, causes or {}))


def _lines(report: Report, outputs: Sequence[str], causes: Mapping[str, str]) -> Iterator[str]:
    how = WORDS.get(report.finished, f"stopped: {report.finished}")
    pages = report.pages - report.earlier.get("pages", 0)
    speed = pages / report.seconds if report.seconds > 0 else 0.0
    yield (
        f"{how}: {many(report.pages, 'page')} and {many(report.items, 'item')} in {report.seconds:.1f} s"
        f" ({speed:.1f} pages/s, {_size(report.bytes)})"
    )
    if report.earlier:
        yield f"  this run  {many(pages, 'page')} of them; the others came in earlier runs of the job"
    if set(report.statuses) - {200}:
        yield f"  statuses  {_counts((str(status), n) for status, n in report.statuses.items())}"
    if report.pages and report.statuses.get(FORBIDDEN, 0) >= SUSPICIOUS:
        setting = """-s 'pacing={"*": {"refusals": [403]}}'"""
        yield f"  forbidden if 403 means too many requests here, {setting} asks again in time"
    if report.filtered:
        yield f"  not made  {_counts(_most(report.filtered))}"
    if not report.pages:  # what was it then that was not asked for?
        for reason in report.filtered:
            yield f"  {reason:8}  {_samples(report, reason)}"
    if report.dropped:
        yield f"  dropped   {_counts(_most(report.dropped))}"
    if report.counters:
        yield f"  counted   {_counts(_most(report.counters))}"
    for kind, n in _most(report.kinds or report.failures):
        cause = f" ({' '.join(causes[kind].split())})" if kind in causes else ""
        shown = _samples(report, kind)
        yield f"  failed    {kind} {n}{cause}{f': {shown}' if shown else ''}"
    bad = [(name, told) for name, told in report.proxies.items() if told["failures"]]
    for name, told in sorted(bad, key=lambda entry: -entry[1]["failures"])[:SHOWN]:
        yield f"  proxy     {name} failed {told['failures']} of {many(told['requests'], 'time')}"
    yield from _held_back(report)
    if outputs:
        yield f"  items in  {', '.join(outputs)}"


def _held_back(report: Report) -> Iterator[str]:
    """The lanes and budgets that waited longest for their limits, where that made the crawl slower."""
    waits = {
        name: {reason: seconds for reason, seconds in lane["waited"].items() if reason != "concurrency"}
        for name, lane in report.lanes.items()
    }
    slow = [(name, waited) for name, waited in waits.items() if sum(waited.values()) > NOTABLE * report.seconds]
    for name, waited in sorted(slow, key=lambda entry: -sum(entry[1].values()))[:SHOWN]:
        lane = report.lanes[name]
        reasons = ", ".join(f"{reason} {seconds:.1f} s" for reason, seconds in _longest(waited))
        quotas = "; ".join(_quota(policy, known) for policy, known in lane["quotas"].items())
        refused = f", {lane['refusals']} refused" if lane["refusals"] else ""
        yield f"  held back {name} by {reasons}{refused}{f' ({quotas})' if quotas else ''}"


def _longest(waited: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(((reason, s) for reason, s in waited.items() if s >= 0.05), key=lambda entry: -entry[1])


def _quota(policy: str, known: Mapping[str, Any]) -> str:
    """A policy in words: ``daily: 95 of 500 a day left``."""
    if known.get("limit") is None:
        return policy
    window = f" in {known['window']:g} s" if known.get("window") else ""
    left = f", {known['remaining']:g} left" if known.get("remaining") is not None else ""
    return f"{policy}: {known['limit']:g}{window}{left}"


def _samples(report: Report, kind: str) -> str:
    """URLs of a kind. Those of ``body_too_large`` are of ``body_too_large.bomb`` too, which has a line of its own."""
    finer = {url for other, urls in report.samples.items() if other.startswith(f"{kind}.") for url in urls}
    return " ".join([url for url in report.samples.get(kind, ()) if url not in finer][:SHOWN])


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The largest counts first."""
    return sorted(counts.items(), key=lambda entry: -entry[1])


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name}: {n}" for name, n in counts)


def _size(n: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000 or unit == "GB":
            break
        n /= 1000
    return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
