"""`QuotaEvents`: logs when a quota is low or will be used up before its reset, and keeps the events for the report."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from crawler.limits.backoff import doubled
from crawler.logs import get_logger

if TYPE_CHECKING:
    from crawler.limits.events import QuotaEvent
    from crawler.stats import Stats

__all__ = ["QuotaEvents"]

LOGGED: Final = {"low": "is low", "forecast": "will be used up before its reset"}
"""The events that are logged, in words."""
MAX_REMEMBERED: Final = 1000
"""Events whose last line is remembered: a crawl may meet any number of hosts, and memory must not grow with it."""
log = get_logger("crawler.quota")


class QuotaEvents:
    """Notes the events of all quotas of a crawl."""

    def __init__(self, stats: Stats, *, is_logged: bool) -> None:
        self._stats = stats
        self._is_logged = is_logged
        self._logged: dict[tuple[str, str, str], tuple[int, float]] = {}
        """How often an event was logged, and the time from which on it may be logged again."""

    def note(self, events: Iterable[QuotaEvent], now: float) -> None:
        """Note events at `now` (seconds since the epoch)."""
        for event in events:
            if event.kind in {"refused", "concurrency"}:  # `LaneStats.refusals` counts them
                continue
            self._stats.lane(event.scope).note(_entry(event, now))
            if self._is_logged and _is_notable(event, now) and self._is_due(event, now):
                log.warning("%s", _line(event, now))

    def _is_due(self, event: QuotaEvent, now: float) -> bool:
        """Return whether to log an event: ever more rarely, since short windows are used up repeatedly."""
        key = event.scope, event.policy, event.kind
        lines, due_at = self._logged.get(key, (0, -math.inf))
        if now < due_at:
            return False
        pause = 0.0 if lines < 2 else doubled(lines - 2, base=60.0, cap=1800.0)  # from the fourth line on
        self._logged.pop(key, None)  # keeps the order by time
        self._logged[key] = lines + 1, now + pause
        if len(self._logged) > MAX_REMEMBERED:
            del self._logged[next(iter(self._logged))]
        return True


def _is_notable(event: QuotaEvent, now: float) -> bool:
    """Return whether an event is worth a line."""
    if event.policy in {"undeclared", "hidden"} and (event.limit or 0.0) < 5.0:  # learned, and low from the start
        return False
    # a window of seconds is used up all the time, which is what it is for
    return event.kind in LOGGED and (event.reset_at is None or event.reset_at - now >= 10.0)


def _entry(event: QuotaEvent, now: float) -> dict[str, Any]:
    """Return an event as JSON values, for the report."""
    values = {
        "event": event.kind,
        "policy": event.policy or None,
        "at": round(now, 3),
        "remaining": event.remaining,
        "limit": event.limit,
        "reset_at": event.reset_at,
        "breach_at": event.breach_at,
    }
    return {name: value for name, value in values.items() if value is not None}


def _line(event: QuotaEvent, now: float) -> str:
    left = "" if event.remaining is None else f": {event.remaining:g} left"
    limit = "" if event.limit is None else f" of {event.limit:g}"
    breach = "" if event.breach_at is None else f", used up at {_clock(event.breach_at, now)}"
    reset = "" if event.reset_at is None else f", reset at {_clock(event.reset_at, now)}"
    return f"quota {event.policy} of {event.scope} {LOGGED[event.kind]}{left}{limit}{breach}{reset}"


def _clock(at: float, now: float) -> str:
    """Return a time of day in the local time zone, with the date unless it is near."""
    return time.strftime("%H:%M:%S" if abs(at - now) < 43_200 else "%Y-%m-%d %H:%M:%S", time.localtime(at))
