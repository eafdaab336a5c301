"""`RefusalBudget`: how many refused requests one server gets, and when it has refused everything for too long."""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

__all__ = ["RefusalBudget"]

STALL: Final = 900.0
"""Seconds of refusals without one success after which the limit has stalled. Stated waits do not count. The server is
overloaded, or has never served anything."""
STALL_WINDOWS: Final = 8.0
"""Learned windows by which that time is longer: a limit that was found before refuses for a window, and a window may be
longer than it seemed."""
MAX_BROKEN_WAITS: Final = 20
"""Stated waits in a row that were kept and followed by another refusal. From then on, stated waits count, too."""
STALL_OF_QUOTA: Final = 90_000.0
"""The same where a server that has served requests refuses them because of a limit: quotas of a day are common."""
MAX_SPARE: Final = 20.0
"""Refused requests that may be sent again at once."""
EARNED: Final = 0.1
"""Refused requests that one success adds to these."""
SPENT_WAIT: Final = 10.0
"""Seconds to wait after a refusal when none of these is left."""
MAX_COUNTED: Final = 10
"""Waits in vain, and requests given up in a row, that are counted, at most: times grow exponentially by them."""


class RefusalBudget(Struct, eq=False):
    """Bounds the refused requests: a tenth of all, and not for long without a success."""

    stalled_until: float = -math.inf
    """Until then no request is worth a try, since all were refused for so long; in seconds since the epoch. A refusal
    after that time moves it."""
    refuses_all: bool = False
    """Whether nothing was served between the two latest refusals."""
    has_served: bool = False
    """Whether the server has ever served a request."""
    has_refused: bool = False
    """Whether it has ever refused one."""
    serves_refused: bool = False
    """Whether it has ever served a request that it had refused: then a limit was the reason, and not the page."""
    status: int = 0
    """Status of the latest refusal; 0: it was none of HTTP."""
    waits_in_vain: int = 0
    """Waits after which the refused request failed and others were served: its page was the reason. A request that is
    served after it was refused undoes one."""
    has_broken_pages: bool = False
    """Whether there was ever such a wait."""
    given_up: int = 0
    """Requests that have failed since the last success because only some pages are refused, as it seemed."""
    served_start: float = -math.inf
    """When the latest request started that was served since one was refused, in seconds since the epoch."""
    served: int = 0
    """Requests that were served since the first refusal."""
    _refused_since: float = math.nan
    """When the first refusal since the last success came, later by the waits that were stated; seconds since epoch."""
    _first_at: float = math.nan
    """When that refusal came, in seconds since the epoch."""
    _stated_until: float = -math.inf
    """End of the latest stated wait, in seconds since the epoch."""
    _broken_waits: int = 0
    """Stated waits since the last success that were followed by a refusal."""
    _spare: float = MAX_SPARE

    def record_served(self, started: float) -> None:
        """Count a request that was served, and started at `started`, in seconds since the epoch."""
        if self.has_served and not self.has_refused:
            return
        self.served_start = max(self.served_start, started)
        self.served += self.has_refused
        if self.given_up:
            self.waits_in_vain, self.has_broken_pages = min(self.waits_in_vain + 1, MAX_COUNTED), True
        self.given_up = 0
        self._refused_since = math.nan
        self._broken_waits = 0
        self.refuses_all, self.has_served = False, True
        self.stalled_until = -math.inf
        self._spare = min(MAX_SPARE, self._spare + EARNED)

    def record_recovery(self) -> None:
        """Note that a request was served that had been refused."""
        self.serves_refused, self.waits_in_vain = True, max(0, self.waits_in_vain - 1)

    def give_up(self, refusals: int) -> None:
        """Note that a request fails because only some pages are refused, as it seems. The next one is sent in any case.

        Parameters:
            refusals: How often it was refused: its page was the reason, so these do not count.
        """
        self.given_up = min(self.given_up + 1, MAX_COUNTED)
        self.stalled_until = -math.inf
        self._spare = min(MAX_SPARE, self._spare + refusals)

    def refused_for(self, now: float) -> float:
        """Return the seconds since the first refusal after the last success, less the waits that were stated."""
        return 0.0 if math.isnan(self._refused_since) else now - self._refused_since

    def record_refusal(
        self, now: float, *, overloaded: bool, stated_wait: float, window: float = 0.0, status: int = 0
    ) -> float:
        """Count a refusal. Return until when nothing may start, in seconds since the epoch.

        Parameters:
            now: When it was received, in seconds since the epoch.
            overloaded: Whether the server refused because it is overloaded.
            stated_wait: Seconds to wait as the server states; such a wait is no stall.
            window: Seconds of the longest window of its limits that was learned; 0: none was.
            status: As of `RefusalBudget.status`.
        """
        self.status = status
        self.has_refused, self.refuses_all = True, not math.isnan(self._refused_since)
        if not self.refuses_all:
            self._refused_since = self._first_at = now
        if stated_wait and now >= self._stated_until:
            self._broken_waits += self.refuses_all
            self._stated_until = now + stated_wait
        since = self._refused_since if self._broken_waits < MAX_BROKEN_WAITS else self._first_at
        is_quota = self.has_served and not overloaded
        if now - since >= (STALL_OF_QUOTA if is_quota else STALL + STALL_WINDOWS * window):
            self.stalled_until = now + STALL  # and again after the next refusal, unless something is served
        else:
            self._refused_since += stated_wait
        self._spare -= 1.0
        if self._spare >= 0:
            return -math.inf
        self._spare = 0.0
        return now + SPENT_WAIT
