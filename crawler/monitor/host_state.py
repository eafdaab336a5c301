"""The state of a host in words: ``waiting for quota, 41 s``."""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

from crawler.hooks.crawl_statistics import LaneStatistics
from crawler.limits.throttle_statistics import ThrottleStatistics

__all__ = ["IN_TURN", "SOON", "HostState", "duration", "state_of"]

HostState: TypeAlias = Literal["fetching", "waiting", "down", "done"]
"""``fetching``: requests are in flight; ``waiting``: none may start yet; ``down``: it cannot be reached; ``done``."""

SOON: Final = 0.5
"""Seconds. Shorter waits are not worth a word."""
IN_TURN: Final = "next in turn"
"""Words for a host whose requests wait for those of other hosts."""
REASONS: Final = {"quota": "for quota", "pace": "for its rate", "delay": "for its delay"}
"""Words for the limits that a request may wait for; see `ThrottleStatistics.blocked_by`."""


def state_of(
    lane: LaneStatistics, limit: ThrottleStatistics | None, now: float, attempts: int
) -> tuple[HostState, str]:
    """Return the state of a host, and the same in words with the reason."""
    has_work = lane.waiting > 0 or lane.has_more
    wait = -math.inf if limit is None else limit.ready_at - now
    reason = "" if limit is None else limit.blocked_by
    if reason == "outage":
        return "down", f"cannot be reached, {_next_try(wait)}"
    if reason == "pause":
        return "waiting", "paused" if wait == math.inf else f"paused for {duration(wait)}"
    if lane.robots:
        return _robots(lane, wait)
    if has_work and reason == "refusal":
        return "waiting", f"refused, {_next_try(wait)}"
    if has_work and reason in REASONS and SOON <= wait < math.inf:  # an endless wait is for a request in flight
        return "waiting", f"waiting {REASONS[reason]}, {duration(wait)}"
    return _unlimited(lane, limit, now, attempts)


def _robots(lane: LaneStatistics, wait: float) -> tuple[HostState, str]:
    if lane.robots == "fetching":
        return "fetching", "fetching robots.txt"
    return "waiting", f"robots.txt failed, {_next_try(wait)}"


def _unlimited(
    lane: LaneStatistics, limit: ThrottleStatistics | None, now: float, attempts: int
) -> tuple[HostState, str]:
    """Return the state of a host that no limit holds back."""
    has_work = lane.waiting > 0 or lane.has_more
    if lane.in_flight:
        most = "" if limit is None or limit.concurrency < lane.in_flight else f" of {limit.concurrency}"
        return "fetching", f"{lane.in_flight}{most} in flight"
    if not has_work:
        return "done", "nothing waits"
    if lane.attempts and lane.ready_at - now >= SOON:
        most = f" of {attempts}" if lane.attempts < attempts else ""
        return "waiting", f"attempt {lane.attempts + 1}{most} in {duration(lane.ready_at - now)}"
    return "waiting", IN_TURN


def _next_try(wait: float) -> str:
    if wait == math.inf:
        return "waiting for an answer"
    return f"next try in {duration(wait)}" if wait >= SOON else "trying now"


def duration(seconds: float) -> str:
    """Return seconds in words: ``41 s``, ``3 min``, ``2 h 5 min``, ``3 d``."""
    if seconds < 99.5:
        return f"{max(0.0, seconds):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(hours / 24)} d"
