"""The summary of a crawl: a few lines for its end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from crawler.cli.logs import plural, size
from crawler.engine.report import Report
from crawler.http.address_guard import network_of
from crawler.losses.find import Loss
from crawler.printable import printable_line
from crawler.settings import Settings

__all__ = ["advice_for", "summary"]

ENDINGS: Final = {
    "finished": "finished",
    "interrupted": "interrupted",
    "failed": "failed",
    "max_pages": "finished by max_pages",
    "max_items": "finished by max_items",
    "max_seconds": "finished by max_seconds",
}
"""The words of the summary for the values of `Report.finished`; other values are reasons to stop."""
MAX_SHOWN: Final = 2
"""Maximum number of URLs per kind, of failing proxies, and of lanes that had to wait."""
NOTABLE_WAIT: Final = 0.2
"""Share of the duration of a crawl; a lane that waited longer for its limits is shown."""


LANE: Final = re.compile(r"https?://(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/]+)")
"""The beginning of the name of a lane that is an origin."""
ADDRESS: Final = re.compile(r"[0-9.]+|\[.*\]")
NOT_PUBLIC: Final = frozenset(
    {"arpa", "corp", "example", "home", "internal", "invalid", "lan", "local", "localhost", "onion", "test"}
)
"""Last labels of names that are not in the public DNS (RFC 2606, RFC 6762, RFC 8375, RFC 9476 and usage)."""
ADVICE: Final = "identify yourself, so that the site can contact you: -s user_agent='MyBot/1.0 (+https://my.site/bot)'"


def summary(
    report: Report, *, outputs: Sequence[str] = (), causes: Mapping[str, str] | None = None, job: str = ""
) -> str:
    """Return the summary of a crawl."""
    lines = [*_lines(report, outputs, causes or {}, job)]
    if report.incomplete:
        lines.append(f"  cut       {plural(report.incomplete, 'page')}, kept as far as their bodies came")
    if report.waiting:
        kept = "" if job else "; a crawl with --job DIR keeps them"
        lines.append(f"  left      {plural(report.waiting, 'request')}{kept}")
    if job and (report.interrupted or report.finished == "failed"):
        lines.append(f"  job       {job}: the same command resumes it")
    return "".join(f"{printable_line(line)}\n" for line in lines)


def _lines(report: Report, outputs: Sequence[str], causes: Mapping[str, str], job: str) -> Iterator[str]:
    how = "no pages" if report.no_pages else ENDINGS.get(report.finished, f"stopped: {report.finished}")
    pages = report.pages - report.earlier.get("pages", 0)
    speed = pages / report.seconds if report.seconds > 0 else 0.0
    yield (
        f"{how}: {plural(report.pages, 'page')} and {plural(report.items, 'item')} in {report.seconds:.1f} s"
        f" ({speed:.1f} pages/s, {size(report.bytes)})"
    )
    if report.earlier:
        yield f"  this run  {plural(pages, 'page')}; the others are from other runs of the job"
    if set(report.statuses) - {200}:
        yield f"  statuses  {_counts((str(status), n) for status, n in report.statuses.items())}"
    if report.filtered:
        yield f"  skipped   {_counts(_largest_first(report.filtered))}"
    if report.no_pages:  # the URLs that were skipped explain why
        samples = ((reason, _samples(report, reason)) for reason in report.filtered)
        yield from (f"  {reason:8}  {shown}" for reason, shown in samples if shown)
    if report.losses:  # the log has said more
        yield f"  lost      {', '.join(_count_of(loss) for loss in report.losses)}"
    if report.dropped:
        yield f"  dropped   {_counts(_largest_first(report.dropped))}"
    if report.counters:
        yield f"  counted   {_counts(_largest_first(report.counters))}"
    for kind, n in _largest_first(report.kinds or report.failures):
        cause = f" ({' '.join(causes[kind].split())})" if kind in causes else ""
        shown = _samples(report, kind)
        yield f"  failed    {kind} {n}{cause}{f': {shown}' if shown else ''}"
    yield from _given_up(report.samples.get("unreachable", ()), job)
    failing = [(name, counts) for name, counts in report.proxies.items() if counts["failures"]]
    for name, counts in sorted(failing, key=lambda entry: -entry[1]["failures"])[:MAX_SHOWN]:
        yield f"  proxy     {name} failed for {counts['failures']} of {plural(counts['requests'], 'request')}"
    if len(failing) > MAX_SHOWN:
        yield f"  proxy     {len(failing) - MAX_SHOWN} more failed for some requests"
    yield from _waits(report)
    if outputs:
        yield f"  output    {', '.join(outputs)}"


def _count_of(loss: Loss) -> str:
    return f"{loss.kind}: {loss.count} of {loss.total}" if loss.total else loss.kind


def _given_up(hosts: Sequence[str], job: str) -> Iterator[str]:
    """Yield a line that names the hosts that could not be reached."""
    if hosts:
        then = "the next run of the job tries them again" if job else "with --job, a later run tries them again"
        more = " and others" if len(hosts) > MAX_SHOWN else ""
        yield f"  gave up   {', '.join(hosts[:MAX_SHOWN])}{more}: {then}"


def _waits(report: Report) -> Iterator[str]:
    """Yield a line for each lane and budget that waited long for its limits, the longest first."""
    waits = {
        name: {reason: seconds for reason, seconds in lane["waited"].items() if reason != "concurrency"}
        for name, lane in report.lanes.items()
    }
    long = [(name, waited) for name, waited in waits.items() if sum(waited.values()) > NOTABLE_WAIT * report.seconds]
    for name, waited in sorted(long, key=lambda entry: -sum(entry[1].values()))[:MAX_SHOWN]:
        lane = report.lanes[name]
        reasons = ", ".join(f"{reason} {seconds:.1f} s" for reason, seconds in _longest_first(waited))
        quotas = "; ".join(_quota(policy, known) for policy, known in lane["quotas"].items())
        refused = f", {lane['refusals']} refused" if lane["refusals"] else ""
        yield f"  waited    {name} for {reasons}{refused}{f' ({quotas})' if quotas else ''}"


def _longest_first(waited: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the reasons for which a lane waited at least 0.05 s."""
    return sorted(((reason, s) for reason, s in waited.items() if s >= 0.05), key=lambda entry: -entry[1])


