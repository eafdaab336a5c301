"""`Quota`: send alerts of servers' quotas, and pause or stop before one is used up."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any, Literal

from crawler import ConfigError, Crawl, Pause, Plugin, QuotaEvent, Stop, Usage
from crawler_plugins.alerts import Alerts, alert_of

__all__ = ["Quota"]

MAX_REMEMBERED = 1000
"""Number of messages that are remembered, so that they are not repeated too soon."""
LOW = "low"
"""Key of the quotas that are low, in the state of the plugin."""


class Quota(Plugin):
    """Sends an alert when a quota is low, or will be used up before it resets; can pause the lane or stop the crawl.

    A quota is low while no more than the threshold is left. Each time it becomes low, one alert is logged, and sent to
    the command and the webhook. The report counts the alerts.

    Parameters:
        threshold: Share of a limit, from 0 to less than 1, at which a quota is low.
        then: What to do while a quota is low: only ``log``, ``pause`` (until the reset) or ``stop`` (exit code 3).
        policies: The policies to watch, as a glob of their names.
        pause: Seconds to pause if the server does not declare a reset time.
        every: Minimum seconds between two equal alerts about a policy.
        command: A command that gets each alert as JSON on standard input. No shell interprets it.
        shell: Whether ``/bin/sh`` runs the command.
        webhook: A URL that gets each alert as JSON in a POST; its field ``text`` is what Slack shows. It is kept
            secret: ``env:NAME`` reads it from the environment.

    Raises:
        ConfigError: An option is out of range.
    """

    transport: Any = None
    """The httpx transport of the webhook; `None` means libcurl."""
    reports_quotas = True

    def __init__(
        self,
        *,
        threshold: float = 0.2,
        then: Literal["log", "pause", "stop"] = "log",
        policies: str = "*",
        pause: float = 60.0,
        every: float = 60.0,
        command: str = "",
        shell: bool = False,
        webhook: str = "",
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
        self._alerts = Alerts("quota", command=command, shell=shell, webhook=webhook, transport=self.transport)
        self._sent: dict[tuple[str, str, str], float] = {}
        self._low: dict[tuple[str, str], None] = {}

    @asynccontextmanager
    async def lifespan(self, crawl: Crawl) -> AsyncIterator[None]:
        """Send alerts while the crawl runs. A job remembers which quotas are low, so that a new run does not repeat."""
        self._low = dict.fromkeys((scope, policy) for scope, policy in self.state.get(LOW, ()))
        async with self._alerts.running():
            yield
        self.state[LOW] = [list(key) for key in self._low]

    def measure(self, usage: Usage) -> Pause | Stop | None:
        """Send an alert for an event of a quota; after an attempt, check what is left of each quota."""
        event = usage.quota
        if event is not None:
            if event.kind != "low" and fnmatch.fnmatchcase(event.policy, self.policies):
                self._send(usage.scope, event)
            return None
        action: Pause | Stop | None = None
        for scope, policies in usage.quotas.items():
            for name, known in policies.items():
                if fnmatch.fnmatchcase(name, self.policies) and self._is_low(known):
                    action = self._act(scope, name, known) or action
                else:
                    self._low.pop((scope, name), None)
        return action

    def _is_low(self, known: dict[str, Any]) -> bool:
        """Return whether no more of a quota is left than the threshold."""
        limit, remaining = known.get("limit"), known.get("remaining")
        return limit is not None and remaining is not None and limit > 0 and remaining <= self.threshold * limit

    def _act(self, scope: str, name: str, known: dict[str, Any]) -> Pause | Stop | None:
        """Send an alert if a quota has become low, and return the action that the options ask for."""
        reset_at = known.get("reset_at")
        if (scope, name) not in self._low:
            self._low[scope, name] = None
            if len(self._low) > MAX_REMEMBERED:
                del self._low[next(iter(self._low))]
            numbers = {key: known.get(key) for key in ("limit", "remaining", "reset_at")}
            self._send(scope, QuotaEvent(kind="low", policy=name, scope=scope, **numbers))
        if self.then == "stop":
            return Stop(f"quota {name} of {scope}")
        if self.then == "pause":
            wait = reset_at - self.crawl.clock() if reset_at is not None else self.pause
            return Pause(wait, scope) if wait > 0 else None
        return None

    def _send(self, scope: str, event: QuotaEvent) -> None:
        if self._is_due(scope, event.policy, event.kind):
            name = f"quota {event.policy} of {scope}" if event.policy else f"quota of {scope}"
            Context().run(self.crawl.count, f"{name}: {event.kind}")  # an alert is not an effect of a page
            self._alerts.send(alert_of(event, scope, self.crawl.spider.name))

    def _is_due(self, scope: str, policy: str, what: str) -> bool:
        """Return whether an alert was not sent recently, and remember that it is sent now."""
        now, key = self.crawl.clock(), (scope, policy, what)
        if now - self._sent.get(key, -math.inf) < self.every:
            return False
        self._sent.pop(key, None)  # keeps the order by time
        self._sent[key] = now
        if len(self._sent) > MAX_REMEMBERED:
            del self._sent[next(iter(self._sent))]
        return True
