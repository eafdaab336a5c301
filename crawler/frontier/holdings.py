"""`Holdings`: which lanes and budgets this worker may use, if several workers share the crawl."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["Holdings"]


class Holdings:
    """The lease of this worker, and the names that it needs a lease of. A crawl with one worker holds everything.

    Parameters:
        wake: Called when a name is needed.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.are_shared = False
        """Whether other workers may hold lanes and budgets."""
        self.until = math.inf
        """Nothing starts from then on, in seconds since the epoch, unless the lease is renewed."""
        self.wanted: dict[str, None] = {}
        """Names of lanes and budgets without a lease, which requests of this worker wait for."""

    def want(self, name: str) -> None:
        """Note that a request waits for the lease of a lane or budget."""
        if name not in self.wanted:
            self.wanted[name] = None
            self._wake()
