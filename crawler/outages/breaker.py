"""`Breaker`: the circuit breaker of one host, one proxy or the network, as a state machine without a clock.

::

    closed ──failures──► open ──probe_at──► half-open: one request, the probe
      ▲                   ▲                     │
      │                   └────── failed ───────┤
      └────────────── answered ─────────────────┘

Rule: while it is open, its requests wait. The wait doubles with each failed probe.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final

import attrs
from msgspec import Struct

from crawler.limits.backoff import equal_jitter

if TYPE_CHECKING:
    from crawler.errors import FetchError

__all__ = ["MAX_REST", "MAX_STEP", "Breaker", "OutageStatistics"]

MIN_REST: Final = 1.0
"""Seconds between the failure that opens a breaker and its probe: a restart takes no less."""
MAX_REST: Final = 30.0
"""Longest time between two probes, in seconds: nobody waits much longer than the outage lasts."""
MAX_NEW_REST: Final = 600.0
"""The same for a host that has never answered, in seconds: most of these do not exist."""
MAX_STEP: Final = 2 * MAX_REST
"""Longest time between two failures that counts as downtime, in seconds: a machine that sleeps observes no outage."""


@attrs.frozen(kw_only=True)
class OutageStatistics:
    """An outage at one moment."""

    since: float
    """When it began, in seconds since the epoch."""
    next_probe: float
    """When it is tried again, in seconds since the epoch. In the past while a request finds out."""
    error: str
    """Message of the last failure."""


class Breaker(Struct, eq=False):
    """The state of a host that has not answered since its last failure. A host that answers has no breaker."""

    since: float
    """Time of the first failure, in seconds since the epoch."""
    started: float = math.inf
    """When the request that failed first had started, in seconds since the epoch."""
    is_known: bool = False
    """Whether the host had answered before."""
    failed_at: float = -math.inf
    """Time of the last failure, in seconds since the epoch."""
    failures: int = 0
    """Failures in a row."""
    probes: int = 0
    """Times that it was opened; those in flight together count once."""
    down_for: float = 0.0
    """Seconds of downtime that were observed."""
    new_for: float = 0.0
    """Seconds of downtime after which it is given up if nothing else is left; 0 if the host has answered anything."""
    is_open: bool = False
    """Whether requests wait for a probe."""
    probe_at: float = -math.inf
    """When the next probe may start, in seconds since the epoch."""
    probe: object | None = None
    """The ticket of the probe, while it is in flight."""
    error: FetchError | None = None
    """The last failure."""
    pages: set[str] = set()
    """URLs of pages that were sent and got no response, and had not failed before."""
    waited_in_vain: bool = False
    """Whether its pages were counted as failed after it had been open for as long as they may wait."""
    is_logged: bool = False
    """Whether the log says that the host is down."""
    given_up_until: float = -math.inf
    """Until then every request fails without being sent; in seconds since the epoch."""

    def note(self, now: float, error: FetchError) -> None:
        """Note a failure, and the downtime that it proves."""
        if self.failed_at > -math.inf:
            self.down_for += min(max(0.0, now - self.failed_at), MAX_STEP)
        self.failed_at = now
        self.error = error
        self.failures += 1

    def open(self, now: float, *, rest: float) -> None:
        """Let requests wait for `rest` seconds, then for the result of a probe."""
        self.is_open = True
        self.probes += 1
        self.probe_at = now + rest

    def close(self) -> None:
        """Let requests start again."""
        self.is_open = False
        self.probe = None

    def give_up(self, until: float) -> None:
        """Let every request fail until `until` (seconds since the epoch)."""
        self.close()
        self.given_up_until = until

    def ready_at(self, now: float) -> float:
        """Return when a request may start, in seconds since the epoch; infinite while a probe is in flight.

        A host that was given up delays nothing: its requests fail at once.
        """
        if not self.is_open or now < self.given_up_until:
            return -math.inf
        return math.inf if self.probe is not None else self.probe_at

    def rest(self, rng: random.Random, *, base: float = MIN_REST) -> float:
        """Return the seconds before the next probe: 1, 2, 4 … up to 30 or 600, less up to half of them."""
        return equal_jitter(self.probes + 1, base=base, cap=MAX_NEW_REST if self.new_for else MAX_REST, random=rng)

    def statistics(self) -> OutageStatistics:
        """Return the outage as users see it."""
        return OutageStatistics(since=self.since, next_probe=self.probe_at, error=str(self.error))
