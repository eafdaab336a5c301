"""`RefusalBudget`: how many refused requests one server gets, and when it has refused everything for too long.

Rule: a server that no longer serves anything is waited for, `LONGEST` or `LONGEST_UNAVAILABLE` if it has served pages
before (it is at a limit), `LONGEST_NEW` if it never has. Waits that it states do not count. Then it is given up.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from msgspec import Struct

from crawler.limits.backoff import doubled
from crawler.limits.headers.refusal_status import UNAVAILABLE

__all__ = ["Refusal", "RefusalBudget"]

LONGEST: Final = 90_000.0
"""Seconds: quotas of a day are common, and a day and an hour see the end of each."""
LONGEST_UNAVAILABLE: Final = 5_400.0
"""The same where the status says no more than that the server is overloaded (503), or that pages are forbidden (403):
silent limits of an hour are the longest that are known to use it, while pages that are broken for ever keep their crawl
waiting for so long."""
LONGEST_NEW: Final = 600.0
"""The same for a server that has served no page: as `outage_patience`, which is for those that do not answer."""
STALL: Final = 900.0
"""Seconds after which a server that was given up is asked again, if requests are left."""
LONGEST_PAGE: Final = 75.0
"""The same for the pages that are left in the end, if the server has shown no limit: longer than windows of a minute,
the most common ones."""
LIMIT_SHOWN: Final = 3
"""Requests refused one after the other that show a limit, as many as show that a host is down: fewer may be pages that
are broken for ever."""
MAX_BROKEN_WAITS: Final = 20
"""Stated waits in a row that were kept and followed by another refusal. From then on, stated waits count, too."""
MAX_SPARE: Final = 20.0
"""Refused requests that may be sent again at once."""
EARNED: Final = 0.1
"""Refused requests that one success adds to these: a tenth of all requests."""
SPENT_WAIT: Final = 10.0
"""Seconds to wait after a refusal when none of these is left, doubled for each further one."""


class Refusal(NamedTuple):
    """What the limits know when a request was refused."""

    serves_others: bool
    """Whether the server has served a request that was sent after it last refused this one, or any."""
    lane_waits: float
    """Seconds until a limit lets the next request start; infinite: after a response arrives; 0: at once."""
    has_others: bool
    """Whether other requests of the lane are waiting."""
    has_served: bool
    """Whether the server has ever served a page."""
    is_stalled: bool
    """Whether the server has refused everything for so long that it is given up, or that only pages are to blame."""


class RefusalBudget(Struct, eq=False):
    """Bounds the refused requests: a tenth of all, and not for long without a success."""

    stalled_until: float = -math.inf
    """Until then no request is worth a try, since all were refused for so long; in seconds since the epoch. A refusal
    after that time moves it."""
    refuses_all: bool = False
    """Whether nothing was served between the two latest refusals."""
    has_served: bool = False
    """Whether the server has ever served a page."""
    status: int = 0
    """Status of the latest refusal; 0: there was none."""
    is_rechecking: bool = False
    """Whether a page that it has served is asked for again, to see whether a 403 is a ban. Nothing else starts."""
    _forbidden: int = 0
    """Pages in a row that it has forbidden, without a word, since it last served one."""
    _own: int = 0
    """So many of them in a row may be forbidden each for itself: half as many were, while it served others. Negative:
    none is, since it has served one later."""
    served_start: float = -math.inf
    """When the latest request started that was served since one was refused, in seconds since the epoch."""
    _refused_since: float = math.nan
    """When the first refusal since the last success came, later by the waits that were stated; seconds since epoch."""
    _refused_at: float = -math.inf
    """When the latest refusal came, in seconds since the epoch."""
    _refused_requests: int = 0
    """Requests that it refused for the first time since the last success. `LIMIT_SHOWN` of them are never forgotten."""
    _first_at: float = math.nan
    """When that refusal came, in seconds since the epoch."""
    _stated_until: float = -math.inf
    """End of the latest stated wait, in seconds since the epoch."""
    _broken_waits: int = 0
    """Stated waits since the last success that were followed by a refusal."""
    _spare: float = MAX_SPARE
    """Refused requests that may be sent again at once. Below 0: the waits since the last success for want of these."""
    _held_until: float = -math.inf
    """End of the latest of these waits, in seconds since the epoch."""

    def record_served(self, started: float) -> None:
        """Count a request that was served, and started at `started`, in seconds since the epoch."""
        if self.has_served and self._refused_at == -math.inf and not self._forbidden:  # it has refused nothing
            return
        self.served_start = max(self.served_start, started)
        self._refused_since = math.nan
        self._broken_waits = 0
        self._refused_requests *= self._refused_requests >= LIMIT_SHOWN
        self.refuses_all, self.has_served = False, True
        self._forbidden *= self.is_rechecking
        self.stalled_until = self._held_until = -math.inf
        self._spare = min(MAX_SPARE, max(0.0, self._spare) + EARNED)

    def note_first_refusal(self) -> None:
        """Count a request that is refused for the first time."""
        self._refused_requests += 1

    def is_due_to_page(self, now: float) -> bool:
        """Return whether pages rather than a limit are to blame for refusals, where only refused ones are left."""
        is_ambiguous = self.status == UNAVAILABLE and self._refused_requests < LIMIT_SHOWN
        return is_ambiguous and self.has_served and self.refused_for(now) >= LONGEST_PAGE

    def is_refusing(self) -> bool:
        """Return whether nothing was served that started after the latest refusal."""
        return self._refused_at > self.served_start

    def bans(self) -> bool:
        """Return whether it has served a page that it had forbidden before, without a word: such a 403 is a refusal."""
        return self._own < 0

    def suspects_ban(self) -> bool:
        """Count a 403 that says nothing. Return whether a page that was served should be asked for again."""
        self._forbidden += 1
        return self._forbidden > self._own

    def note_ban(self) -> None:
        """Note that a page is served that was forbidden."""
        self._own = -1

    def explain_forbidden(self, *, is_certain: bool = True) -> None:
        """Note that a page is forbidden again, while others are served. It is certain if no limit refuses."""
        self._own = max(self._own, 2 * self._forbidden * is_certain)

    def refused_for(self, now: float) -> float:
        """Return the seconds since the first refusal after the last success, less the waits that were stated."""
        return 0.0 if math.isnan(self._refused_since) else now - self._refused_since

    def record_refusal(self, now: float, *, overloaded: bool, stated_wait: float, status: int = 0) -> float:
        """Count a refusal at `now`. Return until when nothing may start; both in seconds since the epoch."""
        self.status, self._refused_at = status, now
        self.refuses_all = not math.isnan(self._refused_since)
        if not self.refuses_all:
            self._refused_since = self._first_at = now
        if stated_wait and now >= self._stated_until:
            self._broken_waits += self.refuses_all
            self._stated_until = now + stated_wait
        since = self._refused_since if self._broken_waits < MAX_BROKEN_WAITS else self._first_at
        if now - since >= self._longest(overloaded=overloaded):
            self.stalled_until = now + STALL  # and again after the next refusal, unless something is served
        else:
            self._refused_since += stated_wait
        if self._spare >= 1.0:
            self._spare -= 1.0
            return -math.inf
        if now >= self._held_until:  # those in flight when it was refused are refused with it
            spent = max(0.0, -self._spare)
            self._held_until = now + doubled(int(spent), base=SPENT_WAIT, cap=math.inf)
            self._spare = -spent - 1.0
        return min(self._held_until, self.last_probe_at(overloaded=overloaded))

    def last_probe_at(self, *, overloaded: bool) -> float:
        """Return when the server is given up if it refuses that request, too; in seconds since the epoch."""
        return self._refused_since + self._longest(overloaded=overloaded)

    def _longest(self, *, overloaded: bool) -> float:
        if not self.has_served:
            return LONGEST_NEW
        return LONGEST_UNAVAILABLE if overloaded or self._forbidden else LONGEST
