"""`Network`: whether the network of this machine is down.

Rule: it is if for two seconds nothing has answered, while two hosts fail that had answered before, or five that had
not. A new host that failed already while others answered is dead and does not count; nor do proxies, and hosts on this
machine, which need no network.
"""

from __future__ import annotations

import math
from typing import Final

from crawler import urls
from crawler.outages.breaker import Breaker
from crawler.outages.failed_attempt import FailedAttempt

__all__ = ["MAX_LATEST", "NEW", "PROBE_REST", "SILENCE", "Network"]

SILENCE: Final = 2.0
"""Seconds without any response: several times what a response takes."""
MANY_KNOWN: Final = 2
"""Hosts that had answered before and fail together: one alone may be down itself."""
MANY_NEW: Final = 5
"""The same for hosts that have never answered. About one in five links to other sites is dead, so five in a row are by
chance in one case of three thousand."""
PROVEN_AFTER: Final = 0.5
"""Seconds from the start of a failed request to a response of another host, at least, after which the network was up
when it failed: a round trip takes up to 0.3 s, so an earlier response may have been on its way when the network broke
down."""
PROBE_REST: Final = 5.0
"""Seconds between two probes: requests of each of them go to another host, so none is asked often."""
UNPROVEN: Final = 90.0
"""Seconds of downtime after which all is given up if nothing has ever answered: this machine may have no network."""
NEW: Final = 30.0
"""The same if nothing but this machine has, and for a host that has never answered when nothing else is left: a start
takes less."""

MAX_LATEST: Final = 16
"""Hosts whose lanes stay in memory: few beside the thousands that have room, and more than are often down together."""


class Network:
    """The hosts that have failed since the last response, and the breaker of the network."""

    def __init__(self, patience: float) -> None:
        self.breaker: Breaker | None = None
        """The breaker of the network while that is down."""
        self.lost: Breaker | None = None
        """That of a network that was given up, until something answers."""
        self.was_online = False
        """Whether a host that is not this machine has answered, in this run or an earlier one of the job."""
        self.answered_at = -math.inf
        """When one has answered in this run, in seconds since the epoch."""
        self.latest: dict[str, None] = {}
        """The hosts that have answered last. Their lanes stay in memory: else dead hosts that fill it look like an
        outage, while the requests of these wait for room."""
        self.is_suspected = False
        """Whether so many hosts fail that only the time is missing for an outage: no page is to blame."""
        self._patience = patience
        self._loopback: set[str] = set()  # the hosts on this machine that have answered
        self._failing: dict[str, bool] = {}  # hosts that have failed since then, and whether they had answered before
        self._since = math.inf  # the first of these failures

    @property
    def has_answered(self) -> bool:
        """Whether any host has ever answered."""
        return self.was_online or bool(self._loopback)

    def note_online(self, origin: str, now: float = -math.inf) -> None:
        """Note a response of this run at `now` (seconds since the epoch), or of an earlier one."""
        if origin in self._loopback or urls.is_loopback(origin):
            self._loopback.add(origin)
        else:
            self.was_online, self.answered_at = True, max(now, self.answered_at)
            if now > -math.inf:
                self.latest.pop(origin, None)
                self.latest[origin] = None
                if len(self.latest) > MAX_LATEST:
                    del self.latest[next(iter(self.latest))]

    def end_outage(self) -> None:
        """Note that something has answered."""
        self.breaker = self.lost = None
        self._forget()

    def _forget(self) -> None:
        self.is_suspected = False
        self._failing.clear()
        self._since = math.inf

    def failed(self, attempt: FailedAttempt, breaker: Breaker, now: float) -> None:
        """Note a failure of a host, whose breaker is given."""
        if attempt.contact in ("gateway", "error"):
            self.note_online(attempt.scope, now)
            self.end_outage()
            return
        if attempt.is_proxy or urls.is_loopback(attempt.scope) or not self._is_evidence(attempt, breaker):
            return
        self._failing[attempt.scope] = attempt.is_known
        self._since = min(self._since, now)
        self.is_suspected = self.is_suspected or self._are_enough(attempt)
        if self.breaker is None and now - self._since >= SILENCE and self.is_suspected:
            self.breaker = Breaker(self._since)
            self.breaker.note(now, attempt.error)
            self.breaker.open(now, rest=PROBE_REST)

    def _is_evidence(self, attempt: FailedAttempt, breaker: Breaker) -> bool:
        """Return whether a failure may be that of the network."""
        if attempt.is_known:
            return True
        if self.was_online and self.answered_at == -math.inf:  # an earlier run may have left only dead hosts
            return attempt.contact in ("none", "lookup", "local")
        return self.answered_at < breaker.started + PROVEN_AFTER

    def _are_enough(self, attempt: FailedAttempt) -> bool:
        """Return whether so many hosts fail that it is the network; the only one is enough without route or lookup."""
        known = sum(self._failing.values())
        if known >= MANY_KNOWN or len(self._failing) >= MANY_NEW:
            return True
        is_only = len(self._failing) == 1 and (attempt.is_known or not self.has_answered)
        return is_only and (attempt.contact == "local" or (attempt.contact == "lookup" and attempt.is_known))

    def probe_failed(self, attempt: FailedAttempt, now: float) -> Breaker | None:
        """Note that a probe of the network failed. Return its breaker if it is given up: it was down for too long."""
        network = self.breaker
        if network is None:
            return None
        network.note(now, attempt.error)
        network.open(now, rest=PROBE_REST)
        if network.down_for < min(self._patience, math.inf if self.was_online else NEW if self._loopback else UNPROVEN):
            return None
        self.lost, self.breaker = network, None
        self._forget()
        return network
