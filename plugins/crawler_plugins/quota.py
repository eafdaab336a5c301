"""`Quota`: tells how the quotas of servers stand, and pauses or stops before one is used up."""

from __future__ import annotations

import fnmatch
import logging
import math
import time
from typing import Any

from crawler import ConfigError, Pause, Plugin, QuotaEvent, Stop, Usage

__all__ = ["Quota"]

TOLD = {
    "forecast": "will be used up before it resets",
    "low": "is low",
    "critical": "is all on its way",
    "policy_changed": "is what the server allows now",
}
MOST = 1000
"""Things that are remembered to have been said."""
log = logging.getLogger("crawler.quota")


class Quota(Plugin):
    """Logs what becomes of quotas; at a threshold it pauses the lane until the reset, or stops the crawl.

    Parameters:
        threshold: share of a limit, 0 to 1: what is left for others.
        then: what to do when no more than that is left: ``log``, ``pause`` (until the reset) or ``stop`` (exit code 3).
        policies: which policies it heeds: a glob of their names.
        pause: seconds to pause where the server names no reset.
        every: seconds in which the same is said once of a policy, however short its windows are.

    Raises:
        ConfigError: an option is out of range.
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
            raise ConfigError(f"quota: threshold must be a share from 0 to less than 1, not {threshold}")
        if then not in ("log", "pause", "stop"):
            raise ConfigError(f"quota: then must be log, pause or stop, not {then!r}")
        if not 0 <= every <= 86_400:
            raise ConfigError(f"quota: every must be seconds, up to a day, not {every}")
        if not 0 < pause <= 86_400:
            raise ConfigError(f"quota: pause must be seconds, up to a day, not {pause}")
        self.threshold = threshold
        self.then = then
        self.policies = policies
        self.pause = pause
        self.every = every
        self._said: dict[tuple[str, str, str], float] = {}

    def measure(self, usage: Usage) -> Pause | Stop | None:
        """After every attempt, and for each event of a quota."""
        if usage.quota is not None:
            if fnmatch.fnmatchcase(usage.quota.policy, self.policies):
                self._tell(usage.scope, usage.quota)
            return None
        answer: Pause | Stop | None = None
        for scope, policies in usage.quotas.items():
            for name, known in policies.items():
                if fnmatch.fnmatchcase(name, self.policies) and self._is_short(known):
                    answer = self._act(scope, name, known) or answer
        return answer

    def _tell(self, scope: str, event: QuotaEvent) -> None:
        if not self._is_due(scope, event.policy, event.kind):
            return
        if event.kind == "recovered":
            log.warning("%s answers again", scope)
            return
        left = f", {event.remaining:g} left" if event.remaining is not None else ""
        limit = f" of {event.limit:g}" if event.limit is not None else ""
        reset = f", resets at {_clock(event.reset_at)}" if event.reset_at is not None else ""
        breach = f", used up at {_clock(event.breach_at)}" if event.breach_at is not None else ""
        words = TOLD.get(event.kind, event.kind)
        log.warning("%s: quota %s%s %s%s%s%s", scope, event.policy, limit, words, left, breach, reset)

    def _is_due(self, scope: str, policy: str, what: str) -> bool:
        """Whether it was not said lately; what was said longest ago is forgotten when there is much of it."""
        now, key = self.crawl.clock(), (scope, policy, what)
        if now - self._said.get(key, -math.inf) < self.every:
            return False
        self._said.pop(key, None)  # to the end of the order
        self._said[key] = now
        if len(self._said) > MOST:
            del self._said[next(iter(self._said))]
        return True

    def _is_short(self, known: dict[str, Any]) -> bool:
        limit, remaining = known.get("limit"), known.get("remaining")
        return limit is not None and remaining is not None and limit > 0 and remaining <= self.threshold * limit

    def _act(self, scope: str, name: str, known: dict[str, Any]) -> Pause | Stop | None:
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
    """A moment as people read it, in their own time zone."""
    day = time.strftime("%Y-%m-%d ", time.localtime(at)) if abs(at - time.time()) > 43_200 else ""
    return day + time.strftime("%H:%M:%S", time.localtime(at))
