"""`Quota`: log the state of servers' quotas, and pause or stop before one is used up."""

from __future__ import annotations

import fnmatch
import logging
import math
import time
from typing import Any

from crawler import ConfigError, Pause, Plugin, QuotaEvent, Stop, Usage

__all__ = ["Quota"]

EVENTS = {
    "forecast": "will be used up before it resets",
    "low": "is low",
    "critical": "will be used up by the requests in flight",
    "policy_changed": "was changed by the server",
}
"""How the log describes the events of a quota."""
MAX_REMEMBERED = 1000
"""Number of messages that are remembered, so that they are not repeated too soon."""
log = logging.getLogger("crawler.quota")


class Quota(Plugin):
    """Logs the events of quotas. At a threshold it logs, pauses the lane until the reset, or stops the crawl.

    Parameters:
        threshold: Share of a limit that is left to others, from 0 to less than 1.
        then: What to do when no more than that is left: ``log``, ``pause`` (until the reset) or ``stop`` (exit code 3).
        policies: The policies to watch, as a glob of their names.
        pause: Seconds to pause if the server does not declare a reset time.
        every: Minimum seconds between two equal messages about a policy.

    Raises:
        ConfigError: An option is out of range.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.1,
        then: str = "log",
        policies: str = "*",
        pause: float = 60.0,
        every: float = 60.0,
    ) -> None:
        if not 0 <= threshold < 1:
            raise ConfigError(f"quota: threshold must be a share from 0 to below 1, not {threshold}")
        if then not in ("log", "pause", "stop"):
            raise ConfigError(f"quota: then must be log, pause or stop, not {then!r}")
        if not 0 <= every <= 86_400:
            raise ConfigError(f"quota: every must be from 0 to 86400 seconds, not {every}")
        if not 0 < pause <= 86_400:
            raise ConfigError(f"quota: pause must be above 0 and at most 86400 seconds, not {pause}")
        self.threshold = threshold
        self.then = then
        self.policies = policies
        self.pause = pause
        self.every = every
        self._logged: dict[tuple[str, str, str], float] = {}

    def measure(self, usage: Usage) -> Pause | Stop | None:
        """Log an event of a quota; after an attempt, check what is left of each quota."""
        if usage.quota is not None:
            if fnmatch.fnmatchcase(usage.quota.policy, self.policies):
                self._log_event(usage.scope, usage.quota)
            return None
        action: Pause | Stop | None = None
        for scope, policies in usage.quotas.items():
            for name, known in policies.items():
                if fnmatch.fnmatchcase(name, self.policies) and self._is_short(known):
                    action = self._act(scope, name, known) or action
        return action

    def _log_event(self, scope: str, event: QuotaEvent) -> None:
        if not self._is_due(scope, event.policy, event.kind):
            return
        if event.kind == "recovered":
            log.warning("%s accepts requests again", scope)
            return
        left = f", {event.remaining:g} left" if event.remaining is not None else ""
        limit = f" of {event.limit:g}" if event.limit is not None else ""
        reset = f", resets at {_clock(event.reset_at)}" if event.reset_at is not None else ""
        breach = f", used up at {_clock(event.breach_at)}" if event.breach_at is not None else ""
        words = EVENTS.get(event.kind, event.kind)
        log.warning("%s: quota %s%s %s%s%s%s", scope, event.policy, limit, words, left, breach, reset)

    def _is_due(self, scope: str, policy: str, what: str) -> bool:
        """Return whether a message was not logged recently, and remember that it is logged now."""
        now, key = self.crawl.clock(), (scope, policy, what)
        if now - self._logged.get(key, -math.inf) < self.every:
            return False
        self._logged.pop(key, None)  # keeps the order by time
        self._logged[key] = now
        if len(self._logged) > MAX_REMEMBERED:
            del self._logged[next(iter(self._logged))]
        return True

    def _is_short(self, known: dict[str, Any]) -> bool:
        """Return whether no more of a quota is left than the threshold."""
        limit, remaining = known.get("limit"), known.get("remaining")
        return limit is not None and remaining is not None and limit > 0 and remaining <= self.threshold * limit

    def _act(self, scope: str, name: str, known: dict[str, Any]) -> Pause | Stop | None:
        """Log that a quota is short, and return the action that the options ask for."""
        reset_at = known.get("reset_at")
        if self._is_due(scope, name, "short"):
            log.warning("%s: quota %s has %g of %g left", scope, name, known["remaining"], known["limit"])
        if self.then == "stop":
            return Stop(f"quota {name} of {scope}")
        if self.then == "pause":
            wait = reset_at - self.crawl.clock() if reset_at is not None else self.pause
            return Pause(wait, scope) if wait > 0 else None
        return None


def _clock(at: float) -> str:
    """Return a time of day in the local time zone, with the date unless it is near."""
    day = time.strftime("%Y-%m-%d ", time.localtime(at)) if abs(at - time.time()) > 43_200 else ""
    return day + time.strftime("%H:%M:%S", time.localtime(at))
