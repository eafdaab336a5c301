"""The live view of a crawl in a terminal: a few lines of text, made from a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from crawler.cli.logs import size
from crawler.cli.progress_line import one_line
from crawler.monitor import Host, QuotaGauge, Snapshot
from crawler.monitor.host_state import duration

__all__ = ["HOSTS", "live_view"]

HOSTS: Final = 5
"""Maximum number of hosts shown."""
PROBLEMS: Final = 2
"""Maximum number of kinds of failures shown."""
NAME: Final = 32
"""Maximum width of the name of a host, in columns."""
BAR: Final = 10
"""Characters of the gauge of a quota."""
LOW: Final = 0.2
"""Share of a quota below which it is shown as low."""
MANY_HOSTS: Final = 2
"""From this number of hosts on, each has a line even if it is only fetching."""
STYLES: Final = {"fetching": "green", "waiting": "yellow", "down": "red", "done": "dim"}


def live_view(now: Snapshot, width: int, height: int, *, named: bool = False) -> Text:
    """Return the lines of the live view, for a terminal of this size. It takes at most half of the rows."""
    lines = [_cut(Text(one_line(now, named=named), style="bold" if now.stopping is None else "bold yellow"), width)]
    if now.waiting or now.failed or now.retries:
        lines.append(_cut(Text(_second_line(now), style="dim"), width))
    lines += [_cut(line, width) for line in _hosts(now)]
    lines += [_cut(line, width) for line in _problems(now)]
    return Text("\n").join(lines[: max(1, height // 2)])


def _second_line(now: Snapshot) -> str:
    """Return the estimated time left, and the less important counts."""
    parts = []
    if now.seconds_left is not None and now.seconds >= 5 and now.stopping is None:
        parts.append(f"{duration(now.seconds_left)} left for what waits now")
    parts.append(f"{size(now.body_bytes)}, {size(now.bytes_per_second)}/s")
    if now.retries:
        parts.append(f"retries: {now.retries}")
    if now.filtered:
        parts.append(f"{now.filtered} skipped")
    return "  " + " · ".join(parts)


def _hosts(now: Snapshot) -> Iterator[Text]:
    """Yield a line for each host that has something to show."""
    listed = now.hosts[:HOSTS]
    shown = [host for host in listed if host.state != "done"]
    if len(shown) < MANY_HOSTS:
        shown = [host for host in shown if host.state != "fetching" or host.quotas]
    width = min(max((cell_len(_name(host)) for host in shown), default=0), NAME)
    for host in shown:
        line = Text(f"  {set_cell_size(_name(host), width)}  ")
        line.append(host.words, style=STYLES[host.state])
        for gauge in host.quotas[:2]:
            line.append("  ")
            line.append_text(_gauge(gauge, now.time))
        yield line
    if now.host_count > len(listed):
        yield Text(f"  and {now.host_count - len(listed)} other hosts", style="dim")


def _name(host: Host) -> str:
    return host.name.partition("://")[2] or host.name


def _gauge(gauge: QuotaGauge, now: float) -> Text:
    """Return a quota as a bar: ``daily ████░░░░░░ 38 of 100, resets in 41 s``."""
    text = Text(f"{gauge.policy} ")
    if gauge.remaining is not None and gauge.limit > 0:
        share = min(1.0, max(0.0, gauge.remaining / gauge.limit))
        full = round(share * BAR)
        text.append("█" * full + "░" * (BAR - full), style="red" if share <= LOW else "green")
        text.append(f" {gauge.remaining:g} of {gauge.limit:g}")
    else:
        text.append(f"{gauge.limit:g}")
    if gauge.unit != "requests":
        text.append(f" {gauge.unit}")
    if gauge.remaining is None and gauge.window:
        text.append(f" per {duration(gauge.window)}")
    if gauge.used_up_at is not None:
        text.append(f", used up in {duration(gauge.used_up_at - now)}", style="yellow")
    if gauge.reset_at is not None and gauge.reset_at > now:
        text.append(f", resets in {duration(gauge.reset_at - now)}")
    return text


def _problems(now: Snapshot) -> Iterator[Text]:
    """Yield a line for each of the latest kinds of failures."""
    for problem in now.problems[:PROBLEMS]:
        text = Text("  ")
        text.append(f"{problem.kind} ×{problem.count}", style="red")
        text.append(f" {problem.url}: {problem.message}")
        yield text


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line
