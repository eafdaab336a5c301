"""`Breaker`: the circuit breaker of one host, one proxy or the network, as a state machine without a clock.

::

    closed ──failures──► open ──probe_at──► half-open: one request, the probe
      ▲                   ▲                     │
      │                   └────── failed ───────┤
      └────────────── answered ─────────────────┘

While it is open, its requests wait. The wait doubles with each failed probe.
"""

from __future__ import annotations

import math
import random
from typing import Final

from msgspec import Struct

from crawler.errors import FetchError
from crawler.limits.backoff import equal_jitter

__all__ = ["MAX_REST", "MAX_STEP", "Breaker"]

MIN_REST: Final = 1.0
"""Seconds between the first failure of an open breaker and its probe; they double with each failed probe."""
MAX_REST: Final = 30.0
"""Longest time between two probes, in seconds."""
MAX_STEP: Final = 2 * MAX_REST
"""Longest time between two failures that counts as downtime, in seconds: a machine that sleeps observes no outage."""


class Breaker(Struct, eq=False):
    """The state of a host that has not answered since its last failure. A host that answers has no breaker.

    Parameters:
        since: Time of the first failure, in seconds since the epoch.
        era: Number of times that a host was reached for the first time, or again, before the first failure.
        proofs: Number of times that the network was found to be up before the first failure.
        is_known: Whether the host had answered before.
    """

    since: float
    era: int = 0
    proofs: int = 0
    is_known: bool = False
    failed_at: float = -math.inf
    """Time of the last failure, in seconds since the epoch."""
    failures: int = 0
    """Failed connections in a row."""
    probes: int = 0
    """Failed probes in a row."""
    down_for: float = 0.0
    """Seconds of downtime that were observed."""
    is_open: bool = False
    """Whether requests wait for a probe."""
    probe_at: float = -math.inf
    """When the next probe may start, in seconds since the epoch."""
    probe: object | None = None
    """The request that is the probe, while it is in flight."""
    error: FetchError | None = None
    """The last failure."""
    unanswered: set[str] = set()
    """URLs of requests that were sent and got no response, while the breaker is closed."""
    failed_first: set[str] = set()
    """URLs of requests whose first attempt failed since the host last answered."""
    tries: int = 0
    """Failures in a row; those in flight together count once."""
    waited_in_vain: bool = False
    """Whether it was open for as long as its host was given, and the requests failed nevertheless."""
    is_logged: bool = False
    """Whether the log says that the host is down."""
    given_up_until: float = -math.inf
    """Until then every request fails without being sent; in seconds since the epoch."""

    @property
    def was_given_up(self) -> bool:
        """Whether all requests of the host failed at once at some time since it last answered."""
        return self.given_up_until > -math.inf

    def note(self, now: float, error: FetchError) -> None:
        """Note a failure, and the downtime that it proves.

        Parameters:
            now: Seconds since the epoch.
            error: The failure.
        """
        if self.failed_at > -math.inf:
            self.down_for += min(max(0.0, now - self.failed_at), MAX_STEP)
        self.failed_at = now
        self.error = error

    def open(self, now: float, *, rest: float) -> None:
        """Let requests wait for `rest` seconds, then for the result of a probe."""
        self.is_open = True
        self.probes += 1
        self.probe_at = now + rest

    def close(self) -> None:
        """Let requests start again."""
        self.is_open = False
        self.probe = None
        self.probes = 0

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

    def rest(self, rng: random.Random) -> float:
        """Return the seconds before the next probe: 1, 2, 4 … up to 30, less up to half of them."""
        return equal_jitter(self.probes + 1, base=MIN_REST, cap=MAX_REST, random=rng)