def _quota(policy: str, known: Mapping[str, Any]) -> str:
    """Describe a quota: ``daily: 500 per 86400 s, 95 left``."""
    if known.get("limit") is None:
        return policy
    window = f" per {known['window']:g} s" if known.get("window") else ""
    left = f", {known['remaining']:g} left" if known.get("remaining") is not None else ""
    return f"{policy}: {known['limit']:g}{window}{left}"


def _samples(report: Report, kind: str) -> str:
    """Return URLs of a kind of failure, without those of its finer kinds, which have lines of their own."""
    finer = {url for other, urls in report.samples.items() if other.startswith(f"{kind}.") for url in urls}
    return " ".join([url for url in report.samples.get(kind, ()) if url not in finer][:MAX_SHOWN])


def _largest_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda entry: -entry[1])


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name}: {n}" for name, n in counts)


def advice_for(lanes: Mapping[str, Mapping[str, Any]], settings: Settings) -> str:
    """Return one line of advice for a crawl of a public host that sets no `user_agent`; empty otherwise."""
    if "user_agent" in settings.given:
        return ""
    return ADVICE if any(lane["requests"] and _is_public(name) for name, lane in lanes.items()) else ""


def _is_public(lane: str) -> bool:
    """Return whether a lane is a host on the public internet, as far as its name says."""
    found = LANE.match(lane)
    if found is None:
        return False
    host = found["host"]
    if ADDRESS.fullmatch(host):
        return network_of(host.strip("[]")) == ""
    return "." in host and host.rpartition(".")[2].lower() not in NOT_PUBLIC
