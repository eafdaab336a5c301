"""`LimitWaits`: logs what keeps the whole crawl waiting, and stops it after `quota_patience`."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from crawler.logs import get_logger

if TYPE_CHECKING:
    from crawler.engine.shutdown import Shutdown
    from crawler.frontier import Frontier

__all__ = ["LimitWaits"]

WORDS: Final = {
    "quota": "its quota is used up",
    "refusal": "it refuses requests",
    "pause": "a plugin has paused it",
    "delay": "its delay, that of the settings or the Crawl-delay of its robots.txt, has not passed",
}
"""Reasons why the crawl waits, in words, by the value of `Throttle.blocked_by`."""
LONG: Final = 300.0
"""Seconds of a wait that is worth a line: a user looks at a crawl that has said nothing for so long."""
log = get_logger("crawler.engine")


class LimitWaits:
    """Watches the times at which nothing is in flight and nothing may start."""

    def __init__(self, frontier: Frontier, shutdown: Shutdown, patience: float | None) -> None:
        self._frontier = frontier
        self._shutdown = shutdown
        self._patience = math.inf if patience is None else patience
        self._said_until = -math.inf
        self._named_delay = False
        self._unserved: set[str] = set()

    def note(self, now: float) -> None:
        """Note that nothing may start now, in seconds since the epoch."""
        if self._frontier.open_tickets:
            return
        at, name, reason = self._frontier.next_wait()
        wait = at - now
        self._note_unserved(now, wait)
        patience = math.inf if reason in ("pause", "delay") else self._patience  # those were asked for
        if reason not in WORDS or not min(LONG, patience) <= wait < math.inf:
            return
        if at > self._said_until and not (reason == "delay" and self._named_delay):  # it comes back for each request
            self._said_until = at + LONG
            self._named_delay = self._named_delay or reason == "delay"
            until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
            word = WORDS[reason]
            log.warning(
                "nothing to do until %s, in %.0f s: %s is the first to be ready, and %s", until, wait, name, word
            )
        if wait > patience:
            log.warning("the crawl stops: quota_patience allows a wait of %g s", patience)
            self._shutdown.stop("quota_patience", by_limit=True)

    def _note_unserved(self, now: float, wait: float) -> None:
        """Say once of a host that it serves nothing, while the crawl has nothing else to do."""
        found = self._frontier.next_unserved(now)
        if found is None or wait >= LONG or len(self._unserved) >= 20:  # lines: a log that is read to its end
            return
        name, seconds, why, is_limit = found
        if seconds < 10.0 or name in self._unserved:  # as for outages: shorter ones are part of every crawl
            return
        self._unserved.add(name)
        setting = "quota_patience" if is_limit else "outage_patience"
        log.warning(
            "waiting for %s, which has served nothing for %.0f s (%s): the next request is sent in %.0f s; "
            "%s limits such waits",
            name, seconds, why, max(wait, 0.0), setting,
        )  # fmt: skip
