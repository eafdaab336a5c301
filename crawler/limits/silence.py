"""`Silence`: the time since the last response of any host. A host that has answered before may be asked meanwhile.

If only hosts fail that have never answered, either they are wrong or the network is down. A *check* finds out: a
request to a host that has answered before. If that answers, the network is up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

__all__ = ["SILENCE", "Silence"]

SILENCE: Final = 2.0
"""Seconds without any response before the network may be down."""


class Silence:
    """Which hosts have failed since the last response, and whether the network is checked."""

    def __init__(self) -> None:
        self.hosts: dict[str, bool] = {}
        """Hosts that have failed since the last response, and whether they have answered before."""
        self.since = math.inf
        """Time of the first failure since the last response, in seconds since the epoch."""
        self.check_at = math.inf
        """When to check the network, in seconds since the epoch. Infinite: there is no need to."""
        self.is_checked = False
        """Whether a check has failed since the last response, or no host could be asked."""
        self._check: object | None = None  # the request, while it is in flight
        self._checked_at = -math.inf

    @property
    def has_check(self) -> bool:
        """Whether a check is in flight."""
        return self._check is not None

    def new_hosts(self) -> Iterable[str]:
        """Return the hosts that have failed since the last response and have never answered."""
        return (host for host, is_known in self.hosts.items() if not is_known)

    def is_long(self, now: float) -> bool:
        """Return whether it lasts for so long at `now` (seconds since the epoch) that the network may be down."""
        return now - self.since >= SILENCE

    def end(self) -> None:
        """Note a response."""
        self.hosts.clear()
        self.since = self.check_at = math.inf
        self.is_checked = False

    # ---- the check ---------------------------------------------------------------------------------------------------

    def plan_check(self, rest: float) -> None:
        """Check the network when the silence is long, and `rest` seconds after the last check, if none is in flight."""
        if self._check is None:
            self.check_at = max(self.since + SILENCE, self._checked_at + rest)

    def start_check(self, now: float, request: object | None) -> None:
        """Note that a check starts.

        Parameters:
            now: Seconds since the epoch.
            request: The request. `None`: there is no host that may be asked now.
        """
        self._check, self._checked_at, self.check_at = request, now, math.inf
        self.is_checked = self.is_checked or request is None

    def end_check(self, request: object, now: float = -math.inf) -> bool:
        """Note that a request has ended, in seconds since the epoch. Return whether it was the check."""
        if self._check is None or request is not self._check:
            return False
        self._check, self.is_checked = None, True
        self._checked_at = max(self._checked_at, now)
        return True
