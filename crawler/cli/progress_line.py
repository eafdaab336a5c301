"""`one_line`: the state of a crawl on one line, without a terminal or as the first line of the live view."""

from __future__ import annotations

import math

from crawler.cli.logs import plural
from crawler.monitor import Snapshot
from crawler.monitor.host_state import duration

__all__ = ["one_line"]


def one_line(now: Snapshot, *, named: bool = False) -> str:
    """Return the state of a crawl on one line, most important first; with `named`, after the name of the spider."""
    parts = [
        plural(now.pages, "page"),
        f"{now.pages_per_second:.1f}/s",
        plural(now.items, "item"),
        f"{now.in_flight} in flight",
        f"{now.waiting} waiting",
    ]
    if now.held_by_others:
        parts.append("other workers hold the hosts")
    if not now.in_flight and now.next_start is not None and now.next_start - now.time >= 0.5:
        parts.append(f"next in {duration(now.next_start - now.time)}")
    if now.network_down_since is not None:
        parts.append(f"network down for {duration(now.time - now.network_down_since)}")
    elif now.down:
        parts.append(f"{now.down[0].partition('://')[2] or now.down[0]} down" if len(now.down) == 1 else _down(now))
    if now.failed:
        parts.append(f"{now.failed} failed")
    parts.append(f"{now.seconds // 60:.0f}:{math.floor(now.seconds % 60):02d}")
    ending = "" if now.stopping is None else f"stopping ({now.stopping}), Ctrl-C stops at once: "
    return (f"{now.spider}: " if named else "") + ending + " · ".join(parts)


def _down(now: Snapshot) -> str:
    return f"{len(now.down)} hosts down"
